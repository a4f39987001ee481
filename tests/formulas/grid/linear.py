"""Cross-entropy with its linear layer. The products are integers and halves, so that no logit is rounded."""

import numpy as np

from grid.points import Case

CLASSES = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.5, -0.5, 1.0], [-1.0, 0.0, 2.0]])
HIDDEN = np.array([[2.0, 0.0, 0.0], [-3.0, 1.0, 0.0], [20.0, -8.0, 4.0], [0.0, 0.0, 0.0], [1.0, 2.0, 3.0]])
TARGET = np.array([0, 0, 1, 2, 3])
ROWS = HIDDEN, TARGET, CLASSES
BIAS = [0.5, -1.0, 0.0, 2.0]
NAME = "linear_cross_entropy"

CASES = [
    Case(NAME, ROWS, wrt=(0, 2), slope_scale=1.0),
    Case(NAME, ROWS, {"bias": BIAS, "label_smoothing": 0.125}, wrt=(0,), slope_scale=4.0),
    Case(NAME, ROWS, {"z_weight": 0.25}, wrt=(0,), slope_scale=16.0, value_scale=1.0),
    Case(NAME, ROWS, {"soft_cap": 8.0}, wrt=(0,), slope_scale=1.0, value_scale=8.0),
]
SETTINGS = {NAME: [{"label_smoothing": 0.125}, {"z_weight": 0.25, "soft_cap": 8.0}, {"bias": BIAS}]}
TWO = [[1.0, 0.0], [0.0, 1.0]]
LIMITS = [
    (NAME, [[0.0, 0.0], 0, TWO], np.log(2.0), [-0.5, 0.5]),
    (NAME, [[0.0, 1.0], 2, TWO], np.nan, None),
    (NAME, [[0.0, 1.0], 0, TWO[:1]], 0.0, [0.0, 0.0]),
]  # fmt: skip
