"""How large a value, a slope or a bend gets on smooth pieces, and whether it stays above 0: by branch and bound.

An interval is answered by its enclosure. Where the next derivative has one sign, the two ends say it exactly. A bend
that is too wide is enclosed once more by a Taylor polynomial. What is still open is halved.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal

from flint import arb

from lossmith.ops.ball import ANYTHING, INF, NEG_INF, Ball
from lossmith.ops.balls import Jet, Undecided
from lossmith.prove.pieces import HALF, Piece
from lossmith.prove.slice import Slice

Order = Literal[0, 1, 2]  # the value, the slope, the bend
NARROW = 2.0**-32  # of the width of all pieces
IDLE = 300  # readings in a row that decided nothing: halving is of no use there
SMALL = 2.0  # width up to which a Taylor polynomial of a loss is worth its cost


@dataclass(frozen=True)
class Sign:
    """What is known about "never below 0".

    below      a number at which it is below 0 for certain
    undecided  intervals that stayed open
    intervals  how many were needed
    """

    below: arb | None
    undecided: tuple[Ball, ...]
    intervals: int

    @property
    def proved(self) -> bool:
        return self.below is None and not self.undecided


def never_below(
    function: Slice, pieces: Sequence[Piece], order: Order, *, sign: int = 1, offset: arb | float = 0, reads: int
) -> Sign:
    """Whether sign * (value, slope or bend) + offset is 0 or more on all pieces; stops at the first that is below."""
    last, undecided, intervals = function.reads + reads, list[Ball](), 0
    decided = function.reads
    stack = [(piece.low, piece.high, piece) for piece in reversed(pieces)]
    narrow = sum(float(piece.high - piece.low) for piece in pieces) * NARROW
    while stack:
        low, high, piece = stack.pop()
        intervals += 1
        box = Ball(low, high)
        found = _enclosure(function, low, high, piece, order)
        if _signed(found.over, sign, offset).low >= 0:
            decided = function.reads
            continue
        middle = arb(float(low + (high - low) * HALF))
        there = _coefficient(function.at(middle, piece.known), order)
        if _signed(there, sign, offset).high < 0:
            return Sign(middle, (), intervals)
        if order == 2 and high - low < SMALL:
            found = _Enclosure(function.bend(box, piece.known), ANYTHING)
        elif order < 2:
            found = _Enclosure(there + found.change * (box - Ball(middle, middle)), ANYTHING)  # mean value theorem
        if _signed(found.over, sign, offset).low >= 0:
            decided = function.reads
            continue
        if function.reads > min(last, decided + IDLE) or high - low < narrow:
            undecided.append(box)
        else:
            stack += [(middle, high, piece), (low, middle, piece)]
    return Sign(None, tuple(undecided), intervals)


def without_bound(function: Slice, pieces: Sequence[Piece], order: Order, *, reads: int) -> Ball | None:
    """An interval where value, slope or bend has no finite enclosure, however short it is: sqrt(x^2) at 0 asks nothing.

    None where all is bounded: what is made of smooth functions is then continuous on each piece.
    """
    last = function.reads + reads
    narrow = sum(float(piece.high - piece.low) for piece in pieces) * NARROW
    stack = [(piece.low, piece.high, piece) for piece in reversed(pieces)]
    while stack:
        low, high, piece = stack.pop()
        try:
            if _coefficient(function.over(low, high, piece.known)[0], order).is_finite:
                continue
        except Undecided:
            pass
        if function.reads > last or high - low < narrow:
            return Ball(low, high)
        middle = arb(float(low + (high - low) * HALF))
        stack += [(middle, high, piece), (low, middle, piece)]
    return None


def largest(
    function: Slice, pieces: Sequence[Piece], order: Order, *, sign: int = 1, tolerance: float, reads: int
) -> tuple[Ball, arb]:
    """An enclosure of the largest of sign * (value, slope or bend), and where it is (nearly) reached."""
    last, ties = function.reads + reads, count()
    reached, where = NEG_INF, pieces[0].low
    heap: list[tuple[float, int, arb, arb, Piece, arb]] = []

    def visit(x: arb, piece: Piece) -> None:
        nonlocal reached, where
        found = _signed(_coefficient(function.at(x, piece.known), order), sign, 0).low
        if found > reached:
            reached, where = found, x

    def push(low: arb, high: arb, piece: Piece) -> None:
        top = _signed(_enclosure(function, low, high, piece, order).over, sign, 0).high
        top = INF if top.is_nan() else top
        if not top <= reached:
            heapq.heappush(heap, (-float(top), next(ties), low, high, piece, top))

    for piece in pieces:
        visit(piece.low, piece)
        visit(piece.high, piece)
    for piece in pieces:
        push(piece.low, piece.high, piece)
    while heap and function.reads < last:
        top = heap[0][5]
        if top - reached <= tolerance * (1 + abs(reached)):
            break
        _, _, low, high, piece, _ = heapq.heappop(heap)
        middle = arb(float(low + (high - low) * HALF))
        if not low < middle < high:
            heapq.heappush(heap, (-float(top), next(ties), low, high, piece, top))
            break
        visit(middle, piece)
        push(low, middle, piece)
        push(middle, high, piece)
    top = max([reached, *(entry[5] for entry in heap)])
    return Ball(reached, top.upper()), where


def _signed(found: Ball, sign: int, offset: arb | float) -> Ball:
    found = -found if sign < 0 else found
    return found if isinstance(offset, (int, float)) and offset == 0 else found + Ball(arb(offset), arb(offset))


def _coefficient(jet: Jet, order: Order) -> Ball:
    return (jet.value, jet.slope, jet.bend)[order]


def _enclosure(function: Slice, low: arb, high: arb, piece: Piece, order: Order) -> "_Enclosure":
    try:
        jet, _ = function.over(low, high, piece.known)
    except Undecided:
        return _Enclosure(ANYTHING, ANYTHING)
    found = _coefficient(jet, order)
    if order == 2 or function.stopped:
        return _Enclosure(found, ANYTHING)
    if order == 1 and not _one_sign(jet.bend):
        return _Enclosure(found, jet.bend)
    if order == 0 and not (_one_sign(jet.slope) or _one_sign(jet.bend)):
        return _Enclosure(found, jet.slope)
    left, right = (function.at(end, piece.known) for end in (low, high))
    slope = left.slope.hull(right.slope) if _one_sign(jet.bend) else jet.slope
    if order == 1:
        return _Enclosure(slope, jet.bend)
    return _Enclosure(left.value.hull(right.value) if _one_sign(slope) else found, slope)


def _one_sign(x: Ball) -> bool:
    return x.low >= 0 or x.high <= 0


@dataclass(frozen=True)
class _Enclosure:
    """What a coefficient and its derivative are over an interval."""

    over: Ball
    change: Ball
