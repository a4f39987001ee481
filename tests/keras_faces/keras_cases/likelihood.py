"""Negative log-likelihoods."""

import numpy as np

from keras_cases.data import Arrays, N, case, normal


def rates(g: np.random.Generator) -> Arrays:
    return g.poisson(2.0, (N, 3)).astype("float32"), g.uniform(0.5, 4.0, (N, 3)).astype("float32")


def spread(g: np.random.Generator) -> Arrays:
    mean_and_variance = np.stack([normal(g, N, 3), g.uniform(0.1, 3.0, (N, 3)).astype("float32")], axis=1)
    return normal(g, N, 3), mean_and_variance


CASES = [
    case("poisson", "Poisson", rates),
    case("gaussian nll", "GaussianNLL", spread, full=True, beta=0.5),
]
