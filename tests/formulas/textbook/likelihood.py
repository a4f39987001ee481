"""Negative log-likelihoods."""

from textbook.numbers import mp, times_log


def poisson_nll(pred, target, log_input=True, full=False):
    value = mp.exp(pred) - target * pred if log_input else pred - times_log(target, pred)
    stirling = times_log(target, target) - target + mp.log(2 * mp.pi * target) / 2 if target > 1 else 0
    return value + stirling if full else value


def gaussian_nll(pred, target, variance, full=False, beta=0):
    value = (mp.log(variance) + (pred - target) ** 2 / variance) / 2 + (mp.log(2 * mp.pi) / 2 if full else 0)
    return value * variance ** mp.mpf(beta)
