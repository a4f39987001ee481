"""Losses of a discriminator and a generator."""

from textbook.numbers import mp, sigmoid, times_log


def cross_entropy(x, t):
    return -(times_log(t, sigmoid(x)) + times_log(1 - t, 1 - sigmoid(x)))


def gan_discriminator(pred, target, mode="non_saturating"):
    if mode == "least_squares":
        return (pred - target) ** 2 / 2
    if mode == "wasserstein":
        return -pred if target == 1 else pred
    if mode == "hinge":
        return max(mp.zero, 1 - pred if target == 1 else 1 + pred)
    return cross_entropy(pred, target)


def gan_generator(pred, mode="non_saturating", label=1):
    if mode == "vanilla":
        return mp.log(1 - sigmoid(pred))
    if mode == "least_squares":
        return (pred - mp.mpf(label)) ** 2 / 2
    return cross_entropy(pred, mp.mpf(label)) if mode == "non_saturating" else -pred


def gan_relativistic(pred, other, target):
    return cross_entropy(pred - other, target)
