"""The slices of a catalogue formula: its prediction moves, and every other argument holds one of a few numbers.

What an argument may hold says which numbers: a target between 0 and 1 is 1, 0 and 0.3. A loss of the residual alone
has one slice, with target 0, which stands for all: `of_residual` proves that it is one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from lossmith.domains import KINDS
from lossmith.errors import LossmithError, message
from lossmith.ops import balls
from lossmith.ops.ball import ONE, ZERO, around
from lossmith.ops.balls import Jet, Questions, Undecided
from lossmith.prove.slice import Slice
from lossmith.shapes import letters
from lossmith.spec import Formula

WIDE = 50.0
QUESTIONS = 6  # with two answers each
EDGE = 2.0**-20  # how far a probability stays from 0 and 1, where logarithms end
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


def slices_of(made: Formula, **settings: Any) -> Iterator[Held]:
    """One slice for each combination of what the other arguments may hold.

    Errors    LossmithError for a formula that is not elementwise
    """
    if not is_elementwise(made):
        raise LossmithError(
            message(f"{made.name} is not certified: it takes {made.shapes.text}", {"certified": "... -> ..."})
        )
    kinds = made.kinds_for(**settings)
    low, high = interval(kinds[0])
    for numbers in product(*(HELD.get(kind, (0.0,)) for kind in kinds[1:])):
        held = dict(zip(made.arguments[1:], numbers, strict=True))
        residual = kinds == ("real", "real") and of_residual(made, settings)
        given = "" if residual else ", ".join(f"{name} = {number:g}" for name, number in held.items())
        function = Slice(_holding(made, numbers, settings), made.name)
        yield Held(function, low, high, given, held.get("target"))


def _holding(made: Formula, numbers: tuple[float, ...], settings: Mapping[str, Any]) -> Any:
    def read(ops: Any, x: Any) -> Any:
        rest = [ops.full_like(x, number) for number in numbers]
        return made.outcome(ops, x, *rest, **settings).values

    return read


def of_residual(made: Formula, settings: Mapping[str, Any]) -> bool:
    """Whether the value depends on pred - target alone, for all numbers of -WIDE to WIDE: proved.

    Where both move by the same step nothing changes: the slope in that direction is 0, whichever branch is taken.
    """
    return _stays(made, settings, {})


def _stays(made: Formula, settings: Mapping[str, Any], known: dict[int, bool]) -> bool:
    """The slope is 0 under these answers, and under both answers to what is still open."""
    asked = Questions(known)
    there = [Jet(around(-WIDE, WIDE), ONE, ZERO, asked) for _ in range(2)]
    try:
        found = made.outcome(balls.ops, *(balls.array([x]) for x in there), **settings).values
        return balls.lift(np.asarray(found).reshape(-1)[0]).slope is ZERO
    except Undecided as question:
        moves = question.index < 0 or question.difference.slope is not ZERO
        if moves or len(known) == QUESTIONS:
            return False
        return all(_stays(made, settings, {**known, question.index: answer}) for answer in (True, False))
