"""Poly-1."""

import numpy as np

from grid.points import PROB_ROWS, ROWS, SHARES, Case, cross

labelled, shared, probs = cross(ROWS, [0, 1, 3]), cross(ROWS, SHARES[1:4]), cross(PROB_ROWS, [0, 1])
NAME = "poly_cross_entropy"
CASES = [
    *(Case(NAME, labelled, {"epsilon": epsilon}) for epsilon in (-1.0, -0.5, 0.0, 1.0, 6.0)),
    Case(NAME, shared, slope_scale=1.0),
    Case(NAME, shared, {"epsilon": -1.0}, slope_scale=1.0),
    *(Case(NAME, probs, {"pred_is": "prob", "epsilon": epsilon}) for epsilon in (-1.0, 2.0)),
]
SETTINGS = {NAME: [{"epsilon": -1.0}, {"epsilon": -0.3}, {"epsilon": 4.0}, {"pred_is": "prob"}]}
LIMITS = [
    (NAME, [[1.0, -np.inf, -np.inf], 0], 0.0, [0.0, 0.0, 0.0]),
    (NAME, [[0.0, 0.0, -np.inf], 0], np.log(2) + 0.5, [-0.75, 0.75, 0.0]),
    (NAME, [[0.0, -np.inf], 1], np.inf, None),
    (NAME, [[7.0], 0], 0.0, [0.0]),
]
