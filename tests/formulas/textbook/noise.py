"""Losses for labels of which some are wrong."""

from textbook.numbers import distribution, mp, softmax


def generalized_cross_entropy(pred, target, pred_is="logit", q=0.7, truncation=None):
    p, t, q = softmax(pred) if pred_is == "logit" else pred, distribution(target, len(pred)), mp.mpf(q)
    seen = [max(v, mp.mpf(truncation or 0)) for v in p]
    return sum(t[i] * (1 - seen[i] ** q) / q for i in range(len(p)))


def symmetric_cross_entropy(pred, target, pred_is="logit", alpha=0.1, beta=1, log_zero=-4):
    p, t = softmax(pred) if pred_is == "logit" else pred, distribution(target, len(pred))
    forward = -sum(t[i] * mp.log(p[i]) for i in range(len(p)) if t[i]) if alpha else 0
    reverse = -sum(p[i] * (max(mp.log(t[i]), log_zero) if t[i] else log_zero) for i in range(len(p)))
    return mp.mpf(alpha) * forward + beta * reverse
