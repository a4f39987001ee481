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
from lossmith.prove.constants import meanings
from lossmith.prove.derivation import UNKNOWN, Bounds, Case, Derivation, Region
from lossmith.prove.evaluate import Expr, Symbol, number
from lossmith.prove.reading import LETTERS, Reading, near
from lossmith.prove.reading_numbers import numbers, of_residual, root_between
from lossmith.prove.reading_rows import rows
from lossmith.prove.shares import Family, rewritings
from lossmith.prove.simplify import HUGE, LARGE, alike, cost, operations, shortest
from lossmith.shapes import letters
from lossmith.spec import Formula

SIMPLE = 12  # denominators of multiples of pi


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
    families = found[0][2]
    shown = dict(_letters(made, by_row, families))
    if any("r" in {str(one) for region in case.regions for one in region.gradient} for case, _, _ in found):
        shown["r"] = f"{shown.pop('x')} - {shown.pop('t')}"
    for case, _, _ in found:
        shown |= case.constants
    used = {str(one) for case, _, _ in found for region in case.regions for one in _symbols_of(region)}
    shown = {letter: meaning for letter, meaning in shown.items() if letter in used or letter in ("x", "r")}
    cases, compared = tuple(case for case, _, _ in found), sum(count for _, count, _ in found)
    return Derivation(made.name, shown, cases, compared, families)


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


def _letters(made: Formula, by_row: bool, families: Sequence[Family]) -> Iterator[tuple[str, str]]:
    if by_row:
        yield "z1", f"{made.arguments[0]} of class 1"
        yield "z2", f"{made.arguments[0]} of class 2"
        yield "z3", f"{made.arguments[0]} of class 3"
        for name in made.arguments[1:]:
            for index in "123":
                yield f"{LETTERS.get(name, name)}{index}", f"{name} of class {index}"
        for family in families:
            yield from ((str(p), family.meaning(index)) for index, p in enumerate(family.shares))
        return
    for name in made.arguments:
        yield LETTERS.get(name, name), name


def _case(name: str, given: str, readings: list[Reading]) -> tuple[Case, int, tuple[Family, ...]]:
    compared = len(readings)
    readings = _without_echoes(readings)
    readings = of_residual(readings) or readings
    meant = {str(letter): said for one in readings for letter, said in one.sample.meant.items()}
    meant |= meanings({letter: constant for one in readings for letter, constant in one.letters.items()})
    groups = _joined(name, _groups(readings), readings)
    if len(groups) > 1 and len(readings[0].vary) > 1:
        found = {"at the samples": f"{len(groups)} different expressions"}
        raise LossmithError(message(f"{name} is not derived: regions are told for single numbers only", found))
    parts = [group for _, group in groups]
    regions = [
        _region(form, group, readings, _where(parts, place, readings)) for place, (form, group) in enumerate(groups)
    ]
    return Case(given, tuple(regions), meant, readings[0].point), compared, readings[0].families


def _joined(name: str, groups: list[list[int]], readings: list[Reading]) -> list[tuple[Expr, list[int]]]:
    """As few expressions as hold at all samples, each with its samples: a body may write one function twice."""
    reach: dict[Expr, list[int]] = {}
    for group in sorted(groups, key=lambda group: operations(readings[group[0]].expr)):
        if (form := _form(group, readings)) is not None:
            reach[form] = sorted({*group, *(index for index, one in enumerate(readings) if _holds(one, form))})
            if len(reach[form]) == len(readings):
                break
    left, found = set(range(len(readings))), list[tuple[Expr, list[int]]]()
    while left:
        form = min(reach, key=lambda one: (-len(left & {*reach[one]}), cost(one)), default=None)
        covered = sorted(left & {*reach[form]}) if form is not None else []
        if not covered:
            raise LossmithError(message(f"{name} is not derived: its expression is too long to be read"))
        found.append((form, covered))
        left -= {*covered}
    return sorted(found, key=lambda one: one[1][0])


def _form(group: list[int], readings: list[Reading]) -> Expr | None:
    """The shortest way to write the value of a group; None where nobody would read it."""
    own = [readings[index] for index in group]
    forms = list(dict.fromkeys(one.sample.revealed(one.expr) for one in own if _common(one.expr, own[0])))
    forms = sorted((form for form in forms if operations(form) <= HUGE), key=operations)[:2]
    return shortest(forms, [one.point for one in own[:6]]) if forms else None


def _without_echoes(readings: list[Reading]) -> list[Reading]:
    """Without the far samples at which an expression from nearer by holds; one that saturates is a constant there."""
    near = [reading for reading in readings if not reading.far]
    firsts = [near[group[0]] for group in _groups(near)]
    return [one for one in readings if not one.far or not any(_tells(first, one) for first in firsts)]


