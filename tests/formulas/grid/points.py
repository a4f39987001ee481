"""Points at which something breaks, and the case that puts a formula on them."""

from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from judge import DTYPES

RESIDUALS = [0.0, 1e-30, 1e-20, 1e-6, 1e-4, 1e-2, 0.5, 0.999, 1.0, 1.001, 2.0, 5.0, 17.0, 88.0, 89.0, 355.0, 1e4]
RESIDUALS = [sign * r for r in RESIDUALS for sign in (1, -1)]
# 17 and 37: where 1 + e^-x rounds to 1; 88 and 745: where e^x overflows and e^-x underflows
LOGITS = [0.0, 1e-30, 1e-6, 0.1, 0.7, 1.0, 5.0, 16.5, 17.5, 20.0, 36.0, 38.0, 87.0, 104.0, 740.0, 1e4]
LOGITS = [sign * x for x in LOGITS for sign in (1, -1)]
PROBS = [1e-30, 1e-6, 0.1, 0.5, 0.9, 1 - 1e-6]
ROWS = [
    [0.0, 0.0, 0.0, 0.0],
    [1.0, 2.0, 3.0, 4.0],
    [20.0, 0.0, 0.0, 0.0],
    [0.0, 104.0, 0.0, -104.0],
    [1e4, 1e4 + 0.5, 1e4 - 1.0, 0.0],
    [1e4, -1e4, 0.0, 0.0],
    [50.0, 50.0, -50.0, 0.0],
    [-1e-6, 1e-6, 0.0, 1e-30],
    [-700.0, -703.0, -701.0, -702.5],
]
SHARES = [
    [1.0, 0.0, 0.0, 0.0],
    [0.5, 0.5, 0.0, 0.0],
    [0.25, 0.25, 0.25, 0.25],
    [0.1, 0.2, 0.3, 0.4],
    [0.0, 0.0, 0.0, 1.0],
]
PROB_ROWS = [[0.25, 0.25, 0.25, 0.25], [1e-30, 0.5, 0.25, 0.25], [0.7, 0.1, 0.1, 0.1], [0.999, 1e-6, 1e-9, 1e-3]]

KINK = 1e-40  # where the curvature jumps the central difference is off by its step of 1e-60, far below this


@dataclass(frozen=True, eq=False)
class Case:
    """One formula at one setting on one set of arguments; `wrt` are the arguments to differentiate by.

    Arguments have one batch axis, but for those that the formula shares over the batch.

    `value_scale` and `slope_scale` are the size of the terms that cancel, in the value and in the gradient: 1 for
    p - t with t inside (0, 1); the value's may be a function of one sample's arguments.
    `digits` is what the textbook needs beyond its own: x / log 10 for the 1 - p of a logit x.
    """

    name: str
    arrays: tuple[np.ndarray, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    wrt: tuple[int, ...] = (0,)
    slope_scale: float = 0.0
    value_scale: Any = None
    digits: int = 0

    def __repr__(self) -> str:
        return "-".join([self.name, *(f"{k}={v}".replace(" ", "") for k, v in self.settings.items())])

    def held(self, dtype: str) -> tuple[np.ndarray, ...]:
        """The arguments as the dtype holds them, float64 what float32 holds; labels stay integers."""
        return tuple(a.astype("f4").astype(DTYPES[dtype]) if a.dtype.kind == "f" else a for a in self.arrays)


def cross(first: list, second: list) -> tuple[np.ndarray, ...]:
    """Every pair out of two lists, as two arrays."""
    pairs = list(product(first, second))
    return np.array([a for a, _ in pairs]), np.array([b for _, b in pairs])
