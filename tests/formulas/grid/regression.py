"""Losses of the residual."""

import numpy as np

from grid.points import KINK, RESIDUALS, Case


def residual_cases():
    pred = np.array([*RESIDUALS, 1.25, 1.0, 100.5])
    target = np.array([0.0] * len(RESIDUALS) + [1.0, 1.25, 100.0])
    settings = {
        "squared_error": [{}],
        "absolute_error": [{}],
        "huber": [{}, {"delta": 0.01}, {"delta": 20.0}],
        "asymmetric_squared_error": [{"under": 4.0, "over": 0.5}, {}],
        "log_cosh": [{}],
    }
    return [Case(n, (pred, target), s, slope_scale=KINK) for n, each in settings.items() for s in each]


CASES = residual_cases()

SETTINGS = {
    "huber": [{"delta": 0.3}, {"delta": 4.0}],
    "asymmetric_squared_error": [{"under": 5.0, "over": 0.25}],
}

LIMITS = [
    ("huber", [np.inf, 0.0], np.inf, 1.0),
    ("huber", [-np.inf, 0.0], np.inf, -1.0),
    ("log_cosh", [np.inf, 0.0], np.inf, 1.0),
    ("absolute_error", [-np.inf, 0.0], np.inf, -1.0),
    ("squared_error", [-np.inf, 0.0], np.inf, -np.inf),
]  # fmt: skip
