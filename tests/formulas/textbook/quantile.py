"""Losses whose best constant prediction is a quantile or an expectile."""

from textbook.numbers import mp


def quantile(pred, target, quantile=0.5):
    q, u = mp.mpf(quantile), target - pred
    return max(q * u, (q - 1) * u)


def quantiles(pred, target, quantile=(0.1, 0.5, 0.9)):
    levels = [quantile] * len(pred) if isinstance(quantile, float) else quantile
    each = [max(mp.mpf(q) * (target - p), (mp.mpf(q) - 1) * (target - p)) for q, p in zip(levels, pred, strict=True)]
    return sum(each) / len(pred)


def expectile(pred, target, expectile=0.5):
    tau, u = mp.mpf(expectile), target - pred
    return abs(tau - (1 if u < 0 else 0)) * u**2
