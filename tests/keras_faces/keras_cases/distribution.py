"""Losses between distributions."""

from keras_cases.data import case, distributions

CASES = [
    case("kl", "KLDivergence", distributions),
]
