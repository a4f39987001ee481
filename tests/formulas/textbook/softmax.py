"""Losses of a choice between classes."""

from textbook.numbers import distribution, log_probs, mp, softmax


def softmax_cross_entropy(pred, target, pred_is="logit", class_weight=None, label_smoothing=0):
    s, c = mp.mpf(label_smoothing), len(pred)
    t = [(1 - s) * share + s / c for share in distribution(target, c)]
    w = class_weight or [1] * c
    return -sum(w[i] * t[i] * log_p for i, log_p in enumerate(log_probs(pred, pred_is)) if w[i] * t[i])


def softmax_focal(pred, target, pred_is="logit", gamma=2, alpha=None):
    p, t = softmax(pred) if pred_is == "logit" else pred, distribution(target, len(pred))
    a = alpha if isinstance(alpha, list) else [1 if alpha is None else alpha] * len(pred)
    return -sum(a[i] * t[i] * (1 - p[i]) ** gamma * mp.log(p[i]) for i in range(len(p)) if t[i])
