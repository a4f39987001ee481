"""Ranges that follow from what is proved already: no branch and bound is as sharp, or as cheap.

convex              slopes lie between those at the two ends; a second derivative is 0 or more
                    the largest value is at an end; at x it is never below the tangent at any other place
monotone between    values lie between those at the places where the direction may turn
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from flint import arb

from lossmith.ops.ball import INF, NOTHING, Ball
from lossmith.ops.balls import Jet
from lossmith.prove.certificate import Range, Study

HALVINGS = 100  # of the interval where the slope changes its sign


def slopes_of_convex(study: Study) -> Range:
    """From the slope at the lower end to the slope at the upper one."""
    left, right = _at(study, arb(study.low))[0], _at(study, arb(study.high))[-1]
    return Range(left.slope, right.slope, study.low, study.high)


def bends_of_convex(found: Range | None) -> Range | None:
    """What branch and bound found, never below 0."""
    return found and replace(
        found, least=found.least.meet(Ball(NOTHING, INF)), most=found.most.meet(Ball(NOTHING, INF))
    )


def values_of_convex(study: Study) -> Range:
    """The larger end, and the tangent beside the smallest value."""
    low, high = arb(study.low), arb(study.high)
    left, right = _at(study, low)[0], _at(study, high)[-1]
    most, most_at = _largest([(left.value, low), (right.value, high)])
    if left.slope.low >= 0:
        return Range(left.value, most, study.low, float(most_at))
    if right.slope.high <= 0:
        return Range(right.value, most, study.high, float(most_at))
    reached = min(left.value.high, right.value.high)
    for _ in range(HALVINGS):
        middle = arb(float((low + high) / 2))
        jets = _at(study, middle)
        if not (low < middle < high and jets):
            break
        reached = min(reached, jets[0].value.high)
        if jets[0].slope.high <= 0 <= jets[-1].slope.low:
            return Range(jets[0].value.hull(jets[-1].value), most, float(middle), float(most_at))
        if jets[-1].slope.high <= 0:
            low, left = middle, jets[-1]
        elif jets[0].slope.low >= 0:
            high = middle
        else:  # nearly flat: the tangent here says the most
            far = max(jets[0].slope.size[1], jets[-1].slope.size[1]) * (high - low)
            return Range(Ball((jets[0].value.low - far).lower(), reached), most, float(middle), float(most_at))
    tangent = left.value + left.slope * Ball(NOTHING, (high - low).upper())
    return Range(Ball(tangent.low, reached), most, float(low), float(most_at))


def values_between_turns(study: Study, turns: Sequence[float]) -> Range | None:
    """Where the value is monotone from each place to the next: the smallest and the largest at these places."""
    jets = [_at(study, arb(turn)) for turn in turns]
    found = [(jet.value, arb(turn)) for turn, there in zip(turns, jets, strict=True) for jet in there]
    if not all(jets) or not all(value.is_finite for value, _ in found):
        return None
    most, most_at = _largest(found)
    least, least_at = _largest([(-value, at) for value, at in found])
    return Range(-least, most, float(least_at), float(most_at))


def _largest(found: Sequence[tuple[Ball, arb]]) -> tuple[Ball, arb]:
    """An enclosure of the largest of some values, and where it is."""
    _, at = max(found, key=lambda one: one[0].middle)
    return Ball(max(value.low for value, _ in found), max(value.high for value, _ in found)), at


def _at(study: Study, x: arb) -> list[Jet]:
    """Value and slope at a number, as each piece that holds it says, from left to right; none where it is undecided."""
    beside = next(([kink.left, kink.right] for kink in study.cut.kinks if kink.at.has(x)), [])
    return list(_said(study, x)) or beside  # a kink may lie at a root that is enclosed, by no more than 1e-30


def _said(study: Study, x: arb) -> Iterator[Jet]:
    for piece in study.cut.pieces:
        if piece.low <= x <= piece.high:
            yield study.function.at(x, piece.known)
