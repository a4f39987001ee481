"""Total variation: flat, steps along one axis and both, tiny and large ones."""

import numpy as np

from grid.points import Case

rng = np.random.default_rng(1)
PLANES = np.array(
    [
        np.zeros((3, 4)),
        np.full((3, 4), 7.0),
        rng.normal(0, 1, (3, 4)),
        np.arange(12.0).reshape(3, 4),
        np.repeat([[0.0, 1.0, 1.0, 0.0]], 3, 0),
        1e-25 * rng.normal(0, 1, (3, 4)),
        1e25 * rng.normal(0, 1, (3, 4)),
        np.eye(3, 4) + 1e-3 * rng.normal(0, 1, (3, 4)),
    ]
)

# the slopes of both neighbours cancel: each is at most 1
CASES = [Case("total_variation", (PLANES,), {"norm": norm}, slope_scale=1.0) for norm in ("l1", "l2")]

SETTINGS = {"total_variation": [{"norm": "l2"}]}

LIMITS = [
    ("total_variation", [[[2.0]]], [[0.0]], [[0.0]]),
    ("total_variation", [[[np.inf, 0.0]]], [[np.inf, 0.0]], None),
    ("total_variation", [[[np.nan, 0.0]]], [[np.nan, 0.0]], None),
]
