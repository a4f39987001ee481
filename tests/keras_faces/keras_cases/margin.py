"""Hinge losses."""

import numpy as np

from keras_cases.data import Arrays, C, N, binary, case, normal, one_hot


def signs(g: np.random.Generator) -> Arrays:
    return g.choice([-1.0, 1.0], (N, C)).astype("float32"), normal(g, N, C)


CASES = [
    case("hinge", "Hinge", signs),
    case("hinge 0 1", "Hinge", binary),
    case("squared hinge", "SquaredHinge", signs),
    case("squared hinge 0 1", "SquaredHinge", binary),
    case("categorical hinge", "CategoricalHinge", one_hot),
]
