"""A body read as symbols at one point, with fifty digits of its value, gradient and curvature there as the judge.

Digits of a derivative are differences of the fifty-digit reading of the same body, with an error below 1e-20.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import sympy

from lossmith.domains import KINDS
from lossmith.errors import LossmithError, message
from lossmith.ops import digits, symbols
from lossmith.ops.digits import context
from lossmith.ops.symbols import Plain, Sample, Symbols
from lossmith.prove.constants import lettered
from lossmith.prove.evaluate import Expr, Point, Symbol, number
from lossmith.prove.offsets import offsets
from lossmith.prove.shares import Family, families_of, in_shares, partial
from lossmith.prove.simplify import agree, at_most, operations, shortest
from lossmith.shapes import batched, letters
from lossmith.spec import Formula

LETTERS = {"pred": "x", "target": "t", "logits": "x"}
CLASSES = 3
# Nothing special lies at these: no integer, no simple fraction, no default of a keyword.
ACROSS = [-7.87 + 0.3137 * step for step in range(52)]
FAR = [11.3, 23.7, 61.9]  # on both sides: a loss may bend far out, wing loss at 10
FURTHER = [163.0, 997.0, 10007.0]  # not for logits, where 1 - p has no digits left
WITHIN = [0.0123 + 0.0487 * step for step in range(21)]
ABOVE = [0.0371 * 1.31**step for step in range(21)]
TARGET = {"real": 0.3719, "count": 2.37, "positive": 0.8713, "prob": 0.2931}
SHARES = (0.236328125, 0.451171875, 0.3125)  # a target distribution, and class counts: exactly 1 together
ROWS = [
    (2.9417, 0.1173, -0.3171),
    (0.7193, 1.0371, -2.1137),
    (-1.1173, -0.3171, 1.4139),
    (0.1171, 0.2273, -0.0931),
]
SHORT = 14  # operations: up to here a soft target stays a letter, beyond the ends of its range are derived
LONGEST = 4.0  # seconds of this process, for one reading
COSTLY = 1000  # terms of one reading, beyond which few are made
SPARSE = 17
STEP = context.mpf(10) ** -14
NEAR = context.mpf(10) ** -13  # a float inside a formula has 53 bits, its symbol has all


@dataclass(frozen=True)
class Reading:
    """One sample with its expression; `vary` are the variables to differentiate by."""

    sample: Sample
    expr: Expr
    vary: tuple[Symbol, ...]
    values: tuple[Any, Any, Any]  # fifty digits of value, gradients and curvatures
    families: tuple[Family, ...] = ()  # the softmax of the variables of a row
    far: bool = False  # beyond where every loss has its digits
    letters: Mapping[Symbol, Expr] = field(default_factory=dict[Symbol, Expr])  # of long parts that do not move

    @property
    def point(self) -> Point:
        return self.sample.at

    def diff(self, expr: Expr, index: int) -> Expr:
        """The derivative by one variable, through the shares of a row too."""
        found = partial(expr, self.vary[index])
        for family in self.families:
            if family.moves:
                for place, p in enumerate(family.shares):
                    found += partial(expr, p) * family.inner(place, index)
        return found


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
            yield f"target = {end:g}", _with_letters(_along(made, kinds, settings, end, fixed=True))
        return
    target = TARGET.get(kinds[1], 0.3719) if len(kinds) > 1 else 0.3719
    yield "", _with_letters(_along(made, kinds, settings, target))


def _along(
    made: Formula, kinds: Sequence[str], settings: Mapping[str, Any], t: float, fixed: bool = False
) -> list[Reading]:
    """Readings over the whole grid, or over every few points of it where one of them is long."""
    grid = _grid(kinds[0])
    first = _at(made, kinds, settings, grid[0], t, fixed)
    step = 1 if first.sample.terms <= COSTLY else SPARSE
    return [first, *(_at(made, kinds, settings, x, t, fixed) for x in grid[step::step])]


def _with_letters(readings: list[Reading], beside: Set[Symbol] = frozenset()) -> list[Reading]:
    """With a letter for what is long and made of keywords alone; symbols `beside` the prediction stay as they are."""
    known: dict[Expr, Symbol] = {}
    found: list[Reading] = []
    for one in readings:
        target = {symbol for symbol in one.point if str(symbol) == "t"}
        expr = lettered(one.expr, {*one.vary, *one.sample.stopped, *target, *beside}, known)
        letters = {letter: constant for constant, letter in known.items() if letter in expr.free_symbols}
        one.sample.at.update({letter: number(constant, one.point) for letter, constant in letters.items()})
        found.append(replace(one, expr=expr, letters=letters))
    return found


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

    return replace(_read(made, settings, arrays, (0,)), far=abs(x) >= FAR[0])


def rows(made: Formula, kinds: Sequence[str], settings: Mapping[str, Any]) -> Iterator[tuple[str, list[Reading]]]:
    """Readings of a loss of rows, with three classes, the first of which is right."""

    patterns = [axes[0] for axes in made.shapes.arguments]

    def arrays(row: Sequence[float], sample: Sample | None, moved: Mapping[int, Any]) -> Iterator[Any]:
        for index, (name, kind, pattern) in enumerate(zip(made.arguments, kinds, patterns, strict=True)):
            values = row if index == 0 else SHARES if letters(pattern) else SHARES[:1]
            if KINDS[kind.partition("|")[0]].integer:
                yield [0]
                continue
            if sample is None:
                found = [
                    context.mpf(value) + (moved.get(place, 0) if index == 0 else 0)
                    for place, value in enumerate(values)
                ]
            else:
                letter = "z" if index == 0 else LETTERS.get(name, name)
                found = [
                    sample.symbol(f"{letter}{place + 1}", value, fixed=index > 0) for place, value in enumerate(values)
                ]
            yield [found] if batched(pattern) and letters(pattern) else found

    def at(row: Sequence[float]) -> Reading:
        return _read(made, settings, lambda *how: list(arrays(row, *how)), range(CLASSES))

    def beside(reading: Reading) -> dict[str, tuple[Symbol, ...]]:
        """The rows of other logits and of a target distribution."""
        by_name = {str(one): one for one in reading.point}
        return {
            kind: tuple(by_name.get(f"{LETTERS.get(name, name)}{place + 1}") for place in range(CLASSES))
            for name, kind in zip(made.arguments[1:], kinds[1:], strict=True)
            if kind in ("logits", "dist")
        }

    plain = np.array(ROWS)
    if kinds[0] != "logits":
        plain = np.exp(plain) / np.exp(plain).sum(-1, keepdims=True)
        plain = np.log(plain) if kinds[0] == "logprob" else plain
    given = f"{CLASSES} classes, the first is right" if any("index" in kind for kind in kinds) else f"{CLASSES} classes"
    readings = [at([float(z) for z in row]) for row in plain]
    named = beside(readings[0])
    spread = tuple(Family(sympy.S.One, (), row, moves=False) for kind, row in named.items() if kind == "dist")
    others = [row for kind, row in named.items() if kind == "logits"]
    readings = _with_letters(readings, {one for row in named.values() for one in row})
    first = _in_shares(readings[0], others, spread)
    yield given, [first, *(_alike(first, one) or _in_shares(one, others, spread) for one in readings[1:])]


def _in_shares(reading: Reading, others: Sequence[tuple[Symbol, ...]], given: tuple[Family, ...]) -> Reading:
    """A reading of a row of logits in p = softmax(z), if everything can be said in p; `given` are distributions."""
    plain = reading.sample.revealed(reading.expr)
    if shift := offsets(plain, reading.vary):
        moved = sympy.expand_mul(plain.subs({z: z - added for z, added in shift.items()}, simultaneous=True), deep=True)
        at = {z: reading.point[z] + number(added, reading.point) for z, added in shift.items()}
        sample = replace(reading.sample, at={**reading.point, **at})
        found = _shared(replace(reading, sample=sample, expr=moved), others, given, tuple(shift.values()))
        if found is not None:
            return found
    return _shared(replace(reading, expr=plain), others, given) or replace(reading, families=given)


def _shared(
    reading: Reading, others: Sequence[tuple[Symbol, ...]], given: tuple[Family, ...], added: tuple[Expr, ...] = ()
) -> Reading | None:
    plain = reading.expr
    families = tuple(families_of(plain, [(reading.vary, True), *((row, False) for row in others)]))
    families = tuple(replace(one, added=added) if one.moves else one for one in families)
    expr = in_shares(plain, families) if families else plain
    if not any({*family.shares} & expr.free_symbols for family in families):
        return None
    for family in families:
        reading.sample.at.update(family.at(reading.point))
    return replace(reading, expr=expr, families=(*families, *given))


def _alike(first: Reading, one: Reading) -> Reading | None:
    """A reading by the expression in shares of the first, where that has its value: a body may ask who leads."""
    if not any(family.logits for family in first.families):
        return None
    at = dict(one.point)
    for z, added in {
        z: plus for family in first.families for z, plus in zip(family.logits, family.added, strict=False)
    }.items():
        at[z] = one.point[z] + number(added, one.point)
    for family in first.families:
        at.update(family.at(at) if family.logits else {})
    if not near(number(first.sample.revealed(first.expr), at), one.values[0]):
        return None
    return replace(one, sample=replace(one.sample, at=at), expr=first.expr, families=first.families)


def near(got: Any, want: Any) -> bool:
    """Equal up to what floats inside a formula were rounded."""
    return bool(context.isfinite(got) and abs(got - want) <= NEAR * max(1, abs(want)))


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


def _read(made: Formula, settings: Mapping[str, Any], arrays: Any, vary: Sequence[int]) -> Reading:
    """Read a body once as symbols, and as fifty digits at, before and after the point."""
    generic = [
        (name, default)
        for name, default in made.keywords.items()
        if type(default) is float and default != 0.0 and name not in settings and np.isfinite(default)
    ]
    # at their defaults two keywords may be equal, and two regions then look like one
    named = {name: default * (1 - 0.0683 / place) for place, (name, default) in enumerate(generic, 1)}
    long = LossmithError(message(f"{made.name} is not derived: its expression is too long to be read"))
    with at_most(LONGEST, long):
        sample, moving, value = _as_symbols(made, settings, arrays, vary, named)
    frozen, settings = _Frozen(), {**settings, **named}
    truth = [_value(made, frozen, [_digits(entry) for entry in arrays(None, {})], dict(settings))]
    first, second = [], []
    for index in vary:
        shifted = [
            _value(made, frozen.again(), [_digits(entry) for entry in arrays(None, {index: step})], dict(settings))
            for step in (STEP, -STEP)
        ]
        first.append((shifted[0] - shifted[1]) / (2 * STEP))
        second.append((shifted[0] - 2 * truth[0] + shifted[1]) / STEP**2)
    return Reading(sample, value.expr, moving, (truth[0], tuple(first), tuple(second)))


def _as_symbols(
    made: Formula, settings: Mapping[str, Any], arrays: Any, vary: Sequence[int], named: dict[str, float]
) -> tuple[Sample, tuple[Symbol, ...], Any]:
    """The reading; a keyword that the body makes a plain number of is taken out of `named`, for its own number."""
    sample = Sample()
    given = arrays(sample, {})
    moving = tuple(list(sample.at)[index] for index in vary)
    terms = {name: sample.symbol(name, value, fixed=True, positive=value > 0) for name, value in named.items()}
    try:
        value = _value(made, symbols.ops, [_array(entry) for entry in given], {**settings, **terms})
    except TypeError as error:
        plain = error.names & named.keys() if isinstance(error, Plain) else {*named}
        if not plain:
            raise
        for name in plain:
            del named[name]
        return _as_symbols(made, settings, arrays, vary, named)
    return sample, moving, value


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
