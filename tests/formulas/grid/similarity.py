"""A classifier whose embeddings are to be alike within a class."""

import numpy as np

from grid.pairs import NEAR, NEAR_LABELS
from grid.points import Case

LOGITS = np.array([[1.0, 2.0, 3.0], [20.0, 0.0, 0.0], [0.0, 104.0, 0.0], [1e4, -1e4, 0.0], [0.0, 0.0, 0.0]])
LOGITS = np.stack([LOGITS, LOGITS[::-1]])
NAME = "batch_similarity"

CASES = [
    Case(NAME, (LOGITS, NEAR, NEAR_LABELS), wrt=(0, 1), slope_scale=1.0, value_scale=1.0),
    Case(NAME, (LOGITS, NEAR, NEAR_LABELS), {"strength": 5.0}, wrt=(0, 1), slope_scale=5.0, value_scale=5.0),
]

SETTINGS = {NAME: [{"strength": 0.0}]}

LIMITS = [
    (NAME, [[[0.0, 0.0]], [[3.0, 4.0]], [1]], [np.log(2.0)], [[0.5, -0.5]]),
    (NAME, [[[0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [1.0, 0.0]], [0, 0]], np.log([2.0, 2.0]) + 1.0, [[-0.5, 0.5]] * 2),
    (NAME, [[[0.0, 0.0]], [[3.0, 4.0]], [2]], [np.nan], None),
]  # fmt: skip
