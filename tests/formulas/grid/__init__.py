"""The grid on which every formula is judged: ordinary points, kinks, saturation, and several keyword settings.

A grid, not a draw: each point is there because something breaks near it. The points are rounded to float32 first,
so that one answer of the textbook judges float32 and float64.

One family a file. Each may hold

    CASES       the formulas of the family on their points
    SETTINGS    formula: further keyword settings at which its claims are measured, every keyword among them
    LIMITS      (formula, arguments, value, gradient by the first argument): what the docstrings say of the ends
    SIZES       formula: lengths of axes that its generic tests need, such as an image larger than a window
    ROUGH       formula: why it may lose more than 64 ulps
"""

import importlib
import pkgutil
from functools import cache, partial
from typing import Any

import numpy as np
import textbook

from grid.points import Case

FAMILIES = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]


def listed(what: str) -> list[Any]:
    return [entry for family in FAMILIES for entry in getattr(family, what, [])]


def tabled(what: str) -> dict[str, Any]:
    return {name: entry for family in FAMILIES for name, entry in getattr(family, what, {}).items()}


CASES: list[Case] = listed("CASES")
LIMITS: list[tuple[Any, ...]] = listed("LIMITS")
SETTINGS: dict[str, list[dict[str, Any]]] = tabled("SETTINGS")
SIZES: dict[str, dict[str, int]] = tabled("SIZES")
ROUGH: dict[str, str] = tabled("ROUGH")


def exactly(x: np.ndarray) -> Any:
    """One argument of one sample for the textbook: a number, a list (of lists) of numbers, or class numbers."""
    if x.ndim:
        return [exactly(v) for v in x]
    return int(x) if x.dtype.kind in "iu" else textbook.mp.mpf(float(x))


def samples(case: Case) -> list[list[Any]]:
    """The arguments of every sample of a case; what the batch shares comes again with each."""
    from lossmith.shapes import batched
    from lossmith.spec import FORMULAS

    held = case.held("float64")
    own = [batched(patterns[0]) for patterns in FORMULAS[case.name].shapes.arguments]
    return [
        [exactly(np.asarray(a[i] if each else a)) for a, each in zip(held, own, strict=True)]
        for i in range(len(held[0]))
    ]


@cache
def truth(case: Case, wrt: int | None = None) -> np.ndarray:
    """The values by the textbook, or the gradient with respect to one argument."""
    from lossmith.shapes import batched
    from lossmith.spec import FORMULAS

    function = partial(textbook.named(case.name), **case.settings)
    results = []
    for sample in samples(case):
        extra = case.digits if np.abs(np.array(sample[0], dtype=float)).max() > 900 else 0
        with textbook.mp.workdps(textbook.DIGITS + extra):
            results.append(function(*sample) if wrt is None else textbook.gradient(function, sample, wrt))
    shared = wrt is not None and not batched(FORMULAS[case.name].shapes.arguments[wrt][0])
    found = np.array(results, dtype=object)
    return found.sum(0) if shared else found


@cache
def value_scale(case: Case) -> Any:
    """The size of the terms that cancel in the values, for each sample."""
    if not callable(case.value_scale):
        return case.value_scale
    with textbook.mp.workdps(50):
        return np.array([case.value_scale(*sample) for sample in samples(case)], dtype=object)
