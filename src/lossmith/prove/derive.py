"""Derivations: a formula as mathematics, with its gradient and second derivative, split by region.

The body is read as symbols at many samples. Samples whose expressions are one function (they agree at every sample,
to forty digits) make one region; between two regions lies the root of a question that the body asked. Nothing is
shown that was not compared, at every sample, with differences of the fifty-digit reading of the same body, whose
error is below 1e-30.

A loss of single numbers is derived in its prediction x; a loss of rows at three classes, in the logit of the right
class and in one of the others.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import sympy

from lossmith.errors import LossmithError, message
from lossmith.ops.digits import context
from lossmith.prove.derivation import Bounds, Case, Derivation, Region
from lossmith.prove.reading import LETTERS, NEAR, Reading, numbers, rows
from lossmith.prove.simplify import Expr, Point, Symbol, number, shortest
from lossmith.shapes import letters
from lossmith.spec import Formula


def derive(loss: Any, **settings: Any) -> Derivation:
    """The mathematics of a formula, or of the formula behind a face; keywords that are given become numbers.

    Errors    LossmithError for a loss that has no formula, or whose arguments are neither numbers nor rows of classes
    """
    made = formula_of(loss)
    kinds = made.kinds_for(**settings)
    patterns = [axes[0] for axes in made.shapes.arguments]
    by_row = letters(patterns[0]) == ("C",)
    if made.coupled or {letter for pattern in patterns for letter in letters(pattern)} - {"C"}:
        raise LossmithError(
            message(
                f"{made.name} is not derived: it takes {made.shapes.text}",
                {"derived": "losses of single numbers (..., ... -> ...) and of rows of classes (... C, ... -> ...)"},
            )
        )
    reader = rows if by_row else numbers
    found = [_case(made.name, given, list(readings)) for given, readings in reader(made, kinds, settings)]
    shown = dict(_letters(made, by_row))
    if any("r" in {str(one) for region in case.regions for one in region.gradient} for case, _ in found):
        shown["r"] = f"{shown.pop('x')} - {shown.pop('t')}"
    used = {str(one) for case, _ in found for region in case.regions for one in _symbols_of(region)}
    shown = {letter: meaning for letter, meaning in shown.items() if letter in used or letter in ("x", "r")}
    return Derivation(made.name, shown, tuple(case for case, _ in found), sum(count for _, count in found))


def formula_of(loss: Any) -> Formula:
    """The formula that a face, an object of one, or a name stands for."""
    if isinstance(loss, str):
        from lossmith.entries import Entry, find
        from lossmith.spec import FORMULAS

        found = find(loss)
        loss = FORMULAS[found.name] if isinstance(found, Entry) else None
    made = loss if isinstance(loss, Formula) else getattr(loss, "formula", None)
    if not isinstance(made, Formula):
        raise LossmithError(message(f"{loss!r} has no formula to derive", fix="lossmith list, for those that have one"))
    return made


def _symbols_of(region: Region) -> set[Symbol]:
    exprs = [region.value, *region.gradient.values(), *region.curvature.values()]
    return {*region.gradient} | {one for expr in exprs for one in expr.free_symbols}


def _letters(made: Formula, by_row: bool) -> Iterator[tuple[str, str]]:
    if by_row:
        yield "z1", f"{made.arguments[0]} of class 1"
        yield "z2", f"{made.arguments[0]} of class 2"
        yield "z3", f"{made.arguments[0]} of class 3"
        for index in "123":
            yield f"p{index}", f"softmax of z{index}"
        for name in made.arguments[1:]:
            for index in "123":
                yield f"{LETTERS.get(name, name)}{index}", f"{name} of class {index}"
        return
    for name in made.arguments:
        yield LETTERS.get(name, name), name


def _case(name: str, given: str, readings: list[Reading]) -> tuple[Case, int]:
    compared = len(readings)
    readings = _without_echoes(readings)
    groups = _groups(readings)
    if len(groups) > 1 and len(readings[0].vary) > 1:
        found = {"at the samples": f"{len(groups)} different expressions"}
        raise LossmithError(message(f"{name} is not derived: regions are told for single numbers only", found))
    points = [reading.point for reading in readings]
    moved = _residual(groups, readings)
    regions: list[Region] = []
    for place, group in enumerate(groups):
        where = _where(groups, place, readings)
        region = _region(group, readings, where)
        regions.append(_in_residual(region, moved, points) if moved is not None else region)
    return Case(given, tuple(regions)), compared


def _without_echoes(readings: list[Reading]) -> list[Reading]:
    """Without the far samples at which an expression from nearer by holds; one that saturates is a constant there."""
    near = [reading for reading in readings if not reading.far]
    firsts = [near[group[0]] for group in _groups(near)]
    return [one for one in readings if not one.far or not any(_holds(first, one) for first in firsts)]


def _groups(readings: list[Reading]) -> list[list[int]]:
    """Readings whose expressions are one function: each agrees with the other's value at its own sample."""
    groups: list[list[int]] = []
    for index, reading in enumerate(readings):
        for group in groups:
            other = readings[group[0]]
            if reading.expr == other.expr or (_holds(other, reading) and _holds(reading, other)):
                group.append(index)
                break
        else:
            groups.append([index])
    return groups


