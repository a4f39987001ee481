"""Losses of segmented images, on images of a few pixels."""

import numpy as np

from keras_cases.data import Arrays, C, N, case, normal, softmax


def shares(g: np.random.Generator) -> Arrays:
    return g.integers(0, 2, (N, 2, 3, C)).astype("float32"), g.uniform(0.05, 0.95, (N, 2, 3, C)).astype("float32")


def classes(g: np.random.Generator) -> Arrays:
    return g.integers(0, C, (N, 2, 3)), normal(g, N, 2, 3, C)


def chances(g: np.random.Generator) -> Arrays:
    target, logits = classes(g)
    return target, softmax(logits)


def foreground(g: np.random.Generator) -> Arrays:
    return g.integers(0, 2, (N, 5, 1)), normal(g, N, 5, 1)


CASES = [
    case("dice", "Dice", shares),
    case("dice images", "Dice", shares, axis=(1, 2, 3)),
    case("dice classes", "Dice", shares, axis=(1, 2)),
    case("dice batch", "Dice", shares, axis=(0, 1, 2)),
    case("tversky", "Tversky", shares, alpha=0.3, beta=0.9),
    case("tversky classes", "Tversky", shares, alpha=0.3, beta=0.9, axis=[1, 2]),
    case("jaccard", "Jaccard", classes, from_logits=True, log=True),
    case("jaccard probabilities", "Jaccard", chances, classes="present"),
    case("focal tversky", "FocalTversky", foreground, from_logits=True, smooth=1.0),
    case("lovasz hinge", "LovaszHinge", foreground),
    case("lovasz softmax", "LovaszSoftmax", classes, from_logits=True),
    case("lovasz softmax batch", "LovaszSoftmax", chances, over="batch"),
]
