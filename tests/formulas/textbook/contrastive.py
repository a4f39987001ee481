"""Losses of pairs of embeddings."""

from textbook.numbers import mp


def contrastive(first, second, target, margin=1):
    d = mp.sqrt(sum((a - b) ** 2 for a, b in zip(first, second, strict=True)))
    return target * d**2 / 2 + (1 - target) * max(mp.zero, margin - d) ** 2 / 2