def _holds(reading: Reading, at: Reading) -> bool:
    """Whether an expression gives the truth at the sample of another, in value and in gradient."""
    if reading.point.keys() != at.point.keys():  # one of them could not be said in p = softmax(z)
        return False
    point = at.point
    exprs = [reading.expr, *(reading.diff(reading.expr, index) for index in range(len(reading.vary)))]
    got = [number(reading.sample.revealed(expr), point) for expr in exprs]
    return all(_near(a, b) for a, b in zip(got, [at.values[0], *at.values[1]], strict=True))


def _near(got: Any, want: Any) -> bool:
    return bool(context.isfinite(got) and abs(got - want) <= NEAR * max(1, abs(want)))


def _region(group: list[int], readings: list[Reading], where: tuple[Bounds, ...]) -> Region:
    """The shortest expressions of one group, compared with the truth at each of its samples."""
    own = [readings[index] for index in group]
    points = [reading.point for reading in own]
    forms = list(dict.fromkeys(reading.expr for reading in own))
    first = own[0]
    value = shortest([first.sample.revealed(form) for form in forms if _common(form, first)][:3], points[:6])
    gradient: dict[Symbol, Expr] = {}
    curvature: dict[Symbol, Expr] = {}
    for index, x in enumerate(first.vary[:2]):  # the third class is to the first what the second is
        raw = first.diff(first.expr, index)
        candidates = [first.sample.revealed(raw)]
        if not first.sample.stopped or _matches(first.diff(value, index), own, 1, index):
            candidates.insert(0, first.diff(value, index))
        gradient[x] = shortest(candidates, points[:6])
        candidates = [first.sample.revealed(first.diff(raw, index))]
        if not first.sample.stopped or _matches(first.diff(gradient[x], index), own, 2, index):
            candidates.insert(0, first.diff(gradient[x], index))
        curvature[x] = shortest(candidates, points[:6])
        for order, expr in ((1, gradient[x]), (2, curvature[x])):
            if not _matches(expr, own, order, index):
                raise LossmithError(f"the derivative {expr} does not agree with fifty digits: a fault of lossmith")
    return Region(where, value, gradient, curvature)


def _common(form: Expr, reading: Reading) -> bool:
    """Whether a form uses no hidden constant of another sample."""
    return form.free_symbols <= reading.point.keys() | reading.sample.stopped.keys()


def _matches(expr: Expr, own: Sequence[Reading], order: int, index: int) -> bool:
    return all(_near(number(expr, one.point), one.values[order][index]) for one in own)


def _where(groups: list[list[int]], place: int, readings: list[Reading]) -> tuple[Bounds, ...]:
    """The intervals of a region of a loss of one variable."""
    if len(groups) == 1:
        return ()
    x = readings[0].vary[0]
    return tuple(
        Bounds(
            _root(readings, low - 1, low, x) if low > 0 else None,
            x,
            _root(readings, high, high + 1, x) if high + 1 < len(readings) else None,
        )
        for low, high in _runs(groups[place])
    )


def _runs(group: list[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for index in group:
        if runs and runs[-1][1] == index - 1:
            runs[-1] = (runs[-1][0], index)
        else:
            runs.append((index, index))
    return runs


def _root(readings: list[Reading], left: int, right: int, x: Symbol) -> Any:
    """Where a question that was asked at both samples changes its answer."""
    low, high = readings[left], readings[right]
    for asked in [*high.sample.asked, *low.sample.asked]:
        before, after = number(asked, low.point), number(asked, high.point)
        if not (context.isfinite(before) and context.isfinite(after)) or before * after > 0:
            continue
        for root in sympy.solve(asked, x):
            if root.is_real is not False and low.point[x] <= number(root, low.point) <= high.point[x]:
                return root
    return sympy.Symbol("?")


def _residual(groups: list[list[int]], readings: list[Reading]) -> Symbol | None:
    """The symbol r, if every expression depends on x - t only."""
    by_name = {str(one): one for one in readings[0].point}
    if "x" not in by_name or "t" not in by_name:
        return None
    x, t, r = by_name["x"], by_name["t"], sympy.Symbol("r", real=True)
    exprs = [readings[group[0]].expr for group in groups]
    return None if any(t in sympy.simplify(expr.subs(x, t + r)).free_symbols for expr in exprs) else r


def _in_residual(region: Region, r: Symbol, points: Sequence[Point]) -> Region:
    by_name = {str(one): one for one in points[0]}
    x, t = by_name["x"], by_name["t"]
    moved = [{**{k: v for k, v in point.items() if k not in (x, t)}, r: point[x] - point[t]} for point in points[:6]]

    def change(expr: Expr) -> Expr:
        return shortest([sympy.expand(expr.subs(x, t + r)), expr.subs(x, r).subs(t, 0)], moved)

    def less(bound: Expr | None) -> Expr | None:
        return None if bound is None else sympy.expand(bound - t)

    return Region(
        tuple(Bounds(less(bounds.low), r, less(bounds.high)) for bounds in region.where),
        change(region.value),
        dict(zip([r], map(change, region.gradient.values()), strict=True)),
        dict(zip([r], map(change, region.curvature.values()), strict=True)),
    )
