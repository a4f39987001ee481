"""Readings of a loss of single numbers, along its prediction: a grid, and a place between every two roots.

A piece that no point of the grid lies in is found by the roots of what was asked beside it: between two neighbours,
a question that changes its sign has one, and where there are several the loss is read between them too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import sympy

from lossmith.domains import KINDS
from lossmith.ops.digits import context
from lossmith.ops.symbols import Sample
from lossmith.prove.evaluate import Expr, Symbol, number
from lossmith.prove.reading import LETTERS, Reading, read, with_letters
from lossmith.prove.simplify import agree, operations, shortest
from lossmith.spec import Formula

# Nothing special lies at these: no integer, no simple fraction, no default of a keyword.
ACROSS = [-7.87 + 0.3137 * step for step in range(52)]
FAR = [11.3, 23.7, 61.9]  # on both sides: a loss may bend far out, wing loss at 10
FURTHER = [163.0, 997.0, 10007.0]  # not for logits, where 1 - p has no digits left
WITHIN = [0.0123 + 0.0487 * step for step in range(21)]
ABOVE = [0.0371 * 1.31**step for step in range(21)]
TARGET = {"real": 0.3719, "count": 2.37, "positive": 0.8713, "prob": 0.2931}
SHORT = 14  # operations: up to here a soft target stays a letter, beyond the ends of its range are derived
COSTLY = 1000  # terms of one reading, beyond which few are made
SPARSE = 25
MOST = 24  # places between roots
HALVINGS = 60  # of the way between two samples, for one root
HALF = 0.4859  # of the way from one root to the next: the very middle may be special
APART = 1e-9  # two roots, of which it makes sense to be between


def numbers(made: Formula, kinds: Sequence[str], settings: Mapping[str, Any]) -> Iterator[tuple[str, list[Reading]]]:
    """Readings of a loss of single numbers: with the target as a letter, or at each end of its range."""
    ends = {"binary": (1.0, 0.0), "soft": (1.0, 0.0), "pm1": (1.0, -1.0)}.get(kinds[1] if len(kinds) > 1 else "", ())
    if ends:
        if kinds[1] == "soft":
            soft = _at(made, kinds, settings, ACROSS[20], 0.3719)
            if operations(shortest([soft.sample.revealed(soft.expr)], [soft.point])) <= SHORT:
                yield "", [_at(made, kinds, settings, x, 0.3719) for x in _grid(kinds[0])]
                return
        for end in ends:
            yield f"target = {end:g}", with_letters(_along(made, kinds, settings, end, fixed=True))
        return
    target = TARGET.get(kinds[1], 0.3719) if len(kinds) > 1 else 0.3719
    yield "", with_letters(_along(made, kinds, settings, target))


def _along(
    made: Formula, kinds: Sequence[str], settings: Mapping[str, Any], t: float, fixed: bool = False
) -> list[Reading]:
    """Readings over the whole grid and between roots, or over every few points of it where one of them is long."""
    grid = _grid(kinds[0])
    first = _at(made, kinds, settings, grid[0], t, fixed)
    step = 1 if first.sample.terms <= COSTLY else SPARSE
    found = [first, *(_at(made, kinds, settings, x, t, fixed) for x in grid[step::step])]
    between = list(_between(found))[:MOST] if step == 1 else []
    found += [_at(made, kinds, settings, x, t, fixed) for x in between]
    return sorted(found, key=lambda one: one.point[one.vary[0]])


def _between(readings: Sequence[Reading]) -> Iterator[float]:
    """A place between every two roots that lie between the same two neighbours."""
    for low, high in pairwise(readings):
        roots = sorted({*_roots(low, high)})
        yield from (float(one + (other - one) * HALF) for one, other in pairwise(roots) if other - one > APART)


def _roots(low: Reading, high: Reading) -> Iterator[Any]:
    """Where a question that was asked at either of two places changes its sign on the way."""
    for asked in {*low.sample.asked, *high.sample.asked}:
        if (root := root_between(asked, low, high)) is not None:
            yield root


def root_between(asked: Expr, low: Reading, high: Reading) -> Any:
    """Where an expression changes its sign between two readings, as a number; None where it does not."""
    (x,) = low.vary
    start, end = low.point[x], high.point[x]
    before, after = number(asked, low.point), number(asked, high.point)
    if not before * after < 0:  # nor where one of them is not a number
        return None
    for _ in range(HALVINGS):
        middle = (start + end) / 2
        if number(asked, {**low.point, x: middle}) * before > 0:
            start = middle
        else:
            end = middle
    return (start + end) / 2


def _grid(kind: str) -> list[float]:
    if KINDS[kind].high == 1.0:
        return WITHIN
    if KINDS[kind].low == 0.0 or KINDS[kind].high == 0.0:
        return ABOVE if KINDS[kind].low == 0.0 else [-x for x in ABOVE]
    far = FAR if kind == "logits" else [*FAR, *FURTHER]
    return sorted([*ACROSS, *far, *(-x for x in far)])


def _at(
    made: Formula, kinds: Sequence[str], settings: Mapping[str, Any], x: float, t: float, fixed: bool = False
) -> Reading:
    def arrays(sample: Sample | None, moved: Mapping[int, Any]) -> list[Any]:
        made_of = []
        for index, (name, kind) in enumerate(zip(made.arguments, kinds, strict=True)):
            value = x if index == 0 else t if index == 1 else TARGET.get(kind, 0.6131)
            positive = {"positive": True} if KINDS[kind].low == 0.0 else {}
            if sample is None:
                made_of.append(context.mpf(value) + moved.get(index, 0))
            elif index == 1 and fixed:
                made_of.append(value)
            else:
                made_of.append(sample.symbol(LETTERS.get(name, name), value, fixed=index > 0, **positive))
        return [[entry] for entry in made_of]

    return replace(read(made, settings, arrays, (0,)), far=abs(x) >= FAR[0])


def of_residual(readings: Sequence[Reading]) -> list[Reading] | None:
    """The readings in r = x - t, if the loss is the same at t = 0 with r for x."""
    by_name = {str(one): one for one in readings[0].point}
    if not {"x", "t"} <= by_name.keys():
        return None
    x, t, r = by_name["x"], by_name["t"], sympy.Symbol("r", real=True)
    found: list[Reading] = []
    for one in readings:
        at = {r: one.point[x] - one.point[t]} | {key: value for key, value in one.point.items() if key not in (x, t)}
        sample = Sample(at, *(_moved(part, x, t, r) for part in (one.sample.asked, one.sample.stopped)))
        sample.meant = one.sample.meant
        moved = replace(one, sample=sample, expr=one.expr.subs({x: r, t: 0}), vary=(r,))
        value = number(sample.revealed(moved.expr), at)
        if not agree(value, number(one.sample.revealed(one.expr), one.point)):
            return None
        found.append(moved)
    return found


def _moved(part: Any, x: Symbol, t: Symbol, r: Symbol) -> Any:
    if isinstance(part, dict):
        return {key: expr.subs({x: r, t: 0}) for key, expr in part.items()}
    return [expr.subs({x: r, t: 0}) for expr in part]
