"""Structural similarity: equal, nearly equal, flat, opposed, bright with little contrast, bytes, enormous."""

import numpy as np

from grid.points import Case

rng = np.random.default_rng(0)
NOISE, OTHER = rng.uniform(0, 1, (2, 5, 6))
RAMP = np.linspace(0, 1, 5)[:, None] * np.linspace(1, 0.5, 6)
FLAT = np.full((5, 6), 0.875)
PAIRS = [
    (NOISE, OTHER),
    (NOISE, NOISE),
    (NOISE, NOISE + 1e-4 * OTHER),
    (NOISE, 1 - NOISE),
    (FLAT, FLAT - 0.125),
    (FLAT + 1e-3 * NOISE, FLAT + 1e-3 * OTHER),
    (RAMP, RAMP.T.ravel().reshape(5, 6)),
    (-NOISE, NOISE),
    (0 * FLAT, 0 * FLAT),
    (1e-6 * NOISE, 1e-6 * OTHER),
]
PRED, TARGET = (np.array(side) for side in zip(*PAIRS, strict=True))
BIG = rng.uniform(0, 1, (2, 1, 11, 12))
SCALES = rng.uniform(0, 1, (2, 2, 6, 9))
SMALL = {"window": 3, "sigma": 1.0}


def similarity_cases():
    two = {"window": 2, "weights": [0.4, 0.6]}
    # the slopes of neighbouring windows cancel: each is about one over a constant
    return [
        Case("ssim", (PRED, TARGET), SMALL, wrt=(0, 1), slope_scale=1.0),
        Case("ssim", (255 * PRED[:7], 255 * TARGET[:7]), {"data_range": 255.0, **SMALL}, slope_scale=0.01),
        Case("ssim", (PRED[:3], TARGET[:3]), {"window": 2, "k1": 0.02, "k2": 0.1}, slope_scale=0.1),
        Case("ssim", (1e15 * PRED[:2], 1e15 * TARGET[:2]), SMALL, slope_scale=1e-15),
        Case("ssim", tuple(BIG), wrt=()),
        Case("ms_ssim", (PRED, TARGET), {"window": 2, "weights": [0.3, 0.7]}, wrt=(0, 1), slope_scale=1.0),
        Case("ms_ssim", tuple(SCALES), {"window": 2, "weights": [0.2, 0.3, 0.5], "sigma": 1.0}, slope_scale=0.1),
        Case("ms_ssim", (255 * PRED[:3], 255 * TARGET[:3]), {"data_range": 255.0, **two}, slope_scale=0.01),
        Case("ms_ssim", (PRED[:3], TARGET[:3]), {"k1": 0.02, "k2": 0.1, **two}, slope_scale=0.1),
    ]


CASES = similarity_cases()

FURTHER = [{"data_range": 4.0}, {"window": 3, "sigma": 0.8}, {"k1": 0.1, "k2": 0.2}]
SETTINGS = {"ssim": FURTHER, "ms_ssim": [*FURTHER, {"weights": [0.4, 0.6]}]}

SIZES = {"ssim": {"H": 11, "W": 13}, "ms_ssim": {"H": 161, "W": 162}}
