"""Losses of pairs of embeddings."""

import numpy as np

from grid.points import KINK, Case, cross


def contrastive_cases():
    gaps = [
        [0.0, 0.0, 0.0],
        [0.3, -0.4, 0.0],
        [1e-25, 2e-25, -1e-25],
        [0.375, 0.5, 0.0],
        [30.0, 1.0, -5.0],
        [1e-3, 0.0, 0.0],
    ]
    gap, target = cross(gaps, [0.0, 1.0, 0.3])
    away = np.broadcast_to(np.array([1.0, -2.0, 0.5]), gap.shape)
    near = (gap, np.zeros_like(gap), target)
    kept = np.abs(gap).max(-1) > 1e-2  # rounding swallows the smaller gaps
    far = (gap[kept] + away[kept], away[kept].copy(), target[kept])
    return [
        Case("contrastive", arrays, {"margin": m}, wrt=(0, 1), slope_scale=KINK)
        for arrays in (near, far)
        for m in (1.0, 0.625)
    ]


CASES = contrastive_cases()

SETTINGS = {
    "contrastive": [{"margin": 3.0}],
}

LIMITS = [
    ("contrastive", [[1.0, 2.0], [1.0, 2.0], 0.0], 0.5, [0.0, 0.0]),
    ("contrastive", [[1.0, 2.0], [1.0, 2.0], 1.0], 0.0, [0.0, 0.0]),
    ("contrastive", [[np.inf, 0.0], [0.0, 0.0], 1.0], np.inf, None),
    ("contrastive", [[1e300, 0.0], [0.0, 0.0], 0.0], 0.0, [0.0, 0.0]),
    ("contrastive", [[np.nan, 0.0], [0.0, 0.0], 0.0], np.nan, None),
]  # fmt: skip
