"""Losses of many yes-or-no labels."""

from textbook.numbers import mp, sigmoid


def asymmetric_multilabel(pred, target, gamma_pos=1, gamma_neg=4, clip=0.05, stop_focusing=False):
    p = sigmoid(pred)
    q = max(p - mp.mpf(clip), mp.zero)
    yes = target * (1 - p) ** gamma_pos * mp.log(p) if target else 0
    no = (1 - target) * q**gamma_neg * mp.log(1 - q) if target != 1 else 0
    return -(yes + no)
