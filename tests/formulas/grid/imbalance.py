"""Losses for classes of very different sizes."""

import numpy as np

from grid.points import ROWS, SHARES, Case, cross

labelled, shared = cross(ROWS, [0, 1, 3]), cross(ROWS, SHARES[1:4])
COUNTS = np.array([5000.0, 1.0, 40.0, 700.0])
FEW = np.array([3.0, 0.0, 3.0, 1.0])
NONE = np.zeros(4)
COSINES = [[0.75, 0.25, -0.5, 0.0], [1.0, -1.0, 0.5, 0.125], [-1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
WEIGHT = [0.5, 2.0, 1.0, 0.0]


def imbalance_cases():
    adjusted, balanced = "logit_adjusted", "class_balanced"
    sure = cross(COSINES, [0, 1, 2, 3])
    return [
        *(Case(adjusted, (*labelled, COUNTS), {"tau": tau}) for tau in (0.0, 1.0, 1.5)),
        Case(adjusted, (*shared, COUNTS), slope_scale=1.0),
        Case(adjusted, (*cross(ROWS, [0, 2]), FEW)),
        Case(adjusted, (*cross(ROWS, [0, 2]), NONE)),
        *(Case(balanced, (*labelled, COUNTS), {"beta": beta}) for beta in (0.0, 0.9, 0.9999)),
        Case(balanced, (*labelled, COUNTS), {"base": "focal", "gamma": 0.5}),
        Case(balanced, (*shared, FEW), slope_scale=1.0),
        Case(balanced, (*labelled, NONE)),
        Case("ldam", (*sure, COUNTS)),
        Case("ldam", (*sure, FEW), {"max_margin": 0.3, "scale": 8.0, "class_weight": WEIGHT}),
        Case("ldam", (*labelled, COUNTS), {"scale": 1.0}),
        Case("ldam", (*sure, NONE), {"max_margin": 0.0}),
    ]


CASES = imbalance_cases()
SETTINGS = {
    "logit_adjusted": [{"tau": 0.0}, {"tau": 2.0}],
    "class_balanced": [{"beta": 0.0}, {"beta": 0.99}, {"base": "focal", "gamma": 0.5}],
    "ldam": [{"max_margin": 0.0}, {"max_margin": 2.0, "scale": 3.0}, {"class_weight": [1.0, 2.0, 0.5, 3.0]}],
}
LIMITS = [
    ("logit_adjusted", [[0.0, -np.inf], 0, [3.0, 1.0]], 0.0, [0.0, 0.0]),
    ("logit_adjusted", [[0.0, 5.0, 0.0], 0, [1.0, 0.0, 1.0]], np.log(2), [-0.5, 0.0, 0.5]),
    ("logit_adjusted", [[0.0, 5.0], 1, [1.0, 0.0]], np.inf, [1.0, -1.0]),
    ("logit_adjusted", [[7.0], 0, [4.0]], 0.0, [0.0]),
    ("class_balanced", [[0.0, 0.0, -np.inf], 0, [2.0, 2.0, 2.0]], np.log(2), [-0.5, 0.5, 0.0]),
    ("class_balanced", [[0.0, 0.0], 1, [1.0, 0.0]], 0.0, [0.0, 0.0]),
    ("class_balanced", [[7.0], 0, [4.0]], 0.0, [0.0]),
    ("ldam", [[7.0], 0, [4.0]], 0.0, [0.0]),
    ("ldam", [[0.5, 0.0, -np.inf], 0, [1.0, 1.0, 0.0]], np.log(2), [-15.0, 15.0, 0.0]),
]  # fmt: skip

ROUGH = {"logit_adjusted": "what is added to a logit rounds, and e^x magnifies it by the size of x"}
