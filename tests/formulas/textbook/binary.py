"""Losses of one yes-or-no prediction."""

from textbook.numbers import mp, sigmoid, times_log


def binary_cross_entropy(pred, target, pred_is="logit", pos_weight=None):
    p = sigmoid(pred) if pred_is == "logit" else pred
    return -(times_log((pos_weight or 1) * target, p) + times_log(1 - target, 1 - p))


def binary_focal(pred, target, pred_is="logit", gamma=2, alpha=None):
    p = sigmoid(pred) if pred_is == "logit" else pred
    one, zero = (1, 1) if alpha is None else (alpha, 1 - mp.mpf(alpha))
    return -(one * target * (1 - p) ** gamma * mp.log(p) + zero * (1 - target) * p**gamma * mp.log(1 - p))
