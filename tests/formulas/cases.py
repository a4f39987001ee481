"""The grid on which every formula is judged: ordinary points, kinks, saturation, and several keyword settings.

A grid, not a draw: each point is there because something breaks near it. The points are rounded to float32 first,
so that one answer of the textbook judges float32 and float64.
"""

from dataclasses import dataclass, field
from functools import cache, partial
from itertools import product
from typing import Any

import numpy as np
import textbook

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

    `slope_scale` is the size of the terms that cancel in the gradient: 1 where it is p - t with t inside (0, 1).
    `digits` is what the textbook needs beyond its own: x / log 10 for the 1 - p of a logit x.
    """

    name: str
    arrays: tuple[np.ndarray, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    wrt: tuple[int, ...] = (0,)
    slope_scale: float = 0.0
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


def binary_cases():
    logits, probs = cross(LOGITS, [0.0, 1.0, 0.3]), cross(PROBS, [0.0, 1.0, 0.3])
    inner = cross([1e-12, *PROBS[1:]], [0.0, 1.0, 0.3])  # at 1e-30 a part of the focal slope underflows in float32
    ends = np.array([0.0, 1.0])
    return [
        Case("binary_cross_entropy", logits, digits=4400),
        Case("binary_cross_entropy", logits, {"pos_weight": 3.5}, digits=4400),
        Case("binary_cross_entropy", probs, {"pred_is": "prob"}),
        Case("binary_cross_entropy", (ends, ends), {"pred_is": "prob", "pos_weight": 2.0}, wrt=()),
        *(Case("binary_focal", logits, {"gamma": gamma}, digits=4400) for gamma in (0.0, 0.5, 2.0, 5.0)),
        Case("binary_focal", logits, {"gamma": 2.0, "alpha": 0.25}, digits=4400),
        *(Case("binary_focal", inner, {"pred_is": "prob", "gamma": gamma}) for gamma in (0.0, 0.5, 2.0)),
    ]


def softmax_cases():
    labelled, shared = cross(ROWS, [0, 1, 2, 3]), cross(ROWS, SHARES)
    weights = [1.0, 2.5, 0.0, 0.5]
    probs = cross(PROB_ROWS, [0, 1, 2, 3])
    logs = (np.log(probs[0]), probs[1])
    name = "softmax_cross_entropy"
    return [
        Case(name, labelled),
        Case(name, shared, slope_scale=1.0),
        Case(name, labelled, {"class_weight": weights}),
        Case(name, shared, {"class_weight": weights}, slope_scale=1.0),
        Case(name, labelled, {"label_smoothing": 0.1}, slope_scale=1.0),
        Case(name, shared, {"label_smoothing": 0.1}, slope_scale=1.0),
        Case(name, labelled, {"class_weight": weights, "label_smoothing": 0.1}, slope_scale=1.0),
        Case(name, probs, {"pred_is": "prob"}),
        Case(name, logs, {"pred_is": "log_prob", "class_weight": weights}),
        *(Case("softmax_focal", labelled, {"gamma": gamma}) for gamma in (0.0, 0.5, 2.0, 5.0)),
        Case("softmax_focal", labelled, {"alpha": weights}),
        *(Case("softmax_focal", probs, {"pred_is": "prob", "gamma": gamma}) for gamma in (0.0, 0.5, 2.0)),
        Case("softmax_focal", shared, {"alpha": 0.25}, slope_scale=1.0),
    ]


def divergence_cases():
    probs = cross(PROB_ROWS, SHARES)
    name = "kl_divergence"
    return [
        Case(name, (np.log(probs[0]), probs[1])),
        Case(name, probs, {"pred_is": "prob"}),
        Case(name, cross(ROWS, SHARES), {"pred_is": "logit"}, slope_scale=1.0),
        Case(name, tuple(np.log(a) for a in cross(PROB_ROWS, PROB_ROWS)), {"log_target": True}),
    ]


def contrastive_cases():
    gaps = [
        [0.0, 0.0, 0.0],
        [0.3, -0.4, 0.0],
        [1e-25, 2e-25, -1e-25],
        [0.375, 0.5, 0.0],
        [30.0, 1.0, -5.0],
        [1e-3, 0.0, 0.0],
    ]
    gap, target = cross(gaps, [0.0, 1.0, 0.3])
    away = np.broadcast_to(np.array([1.0, -2.0, 0.5]), gap.shape)
    near = (gap, np.zeros_like(gap), target)
    kept = np.abs(gap).max(-1) > 1e-2  # rounding swallows the smaller gaps
    far = (gap[kept] + away[kept], away[kept].copy(), target[kept])
    return [
        Case("contrastive", arrays, {"margin": m}, wrt=(0, 1), slope_scale=KINK)
        for arrays in (near, far)
        for m in (1.0, 0.625)
    ]


CASES = [*residual_cases(), *binary_cases(), *softmax_cases(), *divergence_cases(), *contrastive_cases()]


def exactly(x: np.ndarray) -> Any:
    """One argument of one sample for the textbook: a number, a list of numbers, or a label."""
    if x.dtype.kind in "iu":
        return int(x)
    return [textbook.mp.mpf(float(v)) for v in x] if x.ndim else textbook.mp.mpf(float(x))


@cache
def truth(case: Case, wrt: int | None = None) -> np.ndarray:
    """The values by the textbook, or the gradient with respect to one argument."""
    function = partial(getattr(textbook, case.name), **case.settings)
    held = case.held("float64")
    results = []
    for i in range(len(held[0])):
        extra = case.digits if np.abs(held[0][i]).max() > 900 else 0
        with textbook.mp.workdps(textbook.DIGITS + extra):
            sample = [exactly(np.asarray(a[i])) for a in held]
            results.append(function(*sample) if wrt is None else textbook.gradient(function, sample, wrt))
    return np.array(results, dtype=object)


@cache
def value_scale(case: Case) -> np.ndarray | None:
    """The size of the terms that cancel in a value: those of the divergence, t log t against t log p."""
    if case.name != "kl_divergence":
        return None
    cost = partial(textbook.softmax_cross_entropy, pred_is=case.settings.get("pred_is", "log_prob"))
    pred, target = case.held("float64")
    if case.settings.get("log_target"):
        target = np.exp(target)
    rows = zip(pred, target, strict=True)
    return np.array([cost(exactly(p), exactly(t)) for p, t in rows], dtype=object)
