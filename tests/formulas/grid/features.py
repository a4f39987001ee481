"""Distances of features: equal, nearly equal, zero, tiny and large ones."""

import numpy as np

from grid.points import Case

rng = np.random.default_rng(2)
ROWS, OTHER = rng.normal(0, 2, (2, 5))
ROW_PAIRS = [(ROWS, OTHER), (ROWS, ROWS), (ROWS, ROWS + 1e-4 * OTHER), (0 * ROWS, ROWS), (1e-15 * ROWS, 1e-15 * OTHER)]
MAP, MAP2 = rng.normal(0, 2, (2, 4, 3))
MAP_PAIRS = [
    (MAP, MAP2),
    (MAP, MAP),
    (MAP, MAP + 1e-4 * MAP2),
    (0 * MAP, MAP),
    (0 * MAP, 0 * MAP),
]


def sides(pairs):
    return tuple(np.array(side) for side in zip(*pairs, strict=True))


CASES = [
    Case("feature_reconstruction", sides(ROW_PAIRS), wrt=(0, 1)),
    # the slopes of the pairs of a channel cancel: each is of the third power of the features
    Case("style_reconstruction", sides(MAP_PAIRS), wrt=(0, 1), slope_scale=1.0),
    Case("style_reconstruction", (1e-6 * MAP[None], 1e-6 * MAP2[None]), slope_scale=1e-18),
    Case("style_reconstruction", (1e6 * MAP[None], 1e6 * MAP2[None]), slope_scale=1e18),
    Case("style_reconstruction", (MAP[None], rng.normal(0, 2, (1, 6, 3))), wrt=(0, 1), slope_scale=1.0),
]

SETTINGS: dict[str, list] = {}
