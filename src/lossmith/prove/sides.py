"""A loss of the residual whose slope is straight on either side of 0: proved on the whole interval.

    slope = a + b r  for r > 0,    slope = c + d r  for r < 0

Squares, absolute values, quantiles and expectiles are of this form. What merely looks like them at points (a Huber
with its bend at 40, a square with a narrow dip) is not.
"""

from dataclasses import dataclass

from lossmith.ops.ball import Ball
from lossmith.ops.balls import Undecided
from lossmith.prove.certificate import Study
from lossmith.prove.pieces import Piece

CLOSE = 2.0**-46


@dataclass(frozen=True)
class Side:
    """The slope beside 0, and the second derivative, which is one number on the whole side."""

    slope: Ball
    bend: Ball


def sides_of(study: Study) -> tuple[Side, Side] | None:
    """Below 0 and above; None where the loss is not of this form, or is not seen to be."""
    if study.cut.undecided or study.function.stopped or any(not kink.at.has(0) for kink in study.kinks):
        return None
    below = _side(study, [piece for piece in study.cut.pieces if piece.low < 0], -1)
    above = _side(study, [piece for piece in study.cut.pieces if piece.high > 0], 0)
    return (below, above) if below and above else None


def same(x: Ball, y: Ball) -> bool:
    """One number, up to what constants of a loss were rounded."""
    difference = x - y
    return difference.is_finite and difference.size[1] <= CLOSE * (1 + x.size[1] + y.size[1])


def _side(study: Study, pieces: list[Piece], beside: int) -> Side | None:
    try:
        bends = [study.function.over(piece.low, piece.high, piece.known)[0].bend for piece in pieces]
    except Undecided:
        return None
    if not pieces or not all(same(bend, bends[0]) for bend in bends):
        return None
    nearest = pieces[beside]
    at = nearest.low if beside == 0 else nearest.high
    at = at if not nearest.low < 0 < nearest.high else 0
    return Side(study.function.at(at, nearest.known).slope, bends[0])
