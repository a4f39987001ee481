"""Losses that draw two views together and the dimensions of an embedding apart."""

from textbook.numbers import mp


def centred(embeddings):
    """One list for each dimension, over the batch, without its mean."""
    columns = [list(column) for column in zip(*embeddings, strict=True)]
    return [[x - sum(column) / len(column) for x in column] for column in columns]


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def barlow_twins(first, second, off_diagonal_weight=0.005):
    a, b = centred(first), centred(second)
    c = [[dot(x, y) / (mp.sqrt(dot(x, x)) * mp.sqrt(dot(y, y))) for y in b] for x in a]
    d = range(len(a))
    on = sum((1 - c[i][i]) ** 2 for i in d)
    return on + mp.mpf(off_diagonal_weight) * sum(c[i][j] ** 2 for i in d for j in d if i != j)


def vicreg(first, second, invariance_weight=25, variance_weight=25, covariance_weight=1, gamma=1, eps=1e-4):
    n, d = len(first), len(first[0])
    invariance = sum((x - y) ** 2 for a, b in zip(first, second, strict=True) for x, y in zip(a, b, strict=True))
    total = mp.mpf(invariance_weight) * invariance / (n * d)
    for side in (centred(first), centred(second)):
        cov = [[dot(x, y) / (n - 1) for y in side] for x in side]
        lack = sum(max(mp.zero, mp.mpf(gamma) - mp.sqrt(cov[j][j] + mp.mpf(eps))) for j in range(d)) / d
        beside = sum(cov[i][j] ** 2 for i in range(d) for j in range(d) if i != j) / d
        total += mp.mpf(variance_weight) * lack + mp.mpf(covariance_weight) * beside
    return total
