"""Losses of triplets of embeddings."""

import numpy as np

from grid.points import KINK, Case

# anchors with a farther negative, a nearer one, far away, tiny, and two equal points
ANCHOR = np.array([[0.0, 0.0, 0.0], [1.0, -2.0, 0.5], [0.0, 0.0, 0.0], [1e-25, 0.0, 2e-25], [3.0, 3.0, 3.0]])
POSITIVE = np.array([[0.3, 0.4, 0.0], [1.5, -2.0, 0.5], [30.0, 1.0, -5.0], [0.0, 1e-25, 0.0], [3.0, 3.0, 3.0]])
NEGATIVE = np.array([[0.0, 0.9, 0.0], [1.0, 4.0, 0.5], [20.0, 4.0, -1.0], [2e-25, 0.0, 0.0], [3.0, 3.5, 3.0]])
# clusters that lie apart and overlap, and an anchor without a positive
BATCH = np.array(
    [
        [[0.0, 0.0, 0.0], [0.5, 1.0, 0.0], [1.0, -1.0, 0.5], [2.0, 0.0, 1.0], [-1.0, 2.0, 0.0], [0.25, 0.0, -1.5]],
        [[5.0, 0.0, 0.0], [6.0, 1.0, 0.0], [0.0, 5.0, 0.5], [0.0, 6.0, 1.0], [9.0, 9.0, 0.0], [5.0, 0.5, 1.0]],
    ]
)
LABELS = np.array([[0, 0, 1, 1, 0, 2], [0, 0, 1, 1, 2, 1]])
NUMBER = "sums and roots of distances out of a Gram matrix: an ulp is one of the squared length of an embedding"

CASES = [
    Case("triplet_margin", (ANCHOR, POSITIVE, NEGATIVE), {"margin": 0.25}, wrt=(0, 1, 2), slope_scale=1.0),
    Case("triplet_margin", (ANCHOR, POSITIVE, NEGATIVE), {"swap": True}, wrt=(0, 1, 2), slope_scale=1.0),
    Case("triplet_mined", (BATCH, LABELS), {"mining": "batch_hard"}, slope_scale=1.0),
    Case("triplet_mined", (1e-20 * BATCH, LABELS), {"mining": "batch_hard", "margin": 1e-20}, slope_scale=1.0),
    Case("triplet_mined", (BATCH, LABELS), {"mining": "batch_all"}, slope_scale=1.0, value_scale=10.0),
    Case("triplet_mined", (BATCH, LABELS), {"mining": "batch_all", "margin": 0.25}, slope_scale=1.0, value_scale=10.0),
    Case("triplet_mined", (BATCH, LABELS), {"mining": "semi_hard"}, slope_scale=1.0, value_scale=10.0),
]

SETTINGS = {
    "triplet_margin": [{"margin": 0.25, "swap": True}],
    "triplet_mined": [{"margin": 0.25, "mining": "batch_all"}, {"mining": "semi_hard"}],
}

LIMITS = [
    ("triplet_margin", [[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]], 1.0, [0.0, 0.0]),
    ("triplet_margin", [[0.0, 0.0], [3e307, 0.0], [3e307, 0.0]], 1.0, [0.0, 0.0]),
    ("triplet_margin", [[0.0, 0.0], [1.0, 0.0], [np.inf, 0.0]], 0.0, None),
    ("triplet_mined", [[[0.0], [1.0]], [0, 0]], [0.0, 0.0], [[0.0], [0.0]]),
    ("triplet_mined", [[[0.0], [1.0]], [0, 1]], [0.0, 0.0], [[0.0], [0.0]]),
]  # fmt: skip
