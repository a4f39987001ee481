"""Losses for quantiles and expectiles."""

import numpy as np

from keras_cases.data import Arrays, N, case, normal, real


def several(g: np.random.Generator) -> Arrays:
    return normal(g, N), normal(g, N, 3)


CASES = [
    case("quantile", "Quantile", real, quantile=0.8),
    case("quantiles", "Quantile", several, quantile=[0.1, 0.5, 0.9]),
    case("expectile", "Expectile", real, expectile=0.8),
]
