"""A loss as a function of one number, everything else held: what certificates are about.

A slice is read four ways: as doubles (to look for a counterexample), as balls at a point or over an interval (value,
slope and bend), and as series. `Slice.reads` counts the rigorous ones, which are the cost of a proof.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lossmith.ops import balls, series
from lossmith.ops import numpy as doubles
from lossmith.ops.ball import Ball
from lossmith.ops.balls import Jet, Questions, Undecided, moving

Read = Callable[[Any, Any], Any]  # from a reader and the array of the variable to the array of values
Answers = Mapping[int, bool]


class Slice:
    """One function of one number.

    name    what it is called in a certificate
    stopped whether a part of it is constant to differentiation; known once it was read
    """

    def __init__(self, read: Read, name: str = "loss") -> None:
        self.read, self.name, self.reads, self.stopped = read, name, 0, False

    def doubles(self, x: np.ndarray) -> np.ndarray:
        """Plain values, for a first look."""
        with np.errstate(all="ignore"):
            return np.broadcast_to(np.asarray(self.read(doubles, x), dtype=np.float64), x.shape)

    def at(self, x: Any, known: Answers | None = None) -> Jet:
        """Value, slope and bend at one number."""
        return self.over(x, None, known)[0]

    def over(self, low: Any, high: Any, known: Answers | None = None) -> tuple[Jet, tuple[bool, ...]]:
        """Value, slope and bend over an interval, with every answer that was given.

        Errors    Undecided, for a question without one answer that is not known
        """
        asked = Questions(known or {})
        return self._jet(moving(low, high, asked)), tuple(asked.answers)

    def asked(self, index: int, low: Any, high: Any, known: Answers) -> Jet:
        """The difference that question `index` is about, over an interval."""
        try:
            self._jet(moving(low, high, Questions(known, stop=index)))
        except Undecided as question:
            if question.index == index:
                return question.difference
            raise
        raise LookupError(f"question {index} was not asked")

    def bend(self, box: Ball, known: dict[int, bool]) -> Ball:
        """The second derivative over an interval, by a Taylor polynomial."""
        self.reads += 2

        def function(x: Any) -> Any:
            found = self.read(series.ops, series.array([x]))
            return series.lift(np.asarray(found).reshape(-1)[0])

        return series.bend_over(function, box, known)

    def _jet(self, x: Jet) -> Jet:
        self.reads += 1
        found = balls.lift(np.asarray(self.read(balls.ops, balls.array([x]))).reshape(-1)[0])
        if x.asked is not None:
            self.stopped |= x.asked.stopped
        return found
