"""Losses of the residual that forgive outliers."""

import numpy as np

from grid.points import KINK, RESIDUALS, Case

FEW = [0.0, 1e-30, 1e-6, -1e-3, 0.3, -0.999, 1.0, 1.001, -2.0, 5.0, 17.0, -89.0, 1e4]
# at 2, 0, -inf and close to them; where the branches meet; the named losses between
SHAPES = [2.0, 2 - 1e-6, 2.0 + 1e-9, 3.0, 1.5, 1.0, 1 - 1e-6, 1e-6, 0.0, -1e-6, 0.5, -2.0, -1e6, -np.inf]


def against_zero(points):
    return np.array([*points, 1.25, 1.0, 100.5]), np.array([0.0] * len(points) + [1.0, 1.25, 100.0])


def robust_cases():
    settings = {
        "smooth_l1": [{}, {"beta": 0.01}, {"beta": 20.0}, {"beta": 0.0}],
        "charbonnier": [{}, {"scale": 1e-3}, {"scale": 20.0}],
        "cauchy": [{}, {"scale": 0.01}, {"scale": 20.0}],
        "welsch": [{}, {"scale": 3.0}],
        "geman_mcclure": [{}, {"scale": 3.0}],
    }
    points, few = against_zero(RESIDUALS), against_zero(FEW)
    edges = against_zero([*FEW, 2.82, 2.83, 3.5, 3.99, 3.9999, 4.0, 4.0001, -6.0])  # 4 is a number in float32 too
    return [
        *(Case(name, points, s, slope_scale=KINK) for name, each in settings.items() for s in each),
        Case("tukey", few, slope_scale=KINK),
        Case("tukey", edges, {"cutoff": 4.0}, slope_scale=KINK),
        *(Case("general_robust", few, {"alpha": alpha}, slope_scale=KINK) for alpha in SHAPES),
        Case("general_robust", few, {"alpha": 0.25, "scale": 3.0}, slope_scale=KINK),
        *(Case("adaptive_robust", few, {"alpha": alpha}, slope_scale=KINK) for alpha in (2.0, 2 - 1e-6, 1.0, 0.0)),
        Case("adaptive_robust", few, {"alpha": 0.25, "scale": 3.0}, slope_scale=KINK),
    ]


CASES = robust_cases()

SETTINGS = {
    "smooth_l1": [{"beta": 0.3}, {"beta": 4.0}],
    "charbonnier": [{"scale": 0.3}, {"scale": 4.0}],
    "cauchy": [{"scale": 0.3}, {"scale": 4.0}],
    "welsch": [{"scale": 0.3}, {"scale": 4.0}],
    "geman_mcclure": [{"scale": 0.3}, {"scale": 4.0}],
    "tukey": [{"cutoff": 1.0}],
    "general_robust": [*({"alpha": a} for a in (2.0, 1.5, 0.5, 0.0, -2.0, -np.inf)), {"alpha": 0.5, "scale": 2.0}],
    "adaptive_robust": [{"alpha": 2.0}, {"alpha": 0.0}, {"alpha": 0.5, "scale": 2.0}],
}

LIMITS = [
    ("smooth_l1", [np.inf, 0.0], np.inf, 1.0),
    ("charbonnier", [-np.inf, 0.0], np.inf, -1.0),
    ("cauchy", [np.inf, 0.0], np.inf, 0.0),
    ("welsch", [-np.inf, 0.0], 1.0, 0.0),
    ("geman_mcclure", [np.inf, 0.0], 2.0, 0.0),
    ("tukey", [np.inf, 0.0], 4.685**2 / 6, 0.0),
    ("general_robust", [np.inf, 0.0], np.inf, None),
    ("adaptive_robust", [-np.inf, 0.0], np.inf, None),
    *((name, [np.nan, 0.0], np.nan, None) for name in SETTINGS),
]  # fmt: skip
