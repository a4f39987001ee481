"""Hinge losses."""

from textbook.numbers import distribution, mp


def hinge(pred, target):
    return max(mp.zero, 1 - (target or -1) * pred)


def squared_hinge(pred, target):
    return hinge(pred, target) ** 2


def categorical_hinge(pred, target):
    t = distribution(target, len(pred))
    right = sum(t[i] * pred[i] for i in range(len(t)))
    wrong = max((1 - t[i]) * pred[i] for i in range(len(t)))
    return max(mp.zero, 1 + wrong - right)
