"""Losses whose best constant prediction is a quantile or an expectile."""

import numpy as np

from grid.points import KINK, RESIDUALS, Case
from grid.robust import against_zero


def quantile_cases():
    points = against_zero(RESIDUALS)
    rows = np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0], [-1e-30, 1e-20, 1e4], [5.0, -5.0, 0.5]])
    targets = np.array([0.0, 2.0, 0.0, 0.5])
    levels = {"quantile": [0.001, 0.3, 0.999]}
    return [
        *(Case("quantile", points, {"quantile": q}) for q in (0.5, 0.001, 0.9)),
        Case("quantiles", (rows, targets)),
        Case("quantiles", (rows, targets), levels, wrt=(0, 1), slope_scale=1.0),
        *(Case("expectile", points, {"expectile": q}, slope_scale=KINK) for q in (0.5, 0.001, 0.9)),
    ]


CASES = quantile_cases()

SETTINGS = {
    "quantile": [{"quantile": 0.1}, {"quantile": 0.9}],
    "quantiles": [{"quantile": (0.05, 0.5, 0.99)}],
    "expectile": [{"expectile": 0.1}, {"expectile": 0.9}],
}

SIZES = {"quantiles": {"Q": 3}}

LIMITS = [
    ("quantile", [np.inf, 0.0], np.inf, 0.5),
    ("quantile", [-np.inf, 0.0], np.inf, -0.5),
    ("quantile", [np.nan, 0.0], np.nan, None),
    ("quantiles", [[0.0, 0.0, np.inf], 0.0], np.inf, None),
    ("expectile", [np.inf, 0.0], np.inf, None),
]  # fmt: skip
