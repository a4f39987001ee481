"""Rigorous enclosures of real numbers, computed by arb: every number that is meant lies inside.

A ball is kept by its two ends, not by centre and radius as arb keeps it. A radius has thirty bits, so that three
times [0, h] would reach below 0, and nothing that touches 0 could be shown to stay above it.

An end that is NaN stands for "anything": no comparison with it holds, so nothing is concluded from it.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import flint
from flint import arb

BITS = 128
INF, NEG_INF, NAN = arb.pos_inf(), arb.neg_inf(), arb.nan()
NOTHING, UNIT = arb(0), arb(1)


def precision() -> AbstractContextManager[Any]:
    """The working precision of every enclosure; flint's own setting stays as the user left it."""
    return flint.ctx.workprec(BITS)


def exact(x: Any) -> arb:
    """A Python, numpy or flint number, exactly."""
    return x if isinstance(x, arb) else arb(x) if type(x) is int else arb(float(x))


class Ball:
    """All numbers from `low` to `high`, which are exact."""

    __slots__ = ("high", "low")

    def __init__(self, low: arb, high: arb) -> None:
        self.low, self.high = low, high

    def __neg__(self) -> "Ball":
        return Ball(-self.high, -self.low)

    def __add__(self, other: "Ball") -> "Ball":
        if self is ZERO or other is ZERO:
            return self if other is ZERO else other
        return Ball((self.low + other.low).lower(), (self.high + other.high).upper())

    def __sub__(self, other: "Ball") -> "Ball":
        if self is ZERO or other is ZERO:
            return self if other is ZERO else -other
        if self is other is ONE:  # a slope of 1 is a number, so that this is exactly 0
            return ZERO
        return Ball((self.low - other.high).lower(), (self.high - other.low).upper())

    def __mul__(self, other: "Ball") -> "Ball":
        if self is ZERO or other is ZERO:
            return ZERO
        if self is ONE or other is ONE:
            return self if other is ONE else other
        if self.low >= 0 and other.low >= 0:
            return Ball((self.low * other.low).lower(), (self.high * other.high).upper())
        a, b, c, d = self.low, self.high, other.low, other.high
        return _hull((a * c, a * d, b * c, b * d))

    def __truediv__(self, other: "Ball") -> "Ball":
        return self * other.inverse()

    def inverse(self) -> "Ball":
        """1 / x; anything where x may be 0."""
        if self.low > 0 or self.high < 0:
            return Ball((1 / self.high).lower(), (1 / self.low).upper())
        return ANYTHING

    def square(self) -> "Ball":
        """x * x for one and the same x, so never below 0."""
        low, high = self.size
        return Ball((low * low).lower(), (high * high).upper())

    @property
    def size(self) -> tuple[arb, arb]:
        """The smallest and the largest of |x|."""
        if self.low >= 0:
            return self.low, self.high
        if self.high <= 0:
            return -self.high, -self.low
        if self.low < 0 < self.high:
            return NOTHING, self.high if self.high >= -self.low else -self.low
        return NAN, NAN

    @property
    def is_finite(self) -> bool:
        return self.low.is_finite() and self.high.is_finite()

    @property
    def is_point(self) -> bool:
        return self.low == self.high

    @property
    def middle(self) -> arb:
        return ((self.low + self.high) / 2).mid()

    @property
    def width(self) -> arb:
        return (self.high - self.low).upper()

    def has(self, number: float | arb) -> bool:
        """Whether the number may be inside: false only where it is not."""
        return not (self.low > number or self.high < number)

    def hull(self, other: "Ball") -> "Ball":
        """The smallest ball around both."""
        return _hull((self.low, self.high, other.low, other.high))

    def meet(self, other: "Ball") -> "Ball":
        """What two enclosures of one number leave."""
        low = other.low if other.low > self.low or self.low.is_nan() else self.low
        high = other.high if other.high < self.high or self.high.is_nan() else self.high
        return Ball(low, high)

    def rising(self, function: Callable[[arb], arb], least: arb = NEG_INF, most: arb = INF) -> "Ball":
        """A function that rises, from its values at the two ends; it is known to stay from `least` to `most`."""
        low, high = function(self.low).lower(), function(self.high).upper()
        return Ball(least if low < least else low, most if high > most else high)

    def __repr__(self) -> str:
        return f"[{float(self.low):.6g}, {float(self.high):.6g}]"


def around(low: Any, high: Any = None) -> Ball:
    """The ball from one number to another, or of one number alone."""
    first = exact(low)
    return Ball(first.lower(), first.upper() if high is None else exact(high).upper())


def enclosing(x: arb) -> Ball:
    """An arb ball by its ends."""
    return Ball(x.lower(), x.upper())


def _hull(ends: tuple[arb, ...]) -> Ball:
    low = high = ends[0]
    for end in ends:
        if end.is_nan():
            return ANYTHING
        low, high = end if end < low else low, end if end > high else high
    return Ball(low.lower(), high.upper())


ZERO, ONE, ANYTHING = Ball(NOTHING, NOTHING), Ball(UNIT, UNIT), Ball(NAN, NAN)


def exp(x: Ball) -> Ball:
    return x.rising(arb.exp, least=NOTHING)


def expm1(x: Ball) -> Ball:
    return x.rising(arb.expm1, least=-UNIT)


def log(x: Ball) -> Ball:
    return x.rising(_log)


def log1p(x: Ball) -> Ball:
    return x.rising(lambda end: NEG_INF if end == -1 else end.log1p())


def sqrt(x: Ball) -> Ball:
    return x.rising(arb.sqrt, least=NOTHING)


def over(x: Ball) -> Ball:
    """1 / x where x is 0 or more; beyond every bound at 0."""
    if x.low == 0:
        return Ball((1 / x.high).lower() if x.high > 0 else INF, INF)
    return x.inverse()


def power(x: Ball, p: arb) -> Ball:
    """x^p where x is 0 or more; it has no bound at 0 if p is below 0."""
    if p < 0:
        return over(power(x, -p))
    return x.rising(lambda end: NOTHING if end.is_zero() else (end.log() * p).exp(), least=NOTHING)


def atan(x: Ball) -> Ball:
    return x.rising(arb.atan)


def tanh(x: Ball) -> Ball:
    return x.rising(arb.tanh, least=-UNIT, most=UNIT)


def erf(x: Ball) -> Ball:
    return x.rising(arb.erf, least=-UNIT, most=UNIT)


def sin(x: Ball) -> Ball:
    return _wave(arb.sin, x)


def cos(x: Ball) -> Ball:
    return _wave(arb.cos, x)


def _wave(function: Callable[[arb], arb], x: Ball) -> Ball:
    """A function that rises and falls between -1 and 1."""
    if not x.is_finite:
        return Ball(-UNIT, UNIT)
    return enclosing(function(x.low.union(x.high))).meet(Ball(-UNIT, UNIT))


def sigmoid(x: Ball) -> Ball:
    return x.rising(lambda end: 1 / (1 + (-end).exp()), least=NOTHING, most=UNIT)


def softplus(x: Ball) -> Ball:
    return x.rising(lambda end: end.exp().log1p() if end < 0 else end + (-end).exp().log1p(), least=NOTHING)


def sigmoid_slope(x: Ball) -> Ball:
    """s (1 - s) as s(x) s(-x), which does not cancel; it falls in |x| from 1/4."""
    near, far = x.size
    return Ball(_peak(far).lower(), _peak(near).upper())


def _peak(x: arb) -> arb:
    fall = (-x).exp()
    return fall / (1 + fall) ** 2


def _log(end: arb) -> arb:
    return NEG_INF if end.is_zero() else end.log()
