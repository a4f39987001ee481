"""Certificates: what is true of a loss of one number on a stated interval, with a proof or a counterexample.

    with precision():
        study = Study(Slice(read), -50.0, 50.0)
        study.convex()          proved · refuted, with three numbers that show it · open, with what was tried
        study.slope_range()     enclosures of the smallest and the largest slope

The slope jumps to and fro at kinks, where pieces of the loss meet; every claim is proved on each piece and at each
kink. Where theory says that two pieces join, the floats inside a loss (a rounded log 2) may leave a gap of a few
units in the last place: it is accepted, and `within` says how much was.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Literal

from flint import arb

from lossmith.ops.ball import Ball, precision
from lossmith.prove import counterexample
from lossmith.prove.counterexample import Counterexample
from lossmith.prove.extremes import Order, Sign, largest, never_below, without_bound
from lossmith.prove.pieces import ROUNDING, Kink, Pieces, pieces_of
from lossmith.prove.slice import Slice

Verdict = Literal["proved", "refuted", "open"]
READS = 6000  # readings for one claim; a reading costs 0.05 to 1 ms


@dataclass(frozen=True)
class Certificate:
    """One claim on [low, high].

    within   how much of a gap was taken for the rounding of constants; 0 where nothing was
    by       for a refuted claim: numbers, values there, and the violation
    because  how it was proved, what refutes it, or what stayed open and what was tried
    """

    claim: str
    verdict: Verdict
    low: float
    high: float
    because: str
    within: float = 0.0
    by: Counterexample | None = None


@dataclass(frozen=True)
class Range:
    """Enclosures of the smallest and of the largest number of a kind, and where they are nearly reached."""

    least: Ball
    most: Ball
    least_at: float
    most_at: float

    @property
    def size(self) -> Ball:
        """An enclosure of the largest absolute number."""
        low, high = -self.least, self.most
        return Ball(max(low.low, high.low), max(low.high, high.high))


class Study:
    """All that is proved about one slice on one interval; `precision()` must hold around every use."""

    def __init__(self, function: Slice, low: float, high: float, reads: int = READS) -> None:
        self.function, self.low, self.high, self.reads = function, low, high, reads

    @cached_property
    def cut(self) -> Pieces:
        return pieces_of(self.function, self.low, self.high, self.reads)

    @cached_property
    def kinks(self) -> tuple[Kink, ...]:
        """Where the slope has a jump, or the value."""
        return tuple(kink for kink in self.cut.kinks if kink.is_smooth is not True or kink.is_continuous is not True)

    @cached_property
    def within(self) -> float:
        """The largest gap in value or slope that was taken for rounding."""
        taken = [kink.gap.size[1] for kink in self.cut.kinks if kink.is_continuous]
        taken += [kink.jump.size[1] for kink in self.cut.kinks if kink.is_smooth]
        return max(map(float, taken), default=0.0)

    def is_bounded(self, order: Order) -> bool:
        """Whether value, slope or bend has finite enclosures on all pieces, and so is continuous on each."""
        return without_bound(self.function, self.cut.pieces, order, reads=self.reads) is None

    def convex(self) -> Certificate:
        """The bend is 0 or more on every piece, and at each kink the value joins and the slope does not fall."""
        if (found := self._unreadable("convex")) is not None:
            return found
        if (by := counterexample.look(self.function, self.low, self.high)) is not None:
            return self._refuted("convex", by)
        sign = never_below(self.function, self.cut.pieces, 2, reads=self.reads)
        torn = [kink for kink in self.kinks if kink.is_continuous is False or kink.jump.high < 0]
        suspects = [kink.at.middle for kink in torn] + ([sign.below] if sign.below is not None else [])
        if suspects:
            by = counterexample.near(self.function, self.low, self.high, suspects)
            if by is not None and self._is_more_than_rounding(by):
                return self._refuted("convex", by)
            if by is not None:
                where = shown(by.at[1])
                return self._open("convex", f"near {where} it bends down by no more than its constants are rounded")
            return self._open("convex", f"near {float(suspects[0]):.6g} it bends down, by less than 128 bits can show")
        unsure = [kink for kink in self.kinks if kink.is_continuous is None or kink.jump.low < 0]
        return self._answer("convex", sign, [kink.at for kink in unsure])

    def _is_more_than_rounding(self, by: Counterexample) -> bool:
        """Whether the loss bends down there by more than a few units in the last place of how it bends elsewhere."""
        half = by.at[2] - by.at[1]
        ends = (self.function.at(arb(self.low + (self.high - self.low) * share)) for share in (0.03, 0.31, 0.59, 0.97))
        usual = max(jet.bend.size[0] for jet in ends)
        return bool(2 * by.by > ROUNDING * (1 + usual) * half**2)

    def rising(self) -> Certificate:
        """A larger prediction never costs less."""
        return self._monotone("rising", 1)

    def falling(self) -> Certificate:
        """A larger prediction never costs more."""
        return self._monotone("falling", -1)

    def value_within(self, low: float, high: float) -> Certificate:
        """Every value lies from low to high, either of which may be infinite."""
        claim = f"{low:g} <= value <= {high:g}"
        if (found := self._unreadable(claim)) is not None and not self.cut.pieces:
            return found
        left = Sign(None, (), 0)
        for sign, end in ((1, low), (-1, high)):
            if abs(end) == inf:
                continue
            found = never_below(self.function, self.cut.pieces, 0, sign=sign, offset=-sign * end, reads=self.reads)
            if found.below is not None:
                value = self.function.at(found.below, self._known_at(found.below)).value
                far = abs(value.middle - arb(end))
                return self._refuted(claim, Counterexample((found.below,), (value,), far))
            left = Sign(None, left.undecided + found.undecided, left.intervals + found.intervals)
        return self._answer(claim, left, [])

    def slope_at_most(self, bound: float) -> Certificate:
        """No slope is larger than the bound, which makes it a Lipschitz constant."""
        claim = f"|slope| <= {bound:.6g}"
        if (found := self._unreadable(claim)) is not None:
            return found
        torn = [kink for kink in self.kinks if kink.is_continuous is not True]
        if torn:
            return self._open(claim, f"the value jumps at {shown(torn[0].at.middle)}")
        most = arb(bound) + arb(bound) * 2**-46  # a bound is a float too
        for sign in (1, -1):
            found = never_below(self.function, self.cut.pieces, 1, sign=sign, offset=most, reads=self.reads)
            if not found.proved:
                return self._slope_is_larger(claim, found, most)
        return self._proved(claim, "every piece")

    def smooth(self) -> Certificate:
        """The slope has no jump."""
        claim = "smooth"
        if (found := self._unreadable(claim)) is not None:
            return found
        for kink in self.kinks:
            where = shown(kink.at.middle)
            if kink.is_continuous is False:
                return Certificate(claim, "refuted", self.low, self.high, f"the value jumps at {where}")
            if kink.is_smooth is False:
                jump = shown(kink.jump.middle)
                return Certificate(claim, "refuted", self.low, self.high, f"the slope jumps by {jump} at {where}")
            return self._open(claim, f"whether two pieces join at {where} is too close to call")
        rough = without_bound(self.function, self.cut.pieces, 1, reads=self.reads)
        return self._answer(claim, Sign(None, (rough,) if rough else (), len(self.cut.pieces)), [])

    def value_range(self, tolerance: float = 1e-9) -> Range | None:
        """The smallest and the largest value; None where something stayed open."""
        return self._range(0, tolerance)

    def slope_range(self, tolerance: float = 1e-9) -> Range | None:
        """The smallest and the largest slope, on either side of kinks too."""
        return self._range(1, tolerance)

    def bend_range(self, tolerance: float = 1e-2) -> Range | None:
        """The smallest and the largest second derivative between kinks."""
        return self._range(2, tolerance)

    def _range(self, order: Order, tolerance: float) -> Range | None:
        if self._unreadable("") is not None or self.cut.undecided:
            return None
        how = {"tolerance": tolerance, "reads": self.reads // 2}
        least, low = largest(self.function, self.cut.pieces, order, sign=-1, **how)
        most, high = largest(self.function, self.cut.pieces, order, sign=1, **how)
        return Range(-least, most, float(low), float(high))

    def _monotone(self, claim: str, sign: int) -> Certificate:
        if (found := self._unreadable(claim)) is not None:
            return found
        torn = [kink for kink in self.kinks if kink.is_continuous is not True and not _goes(kink.gap, sign)]
        for kink in torn:
            if (by := _wrong_way(self.function, kink.at.middle, sign, self.low, self.high)) is not None:
                return self._refuted(claim, by)
        if torn:
            return self._open(claim, f"the value may jump at {shown(torn[0].at.middle)}")
        found = never_below(self.function, self.cut.pieces, 1, sign=sign, reads=self.reads)
        if found.below is None:
            return self._answer(claim, found, [])
        by = _wrong_way(self.function, found.below, sign, self.low, self.high)
        return self._open(claim, "too close to call") if by is None else self._refuted(claim, by)

    def _slope_is_larger(self, claim: str, found: Sign, most: arb) -> Certificate:
        if found.below is None:
            return self._answer(claim, found, [])
        slope = self.function.at(found.below, self._known_at(found.below)).slope
        by = Counterexample((found.below,), (slope,), slope.size[0] - most)
        return self._refuted(claim, by)

    def _known_at(self, x: arb) -> dict[int, bool]:
        return next(piece.known for piece in self.cut.pieces if piece.low <= x <= piece.high)

    def _unreadable(self, claim: str) -> Certificate | None:
        """A claim about a function whose slope, as differentiation gives it, is not the slope of its value."""
        with precision():
            _ = self.cut
        if self.function.stopped:
            return self._open(claim, "a part of it is constant to differentiation (stop_gradient)")
        if not self.cut.pieces:
            return self._open(claim, f"no piece was found in {self.function.reads} readings")
        return None

    def _answer(self, claim: str, sign: Sign, unsure: list[Ball]) -> Certificate:
        left = [*sign.undecided, *self.cut.undecided, *unsure]
        if not left:
            return self._proved(claim, f"{sign.intervals} intervals, {len(self.cut.kinks)} joins")
        width = sum(float(box.width) for box in left)
        where = shown(left[0].middle)
        return self._open(claim, f"undecided over a width of {width:.2g}, first near {where}: {sign.intervals} tried")

    def _proved(self, claim: str, how: str) -> Certificate:
        if self.cut.undecided:
            return self._answer(claim, Sign(None, (), 0), [])
        return Certificate(claim, "proved", self.low, self.high, how, self.within)

    def _refuted(self, claim: str, by: Counterexample) -> Certificate:
        return Certificate(claim, "refuted", self.low, self.high, _words(claim, by), by=by)

    def _open(self, claim: str, why: str) -> Certificate:
        return Certificate(claim, "open", self.low, self.high, why)


def _goes(gap: Ball, sign: int) -> bool:
    """Whether a jump is one in this direction for certain."""
    return gap.low >= 0 if sign > 0 else gap.high <= 0


def _wrong_way(function: Slice, at: arb, sign: int, low: float, high: float) -> Counterexample | None:
    """Two numbers, and their values in the wrong order for certain, by more than constants are rounded."""
    for left, right in [*counterexample.falls(function, low, high, sign), *_around(at, low, high)]:
        values = (function.at(left).value, function.at(right).value)
        by = (values[1] - values[0]).high if sign > 0 else -(values[1] - values[0]).low
        if by < -ROUNDING * (values[0].size[1] + values[1].size[1]):
            return Counterexample((left, right), values, -by)
    return None


def _around(at: arb, low: float, high: float) -> Iterator[tuple[arb, arb]]:
    """Pairs about a number, closer and closer."""
    step = (high - low) / 4
    while step > (high - low) * 2.0**-40:
        yield max(arb(low), at - step), min(arb(high), at + step)
        step /= 2


def _words(claim: str, by: Counterexample) -> str:
    at = [shown(x) for x in by.at]
    values = [shown(value.middle) for value in by.values]
    if len(at) == 1:
        return f"at {at[0]} the {'slope' if 'slope' in claim else 'value'} is {values[0]}"
    if len(at) == 2:
        apart = f", which differ by {float(by.by):.3g}" if len({*values}) == 1 else ""
        return f"l({at[0]}) = {values[0]}, l({at[1]}) = {values[1]}{apart}"
    half = float(by.at[2] - by.at[1])
    if len({*at}) < 3:
        at = [f"{at[1]} - {half:.3g}", at[1], f"{at[1]} + {half:.3g}"]
    return f"l({at[1]}) is above the mean of l({at[0]}) and l({at[2]}) by {float(by.by):.3g}"


def shown(x: arb) -> str:
    return f"{float(x):.6g}"
