"""Penalties on a gradient."""

import numpy as np

from grid.points import KINK, Case

SLOPES = np.array(
    [
        [0.0, 0.0, 0.0],
        [1e-25, -2e-25, 0.0],
        [1e-3, 0.0, 2e-3],
        [0.25, -0.25, 0.125],
        [3.0, 4.0, 0.0],
        [-20.0, 1.0, 5.0],
        [1e15, -1e15, 3e14],
    ]
)


def size(*sample):
    """Of the two terms that cancel near |g| = norm, the larger."""
    return max(1, sum(v**2 for v in sample[0]))


def penalty_cases():
    name = "gradient_penalty"
    return [
        Case(name, (SLOPES,), slope_scale=KINK, value_scale=size),
        Case(name, (SLOPES,), {"norm": 2.5, "one_sided": True}, slope_scale=KINK, value_scale=size),
        Case("zero_centred_penalty", (SLOPES,), slope_scale=KINK),
    ]


CASES = penalty_cases()

SETTINGS = {"gradient_penalty": [{"norm": 0.5}, {"norm": 2.0, "one_sided": True}]}

LIMITS = [
    ("gradient_penalty", [[0.0, 0.0]], 1.0, [0.0, 0.0]),
    ("gradient_penalty", [[np.inf, 0.0]], np.inf, None),
    ("gradient_penalty", [[np.nan, 0.0]], np.nan, None),
    ("zero_centred_penalty", [[0.0, 0.0]], 0.0, [0.0, 0.0]),
]  # fmt: skip
