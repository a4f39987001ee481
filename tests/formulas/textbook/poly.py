"""Poly-1."""

from textbook.numbers import distribution, mp, softmax


def poly_cross_entropy(pred, target, pred_is="logit", epsilon=1):
    p, t = softmax(pred) if pred_is == "logit" else pred, distribution(target, len(pred))
    return sum(t[i] * (-mp.log(p[i]) + epsilon * (1 - p[i])) for i in range(len(p)) if t[i])