def _groups(readings: list[Reading]) -> list[list[int]]:
    """Readings whose expressions are one function: each agrees with the other's value at its own sample."""
    groups: list[list[int]] = []
    for index, reading in enumerate(readings):
        for group in groups:
            other = readings[group[0]]
            if reading.expr == other.expr or (_tells(other, reading) and _tells(reading, other)):
                group.append(index)
                break
        else:
            groups.append([index])
    return groups


def _tells(reading: Reading, at: Reading) -> bool:
    """Whether the expression of one reading holds at the sample of another."""
    return _holds(at, reading.expr, reading)


def _holds(at: Reading, form: Expr, of: Reading | None = None) -> bool:
    """Whether an expression gives the truth at a sample, in value and in gradient."""
    of = of or at
    if of.point.keys() != at.point.keys():  # one of them could not be said in p = softmax(z)
        return False
    exprs = [form, *(of.diff(form, index) for index in range(len(of.vary)))]
    return all(
        near(number(of.sample.revealed(expr), at.point), want)
        for expr, want in zip(exprs, [at.values[0], *at.values[1]], strict=True)
    )


def _region(value: Expr, group: list[int], readings: list[Reading], where: tuple[Bounds, ...]) -> Region:
    """The derivatives of one expression in their shortest form, compared with the truth at each of its samples."""
    own = [readings[index] for index in group]
    first = own[0]
    if not all(near(number(value, one.point), one.values[0]) for one in own):
        raise LossmithError(f"{value} does not agree with fifty digits: a fault of lossmith")
    gradient: dict[Symbol, Expr] = {}
    curvature: dict[Symbol, Expr] = {}
    for index, x in enumerate(first.vary[:2]):  # the third class is to the first what the second is
        raw = first.diff(first.expr, index)
        gradient[x] = _derivative(first.diff(value, index), raw, own, 1, index)
        curvature[x] = _derivative(first.diff(gradient[x], index), first.diff(raw, index), own, 2, index)
    return Region(where, value, gradient, curvature)


def _derivative(short: Expr, raw: Expr, own: Sequence[Reading], order: int, index: int) -> Expr:
    """The derivative of the shortest form; that of the body where a part of it is constant to differentiation."""
    sample, points = own[0].sample, [one.point for one in own][:6]
    candidates = [sample.revealed(raw)] if operations(raw) <= LARGE else []
    if not sample.stopped or _matches(short, own, order, index):
        candidates.insert(0, short)
    candidates = candidates or [sample.revealed(raw)]
    if operations(candidates[0]) <= HUGE:
        families = own[0].families
        letters = candidates[0].free_symbols - {p for family in families for p in family.shares}
        candidates += alike(candidates[0], rewritings(families, sorted(letters, key=str)))
    found = shortest(candidates, points)
    if not _matches(found, own, order, index):
        raise LossmithError(f"the derivative {found} does not agree with fifty digits: a fault of lossmith")
    return found


def _common(form: Expr, reading: Reading) -> bool:
    """Whether a form uses no hidden constant of another sample."""
    return form.free_symbols <= reading.point.keys() | reading.sample.stopped.keys()


def _matches(expr: Expr, own: Sequence[Reading], order: int, index: int) -> bool:
    return all(near(number(expr, one.point), one.values[order][index]) for one in own)


def _where(groups: list[list[int]], place: int, readings: list[Reading]) -> tuple[Bounds, ...]:
    """The intervals of a region of a loss of one variable."""
    if len(groups) == 1:
        return ()
    x = readings[0].vary[0]
    ends = [sympy.Float(readings[place].point[x], 3) if _comes_back(readings) else None for place in (0, -1)]
    return tuple(
        Bounds(
            _root(readings, low - 1, low, x) if low > 0 else ends[0],
            x,
            _root(readings, high, high + 1, x) if high + 1 < len(readings) else ends[1],
        )
        for low, high in _runs(groups[place])
    )


def _comes_back(readings: list[Reading]) -> bool:
    """Whether a question is asked of a wave, so that there are more regions beyond what was read."""
    return any(asked.has(sympy.sin, sympy.cos) for one in readings for asked in one.sample.asked)


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
    crossed = [one for one in [*high.sample.asked, *low.sample.asked] if root_between(one, low, high) is not None]
    for asked in crossed:
        for root in next(alike(asked, [lambda one: sympy.solve(one, x)]), []):
            if root.is_real is not False and low.point[x] <= number(root, low.point) <= high.point[x]:
                return root
    for asked in crossed:
        if asked.free_symbols == {x}:  # else it is another number for other keywords
            return _named(root_between(asked, low, high))
    return UNKNOWN


def _named(root: Any) -> Expr:
    """A number as a simple multiple of pi, which sympy names one of, or by its first digits."""
    share = sympy.nsimplify(sympy.Float(root / context.pi, 15), rational=True, tolerance=1e-12)
    return share * sympy.pi if share.q <= SIMPLE else sympy.Float(root, 6)
