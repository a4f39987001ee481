"""Losses of the residual that forgive outliers."""

from functools import cache

from textbook.numbers import mp


def smooth_l1(pred, target, beta=1):
    r = abs(pred - target)
    return r**2 / (2 * mp.mpf(beta)) if r < beta else r - mp.mpf(beta) / 2


def charbonnier(pred, target, scale=1):
    return mp.sqrt((pred - target) ** 2 + mp.mpf(scale) ** 2) - scale


def cauchy(pred, target, scale=1):
    return mp.log(1 + ((pred - target) / scale) ** 2 / 2)


def welsch(pred, target, scale=1):
    return 1 - mp.exp(-(((pred - target) / scale) ** 2) / 2)


def geman_mcclure(pred, target, scale=1):
    z = (pred - target) / scale
    return 2 * z**2 / (z**2 + 4)


def tukey(pred, target, cutoff=4.685):
    r, c = pred - target, mp.mpf(cutoff)
    return c**2 / 6 * (1 - (1 - (r / c) ** 2) ** 3) if abs(r) <= c else c**2 / 6


def general_robust(pred, target, alpha=1, scale=1):
    z = (pred - target) / scale
    if alpha == -mp.inf:
        return 1 - mp.exp(-(z**2) / 2)
    a = mp.mpf(alpha)
    if a == 2:
        return z**2 / 2
    if a == 0:
        return mp.log(z**2 / 2 + 1)
    return abs(a - 2) / a * ((z**2 / abs(a - 2) + 1) ** (a / 2) - 1)


def adaptive_robust(pred, target, alpha=1, scale=1):
    return general_robust(pred, target, alpha, scale) + mp.log(scale) + log_partition(alpha)


@cache
def log_partition(alpha):
    """log Z(alpha), by an integral over z = e^s; thirty digits of it are enough."""
    with mp.workdps(30):
        each = lambda s: mp.exp(s - general_robust(mp.exp(s), mp.zero, alpha))
        return mp.log(2 * mp.quad(each, list(range(-72, 80, 4))))
