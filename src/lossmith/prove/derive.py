"""Derivations: a formula as mathematics, with its gradient and second derivative, split by region.

The body is read as symbols at many samples. Samples whose expressions are one function (they agree at every sample,
to forty digits) make one region; between two regions lies the root of a question that the body asked. Nothing is
shown that was not compared, at every sample, with differences of the fifty-digit reading of the same body, whose
error is below 1e-30.

A loss of single numbers is derived in its prediction x; a loss of rows at three classes, in the logit of the right
class and in one of the others.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy

from lossmith.domains import KINDS
from lossmith.errors import LossmithError, message
from lossmith.ops import digits, symbols
from lossmith.ops.digits import context
from lossmith.ops.symbols import Sample, Symbols
from lossmith.prove.simplify import Point, cost, number, shortest, sigmoid, with_shares
from lossmith.shapes import batched, letters
from lossmith.spec import Formula

LETTERS = {"pred": "x", "target": "t", "logits": "x"}
CLASSES = 3
# Nothing special lies at these: no integer, no simple fraction, no default of a keyword.
ACROSS = [-7.87 + 0.3137 * step for step in range(52)]
WITHIN = [0.0123 + 0.0487 * step for step in range(21)]
ABOVE = [0.0371 * 1.31**step for step in range(21)]
TARGET = {"real": 0.3719, "count": 2.37, "positive": 0.8713, "prob": 0.2931}
SHARES = (0.2371, 0.4513, 0.3116)  # a target distribution, and class counts
ROWS = [(0.7193, 1.0371, -2.1137), (2.3119, -0.4173, 0.2911), (-1.1173, -0.3171, 1.4139), (0.1171, 0.2273, -0.0931)]
SHORT = 14  # operations: up to here a soft target stays a letter, beyond the ends of its range are derived
STEP = context.mpf(10) ** -14
NEAR = context.mpf(10) ** -13  # a float inside a formula has 53 bits, its symbol has all


@dataclass(frozen=True)
class Bounds:
    """low < x < high; None is no bound."""

    low: sympy.Expr | None
    x: sympy.Symbol
    high: sympy.Expr | None


@dataclass(frozen=True)
class Region:
    """Where an expression holds (no bounds: everywhere), and its first and second derivative by each variable."""

    where: tuple[Bounds, ...]
    value: sympy.Expr
    gradient: Mapping[sympy.Symbol, sympy.Expr]
    curvature: Mapping[sympy.Symbol, sympy.Expr]


@dataclass(frozen=True)
class Join:
    """Where two regions meet: the gradient on either side, and whether value and gradient go on without a jump."""

    at: sympy.Expr
    x: sympy.Symbol
    left: sympy.Expr
    right: sympy.Expr
    continuous: bool
    smooth: bool


@dataclass(frozen=True)
class Case:
    """The regions for one kind of target: `given` is empty, or "target = 1"."""

    given: str
    regions: tuple[Region, ...]

    @property
    def joins(self) -> tuple[Join, ...]:
        """The places where regions meet, from left to right."""
        placed = [(bounds, region) for region in self.regions for bounds in region.where]
        return tuple(
            _join(before, after, bounds)
            for (bounds, after) in placed
            for (other, before) in placed
            if bounds.low is not None and bounds.low == other.high
        )


@dataclass(frozen=True)
class Derivation:
    """A loss as mathematics. `letters` says what each symbol stands for; `checked` at how many points it was compared."""

    name: str
    letters: Mapping[str, str]
    cases: tuple[Case, ...]
    checked: int

    @property
    def has_sigmoid(self) -> bool:
        return any(
            expr.has(sigmoid)
            for case in self.cases
            for region in case.regions
            for expr in (region.value, *region.gradient.values(), *region.curvature.values())
        )

    def __str__(self) -> str:
        from lossmith.report.derivation import in_text

        return in_text(self)

    def latex(self) -> str:
        """The same as LaTeX: an `align*` environment for each case."""
        from lossmith.report.derivation import in_latex

        return in_latex(self)


@dataclass(frozen=True)
class _Reading:
    """One sample with its expression; `vary` are the variables to differentiate by."""

    sample: Sample
    expr: sympy.Expr
    vary: tuple[sympy.Symbol, ...]
    values: tuple[Any, Any, Any]  # fifty digits of value, gradients and curvatures
    shares: tuple[sympy.Symbol, ...] = ()  # the softmax of the variables of a row

    @property
    def point(self) -> Point:
        return self.sample.at

    def diff(self, expr: sympy.Expr, index: int) -> sympy.Expr:
        """The derivative by one variable: dp_j / dz_i = p_j ((i = j) - p_i)."""
        found = expr.diff(self.vary[index])
        for place, p in enumerate(self.shares):
            found += expr.diff(p) * p * (int(place == index) - self.shares[index])
        return found


def derive(loss: Any, **settings: Any) -> Derivation:
    """The mathematics of a formula, or of the formula behind a face; keywords that are given become numbers.

    Errors    LossmithError for a loss that has no formula, or whose arguments are neither numbers nor rows of classes
    """
    made = formula_of(loss)
    kinds = made.kinds_for(**settings)
    patterns = [axes[0] for axes in made.shapes.arguments]
    rows = letters(patterns[0]) == ("C",)
    if made.coupled or {letter for pattern in patterns for letter in letters(pattern)} - {"C"}:
        raise LossmithError(
            message(
                f"{made.name} is not derived: it takes {made.shapes.text}",
                {"derived": "losses of single numbers (..., ... -> ...) and of rows of classes (... C, ... -> ...)"},
            )
        )
    reader = _rows if rows else _numbers
    found = [_case(given, list(readings)) for given, readings in reader(made, kinds, settings)]
    shown = dict(_letters(made, rows))
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


def _symbols_of(region: Region) -> set[sympy.Symbol]:
    exprs = [region.value, *region.gradient.values(), *region.curvature.values()]
    return {*region.gradient} | {one for expr in exprs for one in expr.free_symbols}


def _letters(made: Formula, rows: bool) -> Iterator[tuple[str, str]]:
    if rows:
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


# --- reading -----------------------------------------------------------------------------------------------------


def _numbers(made: Formula, kinds: Sequence[str], settings: Mapping[str, Any]) -> Iterator[tuple[str, list[_Reading]]]:
    """Readings of a loss of single numbers: with the target as a letter, or at each end of its range."""
    ends = {"binary": (1.0, 0.0), "soft": (1.0, 0.0), "pm1": (1.0, -1.0)}.get(kinds[1] if len(kinds) > 1 else "", ())
    if ends:
        if kinds[1] == "soft":
            soft = _at(made, kinds, settings, ACROSS[20], 0.3719)
            if cost(shortest([soft.sample.revealed(soft.expr)], [soft.point]))[0] <= SHORT:
                yield "", [_at(made, kinds, settings, x, 0.3719) for x in _grid(kinds[0])]
                return
        for end in ends:
            yield f"target = {end:g}", [_at(made, kinds, settings, x, end, fixed=True) for x in _grid(kinds[0])]
        return
    target = TARGET.get(kinds[1], 0.3719) if len(kinds) > 1 else 0.3719
    yield "", [_at(made, kinds, settings, x, target) for x in _grid(kinds[0])]


def _grid(kind: str) -> list[float]:
    if KINDS[kind].high == 1.0:
        return WITHIN
    return ABOVE if KINDS[kind].low == 0.0 else [-x for x in ABOVE] if KINDS[kind].high == 0.0 else ACROSS


def _at(
    made: Formula, kinds: Sequence[str], settings: Mapping[str, Any], x: float, t: float, fixed: bool = False
) -> _Reading:
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
                made_of.append(sample.symbol(LETTERS.get(name, name), value, **positive))
        return [[entry] for entry in made_of]

    return _read(made, settings, arrays, (0,))


def _rows(made: Formula, kinds: Sequence[str], settings: Mapping[str, Any]) -> Iterator[tuple[str, list[_Reading]]]:
    """Readings of a loss of rows, with three classes, the first of which is right."""

    patterns = [axes[0] for axes in made.shapes.arguments]

    def arrays(row: Sequence[float], sample: Sample | None, moved: Mapping[int, Any]) -> Iterator[Any]:
        for index, (name, kind, pattern) in enumerate(zip(made.arguments, kinds, patterns, strict=True)):
            values = row if index == 0 else SHARES if letters(pattern) else SHARES[:1]
            if KINDS[kind.partition("|")[0]].integer:
                yield [0]
                continue
            if sample is None:
                found = [context.mpf(value) + (moved.get(place, 0) if index == 0 else 0) for place, value in enumerate(values)]
            else:
                letter = "z" if index == 0 else LETTERS.get(name, name)
                found = [sample.symbol(f"{letter}{place + 1}", value) for place, value in enumerate(values)]
            yield [found] if batched(pattern) and letters(pattern) else found

    def at(row: Sequence[float]) -> _Reading:
        return _in_shares(_read(made, settings, lambda *how: list(arrays(row, *how)), range(CLASSES)))

    plain = np.array(ROWS)
    if kinds[0] != "logits":
        plain = np.exp(plain) / np.exp(plain).sum(-1, keepdims=True)
        plain = np.log(plain) if kinds[0] == "logprob" else plain
    given = f"{CLASSES} classes, the first is right" if "index" in kinds[1] else f"{CLASSES} classes"
    yield given, [at([float(z) for z in row]) for row in plain]


def _in_shares(reading: _Reading) -> _Reading:
    """A reading of a row of logits in p = softmax(z), if everything can be said in p."""
    z, sample = reading.vary, reading.sample
    p = tuple(sympy.Symbol(f"p{index + 1}", positive=True) for index in range(CLASSES))
    expr = with_shares(sample.revealed(reading.expr), z, p)
    if not {*p} & expr.free_symbols:
        return reading
    powers = [context.exp(sample.at[one]) for one in z]
    sample.at.update({one: power / sum(powers) for one, power in zip(p, powers, strict=True)})
    return replace(reading, expr=expr, shares=p)


def _read(made: Formula, settings: Mapping[str, Any], arrays: Any, vary: Sequence[int]) -> _Reading:
    """Read a body once as symbols, and as fifty digits at, before and after the point."""
    named = {
        name: default
        for name, default in made.keywords.items()
        if type(default) is float and default != 0.0 and name not in settings and np.isfinite(default)
    }
    for letters in (named, {}):  # a body that needs a number of a keyword gets one
        sample = Sample()
        given = arrays(sample, {})
        moving = tuple(list(sample.at)[index] for index in vary)
        terms = {name: sample.symbol(name, value, positive=value > 0) for name, value in letters.items()}
        try:
            value = _value(made, symbols.ops, [_array(entry) for entry in given], {**settings, **terms})
            break
        except TypeError:
            if not letters:
                raise
    frozen = _Frozen()
    truth = [_value(made, frozen, [_digits(entry) for entry in arrays(None, {})], dict(settings))]
    first, second = [], []
    for index in vary:
        shifted = [
            _value(made, frozen.again(), [_digits(entry) for entry in arrays(None, {index: step})], dict(settings))
            for step in (STEP, -STEP)
        ]
        first.append((shifted[0] - shifted[1]) / (2 * STEP))
        second.append((shifted[0] - 2 * truth[0] + shifted[1]) / STEP**2)
    return _Reading(sample, value.expr, moving, (truth[0], tuple(first), tuple(second)))


def _value(made: Formula, reader: Any, arrays: Sequence[Any], settings: Mapping[str, Any]) -> Any:
    found = made.outcome(reader, *arrays, **settings).values
    return np.asarray(found).reshape(-1)[0]


def _array(entries: Any) -> Any:
    found = np.asarray(entries)
    return found.view(Symbols) if found.dtype.kind == "i" else symbols.array(np.asarray(entries, dtype=object))


def _digits(entries: Any) -> Any:
    found = np.asarray(entries)
    return found.view(digits.Digits) if found.dtype.kind == "i" else digits.array(np.asarray(entries, dtype=object))


class _Frozen(digits.Objects):
    """Fifty digits, where `stop_gradient` answers in every later reading what it answered in the first."""

    def __init__(self) -> None:
        super().__init__(digits.Numbers(), digits.Digits)
        self.held: list[Any] = []
        self.next: int | None = None

    def again(self) -> "_Frozen":
        self.next = 0
        return self

    def stop_gradient(self, x: Any) -> Any:
        if self.next is None:
            self.held.append(x)
            return x
        self.next += 1
        return self.held[self.next - 1]


# --- regions -----------------------------------------------------------------------------------------------------


def _case(given: str, readings: list[_Reading]) -> tuple[Case, int]:
    groups = _groups(readings)
    points = [reading.point for reading in readings]
    moved = _residual(groups, readings)
    regions: list[Region] = []
    for place, group in enumerate(groups):
        where = _where(groups, place, readings)
        region = _region(group, readings, where)
        regions.append(_in_residual(region, moved, points) if moved is not None else region)
    return Case(given, tuple(regions)), len(readings)


def _groups(readings: list[_Reading]) -> list[list[int]]:
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


def _holds(reading: _Reading, at: _Reading) -> bool:
    """Whether an expression gives the truth at the sample of another, in value and in gradient."""
    point = dict(zip(reading.point, at.point.values(), strict=True))
    exprs = [reading.expr, *(reading.diff(reading.expr, index) for index in range(len(reading.vary)))]
    got = [number(reading.sample.revealed(expr), point) for expr in exprs]
    return all(_near(a, b) for a, b in zip(got, [at.values[0], *at.values[1]], strict=True))


def _near(got: Any, want: Any) -> bool:
    return bool(context.isfinite(got) and abs(got - want) <= NEAR * max(1, abs(want)))


def _region(group: list[int], readings: list[_Reading], where: tuple[sympy.Basic, ...]) -> Region:
    """The shortest expressions of one group, compared with the truth at each of its samples."""
    own = [readings[index] for index in group]
    points = [reading.point for reading in own]
    forms = list(dict.fromkeys(reading.expr for reading in own))
    first = own[0]
    value = shortest([first.sample.revealed(form) for form in forms if _common(form, first)][:3], points[:6])
    gradient: dict[sympy.Symbol, sympy.Expr] = {}
    curvature: dict[sympy.Symbol, sympy.Expr] = {}
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


def _common(form: sympy.Expr, reading: _Reading) -> bool:
    """Whether a form uses no hidden constant of another sample."""
    return form.free_symbols <= reading.point.keys() | reading.sample.stopped.keys()


def _matches(expr: sympy.Expr, own: Sequence[_Reading], order: int, index: int) -> bool:
    return all(_near_difference(number(expr, one.point), one.values[order][index]) for one in own)


def _near_difference(got: Any, want: Any) -> bool:
    """The differences are of order 1e-14, so that they agree to about 1e-20."""
    return bool(context.isfinite(got) and abs(got - want) <= NEAR * max(1, abs(want)))


def _where(groups: list[list[int]], place: int, readings: list[_Reading]) -> tuple[Bounds, ...]:
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


def _join(before: Region, after: Region, bounds: Bounds) -> Join:
    x, at = bounds.x, bounds.low
    left, right = (sympy.simplify(region.gradient[x].subs(x, at)) for region in (before, after))
    continuous = sympy.simplify(before.value.subs(x, at) - after.value.subs(x, at)) == 0
    return Join(at, x, left, right, continuous, continuous and sympy.simplify(left - right) == 0)


def _runs(group: list[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for index in group:
        if runs and runs[-1][1] == index - 1:
            runs[-1] = (runs[-1][0], index)
        else:
            runs.append((index, index))
    return runs


def _root(readings: list[_Reading], left: int, right: int, x: sympy.Symbol) -> Any:
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


def _residual(groups: list[list[int]], readings: list[_Reading]) -> sympy.Symbol | None:
    """The symbol r, if every expression depends on x - t only."""
    by_name = {str(one): one for one in readings[0].point}
    if "x" not in by_name or "t" not in by_name:
        return None
    x, t, r = by_name["x"], by_name["t"], sympy.Symbol("r", real=True)
    exprs = [readings[group[0]].expr for group in groups]
    return None if any(t in sympy.simplify(expr.subs(x, t + r)).free_symbols for expr in exprs) else r


def _in_residual(region: Region, r: sympy.Symbol, points: Sequence[Point]) -> Region:
    by_name = {str(one): one for one in points[0]}
    x, t = by_name["x"], by_name["t"]
    moved = [{**{k: v for k, v in point.items() if k not in (x, t)}, r: point[x] - point[t]} for point in points[:6]]

    def change(expr: sympy.Expr) -> sympy.Expr:
        return shortest([sympy.expand(expr.subs(x, t + r)), expr.subs(x, r).subs(t, 0)], moved)

    def less(bound: sympy.Expr | None) -> sympy.Expr | None:
        return None if bound is None else sympy.expand(bound - t)

    return Region(
        tuple(Bounds(less(bounds.low), r, less(bounds.high)) for bounds in region.where),
        change(region.value),
        {r: change(expr) for expr in region.gradient.values()},
        {r: change(expr) for expr in region.curvature.values()},
    )
