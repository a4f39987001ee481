"""The slices of a loss of single numbers: its prediction moves, every other argument holds one of a few numbers.

What an argument may hold says which numbers: a target between 0 and 1 is 1, 0 and 0.3. A loss of the residual alone
has one slice, with target 0, which stands for all: `Elementwise.of_residual` proves that it is one.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

from lossmith.domains import KINDS
from lossmith.errors import LossmithError, message
from lossmith.ops import balls
from lossmith.ops.ball import ONE, ZERO, around, precision
from lossmith.ops.balls import Jet, Questions, Undecided
from lossmith.prove.slice import Slice
from lossmith.shapes import letters
from lossmith.spec import Formula

WIDE = 50.0
QUESTIONS = 6  # with two answers each
EDGE = 2.0**-20  # how far a probability stays from 0 and 1, where logarithms end
APART = (1.0, -2.0)  # targets of a loss that is not one of the residual: at 0 alone it may be another, or nothing
# What an argument after the first one holds, by its kind.
HELD: Mapping[str, tuple[float, ...]] = {
    "soft": (1.0, 0.0, 0.3),
    "binary": (1.0, 0.0),
    "pm1": (1.0, -1.0),
    "count": (2.0, 0.0),
    "positive": (1.5,),
    "prob": (0.3,),
    "weight": (1.0,),
    "mask": (1.0,),
}


@dataclass(frozen=True)
class Held:
    """One slice on its interval; `given` says what is held, empty where it does not matter; `target` likewise."""

    function: Slice
    low: float
    high: float
    given: str
    target: float | None


def interval(kind: str) -> tuple[float, float]:
    """Where a prediction of this kind is studied."""
    known = KINDS[kind]
    low = known.low + EDGE if np.isfinite(known.low) else -WIDE
    return low, known.high - EDGE if np.isfinite(known.high) else WIDE


def is_elementwise(made: Formula) -> bool:
    """Whether each value depends on one number of each argument."""
    return not made.coupled and all(not letters(pattern) for patterns in made.shapes.arguments for pattern in patterns)


def is_of_rows(made: Formula) -> bool:
    """Whether each value depends on one row of classes."""
    patterns = [pattern for patterns in made.shapes.arguments for pattern in patterns]
    return not made.coupled and letters(patterns[0]) == ("C",) and {*sum(map(letters, patterns), ())} == {"C"}


@dataclass(frozen=True)
class Elementwise:
    """A loss of single numbers: `read(ops, pred, *others)` is its values; `kinds` and `names` are of all arguments."""

    name: str
    read: Callable[..., Any]
    kinds: tuple[str, ...]
    names: tuple[str, ...]

    def slice(self, *numbers: float) -> Slice:
        """The loss as a function of its prediction, with these numbers for the other arguments."""
        return Slice(lambda ops, x: self.read(ops, x, *(ops.full_like(x, number) for number in numbers)), self.name)

    @cached_property
    def others(self) -> tuple[tuple[float, ...], ...]:
        """What the arguments after the first hold, in every combination."""
        held = [HELD.get(kind, (0.0,)) for kind in self.kinds[1:]]
        if self.kinds == ("real", "real") and not self.of_residual:
            held = [APART]
        return tuple(product(*held))

    @cached_property
    def of_residual(self) -> bool:
        """Whether the value depends on pred - target alone, for all numbers of -WIDE to WIDE: proved.

        Where both move by the same step nothing changes: the slope in that direction is 0, whichever branch is taken.
        """
        if self.kinds != ("real", "real"):
            return False
        with precision():
            return _stays(self.read, {})

    def slices(self) -> Iterator[Held]:
        """One slice for each combination of what the other arguments may hold."""
        low, high = interval(self.kinds[0])
        for numbers in self.others:
            held = dict(zip(self.names[1:], numbers, strict=True))
            given = "" if self.of_residual else ", ".join(f"{name} = {number:g}" for name, number in held.items())
            yield Held(self.slice(*numbers), low, high, given, held.get("target"))


def elementwise(made: Formula, **settings: Any) -> Elementwise:
    """A catalogue formula as a loss of single numbers.

    Errors    LossmithError for a formula of rows, pairs or images
    """
    if not is_elementwise(made):
        raise LossmithError(
            message(
                f"{made.name} is not certified: it takes {made.shapes.text}",
                {"certified": "losses of single numbers (..., ... -> ...)"},
            )
        )

    def read(ops: Any, *arrays: Any) -> Any:
        return made.outcome(ops, *arrays, **settings).values

    return Elementwise(made.name, read, made.kinds_for(**settings), made.arguments)


def _stays(read: Callable[..., Any], known: dict[int, bool]) -> bool:
    """The slope is 0 under these answers, and under both answers to what is still open."""
    asked = Questions(known)
    there = [Jet(around(-WIDE, WIDE), ONE, ZERO, asked) for _ in range(2)]
    try:
        found = read(balls.ops, *(balls.array([x]) for x in there))
        return balls.lift(np.asarray(found).reshape(-1)[0]).slope is ZERO
    except Undecided as question:
        moves = question.index < 0 or question.difference.slope is not ZERO
        if moves or len(known) == QUESTIONS:
            return False
        return all(_stays(read, {**known, question.index: answer}) for answer in (True, False))
