"""Penalties on a gradient."""

from textbook.numbers import mp


def gradient_penalty(pred, norm=1, one_sided=False):
    size = mp.sqrt(sum(v**2 for v in pred))
    return max(mp.zero, size - norm) ** 2 if one_sided else (size - norm) ** 2


def zero_centred_penalty(pred):
    return sum(v**2 for v in pred) / 2
