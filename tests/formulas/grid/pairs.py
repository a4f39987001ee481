"""Losses of the pairs in a batch of labelled embeddings."""

import numpy as np
from textbook.pairs import unit

from grid.points import Case

BATCH = np.array(
    [
        [[1.0, 0.0, 0.5], [0.5, 1.0, 0.0], [1.0, -1.0, 0.5], [2.0, 0.0, 1.25], [-1.0, 2.0, 0.0]],
        [[5.0, 0.0, 0.0], [6.0, 1e-3, 0.0], [0.0, 5.0, 0.5], [0.0, 6.0, 1.0], [5.0, 0.25, 1e-3]],
        [[1e-20, 0.0, 2e-20], [1e10, 3e10, 0.0], [0.0, 0.25, 0.25], [1e-3, 0.0, 2e-3], [-3.0, -9.0, 0.0]],
    ]
)
LABELS = np.array([[0, 0, 1, 1, 0], [0, 0, 1, 1, 2], [0, 0, 1, 1, 1]])
PAIRS = np.array(
    [
        [[1.0, 0.0, 0.5], [0.5, 1.0, 0.0], [1.0, -1.0, 0.5], [2.0, 0.0, 1.25]],
        [[9.0, 0.0, 0.5], [0.0, 9.0, 0.0], [-9.0, -1.0, 0.5], [9.0, 0.0, 8.0]],
        [[100.0, 0.0, 0.5], [0.0, 1e-3, 0.0], [-9.0, -1.0, 0.5], [1e-6, 0.0, 8.0]],
    ]
)
CLASSES = np.array([[0, 1, 2, 0], [0, 1, 2, 3], [0, 0, 0, 1]])


def on_the_sphere(batch):
    return np.array([[[float(v) for v in unit(list(map(float, x)))] for x in rows] for rows in batch])


# the size of the gradient is that of the scale; the lengths are kept away from 1e-20, by which it is divided
NEAR, NEAR_LABELS = BATCH[:2], LABELS[:2]
MS, CIRCLE = "multi_similarity", "circle"

CASES = [
    Case("n_pair", (PAIRS, PAIRS[:, ::-1].copy(), CLASSES), wrt=(0, 1), slope_scale=10.0),
    Case(MS, (BATCH, LABELS), wrt=()),
    Case(MS, (NEAR, NEAR_LABELS), slope_scale=1.0),
    Case(MS, (NEAR, NEAR_LABELS), {"epsilon": None, "alpha": 5.0, "beta": 10.0, "base": 0.2}, slope_scale=1.0),
    Case(CIRCLE, (BATCH, LABELS), wrt=()),
    Case(CIRCLE, (NEAR, NEAR_LABELS), {"gamma": 16.0, "margin": 0.25}, slope_scale=16.0),
    Case(CIRCLE, (NEAR, NEAR_LABELS), {"constant_weights": True}, wrt=()),
    Case(CIRCLE, (on_the_sphere(NEAR), NEAR_LABELS), {"normalise": False}, slope_scale=80.0),
    Case(CIRCLE, (NEAR, NEAR_LABELS), {"remove_diagonal": False}, slope_scale=80.0),
]

SETTINGS = {
    "multi_similarity": [{"epsilon": None}, {"alpha": 5.0, "beta": 10.0, "base": 0.2}],
    "circle": [
        {"gamma": 16.0, "margin": 0.25, "constant_weights": True},
        {"normalise": False, "remove_diagonal": False},
    ],
}

LIMITS = [
    (MS, [[[0.0, 1.0], [1.0, 0.0]], [0, 0]], [0.0, 0.0], np.zeros((2, 2))),
    (CIRCLE, [[[0.0, 1.0], [1.0, 0.0]], [0, 1]], [0.0, 0.0], np.zeros((2, 2))),
    ("n_pair", [[[0.0, 1.0]], [[1.0, 0.0]], [0]], [0.0], np.zeros((1, 2))),
    ("n_pair", [[[0.0, 1.0], [0.0, 0.0]], [[1.0, 0.0], [1.0, 0.0]], [0, 1]], np.log([2.0, 2.0]), np.zeros((2, 2))),
]  # fmt: skip
