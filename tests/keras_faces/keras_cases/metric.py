"""Losses between embeddings."""

import numpy as np

from keras_cases.data import Arrays, C, N, case, grouped, normal, pairs


def unit_rows(g: np.random.Generator) -> Arrays:
    labels, rows = grouped(g)
    return labels, rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def triplets(g: np.random.Generator) -> Arrays:
    return np.zeros(N, "float32"), normal(g, N, 3, C)


def labelled_pairs(g: np.random.Generator) -> Arrays:
    return np.array([0, 1, 0, 1, 2, 0]), 0.4 * normal(g, N, 2, 3)


def classified(g: np.random.Generator) -> Arrays:
    return np.array([0, 1, 0, 1, 2, 0]), normal(g, N, 3 + C)


CASES = [
    case("contrastive", "Contrastive", pairs, margin=2.0),
    case("triplet", "TripletMargin", triplets, margin=2.0),
    case("triplet swap", "TripletMargin", triplets, margin=2.0, swap=True, p=1),
    *(
        case(f"triplet {mining}", "TripletMargin", grouped, margin=4.0, mining=mining)
        for mining in ("batch_all", "batch_hard", "semi_hard")
    ),
    case("n pair", "NPair", labelled_pairs),
    case("multi similarity", "MultiSimilarity", grouped, beta=10.0),
    case("circle", "Circle", unit_rows, gamma=10.0),
    case("batch similarity", "BatchSimilarity", classified, classes=3, strength=2.0),
]
