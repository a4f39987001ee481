"""Losses of triplets of embeddings."""

import numpy as np

from grid.points import Case

# anchors with a farther negative, a nearer one, far away, tiny, and two equal points
ANCHOR = np.array([[0.0, 0.0, 0.0], [1.0, -2.0, 0.5], [0.0, 0.0, 0.0], [1e-25, 0.0, 2e-25], [3.0, 3.0, 3.0]])
POSITIVE = np.array([[0.3, 0.4, 0.0], [1.5, -2.0, 0.5], [30.0, 1.0, -5.0], [0.0, 1e-25, 0.0], [3.0, 3.0, 3.0]])
NEGATIVE = np.array([[0.0, 0.9, 0.0], [1.0, 4.0, 0.5], [20.0, 4.0, -1.0], [3e-25, 0.0, 0.0], [3.0, 3.5, 3.0]])
# clusters that lie apart and overlap, and an anchor without a positive; no two distances are equal
BATCH = np.array(
    [
        [[0.0, 0.0, 0.0], [0.5, 1.0, 0.0], [1.0, -1.125, 0.5], [2.0, 0.25, 1.0], [-1.0, 2.1, 0.0], [0.3, 0.0, -1.5]],
        [[5.0, 0.0, 0.0], [6.0, 1.0, 0.0], [0.0, 5.0, 0.6], [0.0, 6.5, 1.0], [9.0, 9.0, 0.0], [5.0, 0.55, 1.25]],
    ]
)
LABELS = np.array([[0, 0, 1, 1, 0, 2], [0, 0, 1, 1, 2, 1]])
# two tight clusters far from the origin, whose own distances a Gram matrix about the origin would lose
TIGHT = np.array([[[100.0, 7.0, 0.0], [100.0, 8.0, 0.0], [99.0, -3.0, 0.5], [98.0, -3.5, 0.5], [100.0, 7.375, 0.25]]])
TIGHT_LABELS = np.array([[0, 0, 1, 1, 0]])
WAYS = ("batch_all", "batch_hard", "semi_hard")
GIVEN, SWAPPED = (ANCHOR, POSITIVE, NEGATIVE), (ANCHOR[:4], POSITIVE[:4], NEGATIVE[:4])  # without the tie of a swap
MINED = "triplet_mined"

CASES = [
    Case("triplet_margin", GIVEN, {"margin": 0.25}, wrt=(0, 1, 2), slope_scale=1.0),
    Case("triplet_margin", SWAPPED, {"swap": True}, wrt=(0, 1, 2), slope_scale=1.0),
    Case("triplet_margin", GIVEN, {"p": 1}, wrt=(0, 1, 2), slope_scale=1.0),
    Case(MINED, (BATCH, LABELS), {"mining": "batch_hard"}, slope_scale=1.0),
    Case(MINED, (1e-20 * BATCH, LABELS), {"mining": "batch_hard", "margin": 1e-20}, slope_scale=1.0),
    Case(MINED, (BATCH, LABELS), {"mining": "batch_all"}, slope_scale=1.0, value_scale=10.0),
    Case(MINED, (BATCH, LABELS), {"mining": "batch_all", "margin": 0.3}, slope_scale=1.0, value_scale=10.0),
    Case(MINED, (BATCH, LABELS), {"mining": "semi_hard"}, slope_scale=1.0, value_scale=10.0),
    *(Case(MINED, (TIGHT, TIGHT_LABELS), {"mining": m, "margin": 15.0}, slope_scale=1.0) for m in WAYS),
]

SETTINGS = {
    "triplet_margin": [{"margin": 0.25, "swap": True}, {"p": 1}],
    "triplet_mined": [{"margin": 0.25, "mining": "batch_all"}, {"mining": "semi_hard"}],
}

LIMITS = [
    ("triplet_margin", [[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]], 1.0, [0.0, 0.0]),
    ("triplet_margin", [[0.0, 0.0], [3e307, 0.0], [3e307, 0.0]], 1.0, None),
    ("triplet_margin", [[0.0, 0.0], [1.0, 0.0], [np.inf, 0.0]], 0.0, None),
    ("triplet_mined", [[[0.0], [1.0]], [0, 0]], [0.0, 0.0], [[0.0], [0.0]]),
    ("triplet_mined", [[[0.0], [1.0]], [0, 1]], [0.0, 0.0], [[0.0], [0.0]]),
]  # fmt: skip
