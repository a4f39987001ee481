"""Distances of features."""

from textbook.numbers import mp


def feature_reconstruction(pred, target):
    return sum((a - b) ** 2 for a, b in zip(pred, target, strict=True)) / len(pred)


def gram(rows):
    channels = range(len(rows[0]))
    return [[mp.fsum(row[c] * row[d] for row in rows) / (len(rows) * len(rows[0])) for d in channels] for c in channels]


def style_reconstruction(pred, target):
    f, g = gram(pred), gram(target)
    return sum((a - b) ** 2 for one, other in zip(f, g, strict=True) for a, b in zip(one, other, strict=True))
