"""Losses of the residual."""

from textbook.numbers import mp


def squared_error(pred, target):
    return (pred - target) ** 2


def absolute_error(pred, target):
    return abs(pred - target)


def huber(pred, target, delta=1):
    r = abs(pred - target)
    return r**2 / 2 if r <= delta else delta * r - mp.mpf(delta) ** 2 / 2


def asymmetric_squared_error(pred, target, under=1, over=1):
    return (under if pred < target else over) * (pred - target) ** 2


def log_cosh(pred, target):
    return mp.log(mp.cosh(pred - target))
