"""A function of one number cut where its branches meet: smooth pieces, and kinks between them.

On an interval where every question of the body has one answer, the body is one smooth expression: a piece. Elsewhere
take the first question without an answer, with difference g. If g' has one sign, g has one root at most: interval
Newton encloses it, and left and right of it the answer is known. If g' has no sign, the interval is halved. So every
piece is found with the answers under which it may be read, also at its ends. At the root itself every answer is
tried: a value that is on neither side, of a single point out of line, stays undecided.

What remains undecided below the smallest width is kept, and nothing is concluded about it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from flint import arb

from lossmith.ops.ball import ANYTHING, Ball, around
from lossmith.ops.balls import Jet, Undecided
from lossmith.prove.slice import Slice

HALF = 0.4859  # no middle: the middle of an interval is where losses have their kinks
QUESTIONS = 6  # undecided at one root, beyond which no value is told
NARROW = 2.0**-26  # of the width of the whole interval
ROUNDING = 2.0**-48  # a constant of a body is a float: what joins in theory may miss by this share of its size


@dataclass(frozen=True)
class Piece:
    """From low to high the body is one expression: the one that it is under these answers."""

    low: arb
    high: arb
    answers: tuple[bool, ...]

    @cached_property
    def known(self) -> dict[int, bool]:
        return dict(enumerate(self.answers))


@dataclass(frozen=True)
class Kink:
    """Where two pieces meet: value and slope on either side."""

    at: Ball
    left: Jet
    right: Jet

    @property
    def gap(self) -> Ball:
        return self.right.value - self.left.value

    @property
    def jump(self) -> Ball:
        return self.right.slope - self.left.slope

    @property
    def is_continuous(self) -> bool | None:
        """None where it cannot be told."""
        return _is_zero(self.gap, self.left.value, self.right.value)

    @property
    def is_smooth(self) -> bool | None:
        """Whether the slope has no jump."""
        return _is_zero(self.jump, self.left.slope, self.right.slope)


def _is_zero(difference: Ball, left: Ball, right: Ball) -> bool | None:
    if not (left.is_finite and right.is_finite):
        return None
    near, far = difference.size
    return True if far <= ROUNDING * (1 + left.size[1] + right.size[1]) else False if near > 0 else None


@dataclass(frozen=True)
class Pieces:
    """All of an interval: pieces from left to right, the kinks between them, and intervals that stayed undecided."""

    pieces: tuple[Piece, ...]
    kinks: tuple[Kink, ...]
    undecided: tuple[Ball, ...]


def pieces_of(function: Slice, low: float, high: float, reads: int = 4000) -> Pieces:
    """Cut [low, high]; after so many readings the rest is undecided."""
    last = function.reads + reads
    roots: list[Ball] = []
    found = list(_cut(function, arb(low), arb(high), {}, (high - low) * NARROW, last, roots))
    pieces: list[Piece] = []
    for one in found:
        before = pieces[-1] if pieces else None
        if before and isinstance(one, Piece) and before.answers == one.answers and before.high == one.low:
            pieces[-1] = Piece(before.low, one.high, one.answers)
        elif isinstance(one, Piece):
            pieces.append(one)
    undecided = [one for one in found if isinstance(one, Ball)]
    undecided += [root for root in roots if not _in_line(function, root, pieces)]
    kinks: list[Kink] = []
    for before, after in pairwise(pieces):
        at = Ball(before.high, after.low)
        if not any(at.has(box.low) and at.has(box.high) and box.width > 0 for box in undecided):
            kinks.append(Kink(at, _read(function, at, before), _read(function, at, after)))
    return Pieces(tuple(pieces), tuple(kinks), tuple(undecided))


def _in_line(function: Slice, root: Ball, pieces: list[Piece]) -> bool:
    """Whether every value that a root of a question may have is that of a piece beside it."""
    beside = [_read(function, root, one).value for one in pieces if one.low <= root.high and one.high >= root.low]
    return all(any(_is_zero(value - side, value, side) for side in beside) for value in _values_at(function, root, {}))


def _values_at(function: Slice, at: Ball, known: dict[int, bool]) -> Iterator[Ball]:
    """The values under every answer to what is undecided there."""
    try:
        yield function.over(at.low, at.high, known)[0].value
    except Undecided as question:
        if question.index < 0 or len(known) == QUESTIONS:
            yield ANYTHING
        else:
            for answer in (True, False):
                yield from _values_at(function, at, {**known, question.index: answer})


def _read(function: Slice, at: Ball, piece: Piece) -> Jet:
    return function.over(at.low, at.high, piece.known)[0]


def _cut(
    function: Slice, low: arb, high: arb, known: dict[int, bool], narrow: float, last: int, roots: list[Ball]
) -> Iterator[Piece | Ball]:
    """Pieces and undecided intervals, from left to right; the roots that were cut at are added to `roots`."""
    if not low < high:
        return
    if function.reads > last:
        yield Ball(low, high)
        return
    try:
        yield Piece(low, high, function.over(low, high, known)[1])
        return
    except Undecided as question:
        index, difference, equality = question.index, question.difference, question.equality

    def cut(start: arb, end: arb, answers: dict[int, bool]) -> Iterator[Piece | Ball]:
        return _cut(function, start, end, {**known, **answers}, narrow, last, roots)

    middle = arb(float(low + (high - low) * HALF))
    slope = difference.slope
    if index < 0 or not (slope.low > 0 or slope.high < 0):
        if high - low < narrow:
            yield Ball(low, high)
        else:
            yield from cut(low, middle, {})
            yield from cut(middle, high, {})
        return
    root = _root(function, index, low, high, known)
    if root is None:
        there = function.asked(index, middle, middle, known).value
        if there.has(0):
            yield Ball(low, high)
        else:
            yield from cut(low, high, {index: not equality and there.low > 0})
        return
    roots.append(root)
    rises = slope.low > 0
    yield from cut(low, root.low, {index: not equality and not rises})
    yield from cut(root.high, high, {index: not equality and rises})


def _root(function: Slice, index: int, low: arb, high: arb, known: dict[int, bool]) -> Ball | None:
    """Where a difference with a slope of one sign is 0, by interval Newton; None where it is nowhere."""
    box = Ball(low, high)
    for _ in range(80):
        middle = box.middle
        there = function.asked(index, middle, middle, known).value
        slope = function.asked(index, box.low, box.high, known).slope
        step = around(middle) - there / slope
        if step.low > box.high or step.high < box.low:
            return None
        again = box.meet(step)
        if not again.width < box.width * arb(0.9):
            return again
        box = again
    return box
