"""Balls: each number is a rigorous enclosure of a value and of its first two derivatives in one direction.

    x = balls.moving(-1.0, 2.0, asked)                  every x from -1 to 2, slope 1
    value = huber.body(balls.ops, balls.array([x]), balls.array([0.0]))
    value[0].value, value[0].slope, value[0].bend       what l(x), l'(x), l''(x) can be

A question (x < y) has an answer where it holds for all of a ball or for none; elsewhere `Undecided` is raised, with
the number of the question and the difference that it is about. `Questions` may be given the answers: whoever splits
the ball where the difference has its root asks again on either side.

`x == y` between moving numbers is false but on points; the number of such a question is as good as any other's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lossmith.ops import ball, register
from lossmith.ops.ball import ANYTHING, INF, ONE, ZERO, Ball, around, exact
from lossmith.ops.objects import Objects


class Undecided(ArithmeticError):
    """A question that holds in part of a ball only. `equality`: it was whether the difference is 0."""

    def __init__(self, index: int, difference: "Jet", equality: bool) -> None:
        super().__init__(f"question {index} has no one answer: {difference.value}")
        self.index, self.difference, self.equality = index, difference, equality


@dataclass
class Questions:
    """What a body asks, in the order of asking: an index stays the same as long as the answers before it do.

    known    answers given beforehand, by index
    stop     the index at which `Undecided` is raised even where there is an answer
    answers  what was answered
    stopped  whether `stop_gradient` made something that moves constant
    """

    known: Mapping[int, bool] = field(default_factory=dict[int, bool])
    stop: int | None = None
    answers: list[bool] = field(default_factory=list[bool])
    stopped: bool = False
    _before: dict[Any, bool] = field(default_factory=dict[Any, bool])
    _held: list[Any] = field(default_factory=list[Any])  # an id is one object's only while that object lives

    def less(self, left: "Jet", right: "Jet", *, or_equal: bool = False) -> bool:
        """Whether left < right; with `or_equal` either answer will do where they are equal."""
        key = (_name(left), _name(right), or_equal)
        if key in self._before:
            return self._before[key]
        difference = right - left
        low, high = difference.value.low, difference.value.high
        found = True if low > 0 else False if high <= 0 else True if or_equal and low >= 0 else None
        self._before[key] = self._answer(difference, found, equality=False)
        self._held += [left, right]
        return self._before[key]

    def same(self, left: "Jet", right: "Jet") -> bool:
        """Whether left == right."""
        difference = right - left
        here = difference.value
        found = False if here.low > 0 or here.high < 0 else True if here.low == 0 == here.high else None
        return self._answer(difference, found, equality=True)

    def _answer(self, difference: "Jet", found: bool | None, *, equality: bool) -> bool:
        index = len(self.answers)
        found = self.known.get(index, found)
        if found is None or index == self.stop:
            raise Undecided(index, difference, equality)
        self.answers.append(found)
        return found


def _name(x: "Jet") -> Any:
    """One name for one number: the same object, or the same constant."""
    if x.slope is ZERO and x.bend is ZERO and x.value.is_point and x.value.is_finite:
        return tuple(map(int, x.value.low.man_exp()))
    return id(x)


class Jet:
    """l, l' and l'' of a function over a ball. Equal to itself only: comparison is a question."""

    __slots__ = ("asked", "bend", "slope", "value")

    def __init__(self, value: Ball, slope: Ball = ZERO, bend: Ball = ZERO, asked: Questions | None = None) -> None:
        self.value, self.slope, self.bend, self.asked = value, slope, bend, asked

    def chain(self, value: Ball, first: Ball, second: Ball) -> "Jet":
        """f(x) for f, f' and f'' at x."""
        if self.slope is ZERO and self.bend is ZERO:
            return Jet(value, ZERO, ZERO, self.asked)
        bend = second if self.slope is ONE else second * self.slope.square()
        return Jet(value, first * self.slope, bend + first * self.bend, self.asked)

    def __neg__(self) -> "Jet":
        return Jet(-self.value, _minus(self.slope), _minus(self.bend), self.asked)

    def __add__(self, other: object) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented  # the array spreads its own operator over its entries
        y = lift(other)
        return Jet(self.value + y.value, self.slope + y.slope, self.bend + y.bend, self.asked or y.asked)

    __radd__ = __add__

    def __sub__(self, other: object) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        y = lift(other)
        asked = self.asked or y.asked
        return Jet(self.value - y.value, self.slope - y.slope, self.bend - y.bend, asked)

    def __rsub__(self, other: object) -> Any:
        return lift(other) - self

    def __mul__(self, other: object) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        if other is self:
            return square(self)
        y = lift(other)
        slope = self.slope * y.value + self.value * y.slope
        cross = self.slope * y.slope
        bend = self.bend * y.value + (cross + cross) + self.value * y.bend
        return Jet(self.value * y.value, slope, bend, self.asked or y.asked)

    __rmul__ = __mul__

    def __truediv__(self, other: object) -> Any:
        return NotImplemented if isinstance(other, np.ndarray) else self * inverse(lift(other))

    def __rtruediv__(self, other: object) -> Any:
        return lift(other) * inverse(self)

    def __abs__(self) -> "Jet":
        return -self if (self.asked or Questions()).less(self, lift(0), or_equal=True) else self

    def __lt__(self, other: object) -> bool:
        return _less(self, lift(other))

    def __gt__(self, other: object) -> bool:
        return _less(lift(other), self)

    def __le__(self, other: object) -> bool:
        return not _less(lift(other), self)

    def __ge__(self, other: object) -> bool:
        return not _less(self, lift(other))

    def __eq__(self, other: object) -> bool:
        return self is other or _same(self, lift(other))

    def __ne__(self, other: object) -> bool:
        return self is not other and not _same(self, lift(other))

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        return not _same(self, lift(0))

    def __repr__(self) -> str:
        return f"Jet({self.value}, {self.slope}, {self.bend})"


