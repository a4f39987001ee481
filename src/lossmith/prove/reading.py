"""A body read as symbols at one point, with fifty digits of its value, gradient and curvature there as the judge.

Digits of a derivative are differences of the fifty-digit reading of the same body, with an error below 1e-20.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lossmith.errors import LossmithError, message
from lossmith.ops import digits, symbols
from lossmith.ops.digits import context
from lossmith.ops.symbols import Plain, Sample, Symbols
from lossmith.prove.constants import lettered
from lossmith.prove.evaluate import Expr, Point, Symbol, number
from lossmith.prove.shares import Family, partial
from lossmith.prove.simplify import at_most
from lossmith.spec import Formula

LETTERS = {"pred": "x", "target": "t", "logits": "x"}
LONGEST = 4.0  # seconds of this process, for one reading
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


def near(got: Any, want: Any) -> bool:
    """Equal up to what floats inside a formula were rounded."""
    return bool(context.isfinite(got) and abs(got - want) <= NEAR * max(1, abs(want)))


def with_letters(readings: list[Reading], beside: Set[Symbol] = frozenset()) -> list[Reading]:
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


def read(made: Formula, settings: Mapping[str, Any], arrays: Any, vary: Sequence[int]) -> Reading:
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


class _Meant(digits.Numbers):
    """Fifty digits of what is written for a float: the judge of an expression must mean the same numbers."""

    def lift(self, x: Any) -> Any:
        return symbols.meant(x) if isinstance(x, float) else super().lift(x)


class _Frozen(digits.Objects):
    """Fifty digits, where `stop_gradient` answers in every later reading what it answered in the first."""

    def __init__(self) -> None:
        super().__init__(_Meant(), digits.Digits)
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
