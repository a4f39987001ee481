"""Losses that draw two views together and the dimensions of an embedding apart."""

import numpy as np

from grid.points import Case
from grid.selfsupervised import FIRST, SECOND

FOURTH = np.array([[[0.5, -0.5, 1.0]], [[0.9, 0.0, 0.02]], [[-2.0, 0.5, 1.0]], [[0.0, 1.0, 0.0]]])
ONE, TWO = np.concatenate([FIRST, FOURTH], 1), np.concatenate([SECOND, FOURTH[::-1]], 1)
LARGE = np.array([1.0, 1e-15, 1e15, 1e-3])[:, None, None]


def redundancy_cases():
    weights = {"invariance_weight": 1.0, "variance_weight": 3.0, "covariance_weight": 2.0, "gamma": 2.25}
    return [
        Case("barlow_twins", (ONE, TWO), wrt=(0, 1), slope_scale=1.0),
        Case("barlow_twins", (ONE * LARGE, TWO / LARGE), {"off_diagonal_weight": 1.0}, wrt=()),
        Case("vicreg", (ONE, TWO), wrt=(0, 1), slope_scale=1.0),
        Case("vicreg", (ONE, TWO), {**weights, "eps": 0.0}, wrt=(0, 1), slope_scale=1.0),
        Case("vicreg", (1e-15 * ONE, 1e-15 * TWO), {"eps": 0.0}, slope_scale=1.0),
    ]


CASES = redundancy_cases()

SETTINGS = {
    "barlow_twins": [{"off_diagonal_weight": 1.0}],
    "vicreg": [
        {"invariance_weight": 1.0, "variance_weight": 0.0, "covariance_weight": 3.0},
        {"gamma": 4.0, "eps": 0.0},
    ],
}

SAME = [[0.1, 1.0], [0.1, 1.0], [0.1, 1.0]]  # the mean of three 0.1 is not 0.1
ONCE = [[1.0, 2.0]]

LIMITS = [
    ("barlow_twins", [SAME, SAME], 2.0, np.zeros((3, 2))),
    ("barlow_twins", [ONCE, ONCE], 0.0, [[0.0, 0.0]]),
    ("vicreg", [SAME, SAME], 25.0 * 2 * 0.99, np.zeros((3, 2))),
    ("vicreg", [ONCE, ONCE], 0.0, [[0.0, 0.0]]),
    ("vicreg", [ONCE, [[0.0, 0.0]]], 62.5, [[25.0, 50.0]]),
]  # fmt: skip