def _minus(x: Ball) -> Ball:
    return x if x is ZERO else -x


def _less(x: Jet, y: Jet) -> bool:
    return (x.asked or y.asked or Questions()).less(x, y)


def _same(x: Jet, y: Jet) -> bool:
    return (x.asked or y.asked or Questions()).same(x, y)


def lift(x: Any) -> Jet:
    """A number as a constant, exactly."""
    return x if isinstance(x, Jet) else Jet(x if isinstance(x, Ball) else around(exact(x)))


def moving(low: Any, high: Any = None, asked: Questions | None = None) -> Jet:
    """The variable: every number from low to high, with slope 1."""
    return Jet(around(low, high), ONE, ZERO, asked or Questions())


def square(x: Jet) -> Jet:
    return x.chain(x.value.square(), x.value + x.value, TWO)


def inverse(x: Jet) -> Jet:
    r = x.value.inverse()
    second = r.square()
    return x.chain(r, -second, (second + second) * r)


def tanh(x: Jet) -> Jet:
    first = ball.sigmoid_slope(x.value + x.value) * FOUR  # 1 - tanh^2, which does not cancel
    value = ball.tanh(x.value)
    return x.chain(value, first, -((first + first) * value))


def erf(x: Jet) -> Jet:
    first = ball.exp(-x.value.square()) * TWO_BY_ROOT_PI
    return x.chain(ball.erf(x.value), first, -((first + first) * x.value))


def sin(x: Jet) -> Jet:
    value = ball.sin(x.value)
    return x.chain(value, ball.cos(x.value), -value)


def cos(x: Jet) -> Jet:
    value = ball.cos(x.value)
    return x.chain(value, -ball.sin(x.value), -value)


def real_power(x: Jet, p: float) -> Jet:
    of = exact(p)
    first, second = around(of) * ball.power(x.value, of - 1), around(of * (of - 1)) * ball.power(x.value, of - 2)
    return x.chain(ball.power(x.value, of), first, second)


TWO, FOUR = around(2), around(4)
with ball.precision():
    TWO_BY_ROOT_PI = ball.enclosing(2 / ball.arb.pi().sqrt())


class Numbers:
    """The functions of one number, with their first two derivatives."""

    lift = staticmethod(lift)

    def exp(self, x: Jet) -> Jet:
        found = ball.exp(x.value)
        return x.chain(found, found, found)

    def expm1(self, x: Jet) -> Jet:
        slope = ball.exp(x.value)
        return x.chain(ball.expm1(x.value), slope, slope)

    def log(self, x: Jet) -> Jet:
        r = x.value.inverse()
        return x.chain(ball.log(x.value), r, -r.square())

    def log1p(self, x: Jet) -> Jet:
        r = (x.value + ONE).inverse()
        return x.chain(ball.log1p(x.value), r, -r.square())

    def sqrt(self, x: Jet) -> Jet:
        root = ball.sqrt(x.value)
        slope = ball.over(root + root)
        return x.chain(root, slope, -(slope * ball.over(x.value + x.value)))

    def softplus(self, x: Jet) -> Jet:
        return x.chain(ball.softplus(x.value), ball.sigmoid(x.value), ball.sigmoid_slope(x.value))

    def arctan(self, x: Jet) -> Jet:
        slope = (x.value.square() + ONE).inverse()
        return x.chain(ball.atan(x.value), slope, -((x.value + x.value) * slope.square()))

    tanh, erf, sin, cos = map(staticmethod, (tanh, erf, sin, cos))

    def isfinite(self, x: Jet) -> bool:
        if x.value.is_finite:
            return True
        if x.value.low == INF or x.value.high == -INF:
            return False
        raise Undecided(-1, x, equality=False)  # the enclosure is too wide to tell


class Balls(np.ndarray):
    """An array of jets (or of class numbers or booleans, beside them)."""


class _Balls(Objects):
    def logsumexp(self, x: Any, *, axis: int, keepdims: bool = False) -> Any:
        # no shift: arb does not overflow, and a largest entry would be one more question
        return self.log(self.sum(self.exp(x), axis=axis, keepdims=keepdims))

    def real_power(self, x: Any, p: float) -> Any:
        """x^p for a p that is no whole number, with what is known at 0 too."""
        return self._own(np.frompyfunc(lambda one: real_power(lift(one), p), 1, 1)(x), object)

    def stop_gradient(self, x: Any) -> Any:
        return self._own(np.frompyfunc(_stopped, 1, 1)(x), object) if x.dtype.kind == "O" else x


def _stopped(x: Jet) -> Jet:
    if x.slope is ZERO and x.bend is ZERO:
        return x
    if x.asked is not None:
        x.asked.stopped = True
    return Jet(x.value, ZERO, ZERO, x.asked)


ops = _Balls(Numbers(), Balls)
array = ops.asarray
register(Balls, ops)
__all__ = ["ANYTHING", "Balls", "Jet", "Questions", "Undecided", "array", "moving", "ops"]
