"""Negative log-likelihoods."""

from functools import partial

import numpy as np
from textbook.numbers import mp

from grid.points import LOGITS, Case, cross

LOG_RATES = [x for x in LOGITS if x < 88.0]
COUNTS = [0.0, 1.0, 3.0]
VARIANCES = [1e-6, 0.3, 1.0, 50.0, 2e4]


def rate_terms(log_input, pred, target):
    """The size of the terms that cancel: the rate against t log rate and log t!."""
    rate, log_rate = (mp.exp(pred), pred) if log_input else (pred, mp.log(pred))
    return rate + target * (abs(log_rate) + (abs(mp.log(target)) + 1 if target else 0))


def normal_terms(pred, target, variance):
    return abs(mp.log(variance)) + (pred - target) ** 2 / variance + 2


def likelihood_cases():
    logs, rates = cross(LOG_RATES, COUNTS), cross([1e-30, 1e-6, 0.1, 1.0, 3.0, 100.0, 1e4], [*COUNTS, 2.5, 1e4])
    residual, variance = cross([0.0, 3e-6, -0.25, 3.0, -100.0, 1e4], VARIANCES)
    normal = (residual, np.zeros_like(residual), variance)
    tight = (np.array([0.0, 3e-6, 1.0]), np.array([0.0, 0.0, 1.0]), np.array([1e-12, 1e-12, 1e-30]))
    beta = [Case("gaussian_nll", normal, {"beta": b}) for b in (0.5, 1.0)]
    return [
        Case("poisson_nll", logs, value_scale=partial(rate_terms, True), slope_scale=1.0, digits=10),
        Case("poisson_nll", logs, {"full": True}, value_scale=partial(rate_terms, True), slope_scale=1.0, digits=10),
        Case("poisson_nll", rates, {"log_input": False}, value_scale=partial(rate_terms, False), slope_scale=1.0),
        Case("gaussian_nll", normal, value_scale=normal_terms, wrt=(0, 1, 2)),
        Case("gaussian_nll", normal, {"full": True}, value_scale=normal_terms, wrt=(0, 2)),
        Case("gaussian_nll", tight, value_scale=normal_terms, wrt=(0, 2)),
        *beta,
    ]


CASES = likelihood_cases()

SETTINGS = {
    "poisson_nll": [{"log_input": False}, {"full": True}],
    "gaussian_nll": [{"full": True}, {"beta": 0.5}],
}

LIMITS = [
    ("poisson_nll", [-np.inf, 0.0], 0.0, 0.0),
    ("poisson_nll", [np.inf, 3.0], np.inf, None),
    ("gaussian_nll", [np.inf, 0.0, 1.0], np.inf, np.inf),
]  # fmt: skip
