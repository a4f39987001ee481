"""Power series with balls as coefficients: the derivatives of any order of a function, at a point or over a ball.

They serve where the second derivative of `balls` is too wide: l'' of a Taylor polynomial about the middle of a small
ball, plus a remainder over all of it, does not lose what cancels between the terms.
"""

from typing import Any

import flint
import numpy as np
from flint import arb, arb_series

from lossmith.ops import register
from lossmith.ops.ball import ANYTHING, Ball, enclosing
from lossmith.ops.balls import Jet, Questions, Undecided
from lossmith.ops.objects import Objects

ORDER = 8


class Series:
    """A power series that answers questions by its first coefficient."""

    __slots__ = ("asked", "terms")

    def __init__(self, terms: arb_series, asked: Questions | None = None) -> None:
        self.terms, self.asked = terms, asked

    def __neg__(self) -> "Series":
        return Series(-self.terms, self.asked)

    def __add__(self, other: object) -> Any:
        return _pair(self, other, lambda x, y: x + y)

    __radd__ = __add__

    def __sub__(self, other: object) -> Any:
        return _pair(self, other, lambda x, y: x - y)

    def __rsub__(self, other: object) -> Any:
        return _pair(self, other, lambda x, y: y - x)

    def __mul__(self, other: object) -> Any:
        return _pair(self, other, lambda x, y: x * y)

    __rmul__ = __mul__

    def __truediv__(self, other: object) -> Any:
        return _pair(self, other, _quotient)

    def __rtruediv__(self, other: object) -> Any:
        return _pair(self, other, lambda x, y: _quotient(y, x))

    def __abs__(self) -> "Series":
        return -self if _asked(self, self).less(_as_jet(self), _as_jet(lift(0)), or_equal=True) else self

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

    def by(self, function: Any) -> "Series":
        return Series(function(self.terms), self.asked)


def _pair(x: Series, other: object, operate: Any) -> Any:
    if isinstance(other, np.ndarray):
        return NotImplemented
    y = lift(other)
    return Series(operate(x.terms, y.terms), x.asked or y.asked)


def _quotient(x: arb_series, y: arb_series) -> arb_series:
    return arb_series([arb.nan()]) if y[0].contains(0) else x / y


def _asked(x: Series, y: Series) -> Questions:
    return x.asked or y.asked or Questions()


def _less(x: Series, y: Series) -> bool:
    return _asked(x, y).less(_as_jet(x), _as_jet(y))


def _same(x: Series, y: Series) -> bool:
    return _asked(x, y).same(_as_jet(x), _as_jet(y))


def _as_jet(x: Series) -> Jet:
    return Jet(enclosing(x.terms[0]))


def lift(x: Any) -> Series:
    return x if isinstance(x, Series) else Series(arb_series([x if isinstance(x, arb) else arb(float(x))]))


def _above(x: arb_series, least: int, function: Any) -> arb_series:
    """A function that has a singularity at `least`."""
    return function(x) if x[0] > least else arb_series([arb.nan()])


def _softplus(x: arb_series) -> arb_series:
    return (1 + x.exp()).log() if x[0] < 0 else x + (1 + (-x).exp()).log()


class Numbers:
    """flint's functions of a series."""

    lift = staticmethod(lift)

    def exp(self, x: Series) -> Series:
        return x.by(arb_series.exp)

    def expm1(self, x: Series) -> Series:
        return x.by(lambda s: s.exp() - 1)

    def log(self, x: Series) -> Series:
        return x.by(lambda s: _above(s, 0, arb_series.log))

    def log1p(self, x: Series) -> Series:
        return x.by(lambda s: _above(1 + s, 0, arb_series.log))

    def sqrt(self, x: Series) -> Series:
        return x.by(lambda s: _above(s, 0, arb_series.sqrt))

    def softplus(self, x: Series) -> Series:
        return x.by(_softplus)

    def arctan(self, x: Series) -> Series:
        return x.by(arb_series.atan)

    def tanh(self, x: Series) -> Series:
        return x.by(lambda s: 1 - 2 / (1 + (2 * s).exp()))

    def erf(self, x: Series) -> Series:
        return x.by(arb_series.erf)

    def sin(self, x: Series) -> Series:
        return x.by(arb_series.sin)

    def cos(self, x: Series) -> Series:
        return x.by(arb_series.cos)

    def isfinite(self, x: Series) -> bool:
        if x.terms[0].is_finite():
            return True
        raise Undecided(-1, _as_jet(x), equality=False)


class SeriesArray(np.ndarray):
    """An array of series (or of class numbers or booleans, beside them)."""


class _Reader(Objects):
    def logsumexp(self, x: Any, *, axis: int, keepdims: bool = False) -> Any:
        return self.log(self.sum(self.exp(x), axis=axis, keepdims=keepdims))


ops = _Reader(Numbers(), SeriesArray)
array = ops.asarray
register(SeriesArray, ops)


def bend_over(function: Any, box: Ball, known: dict[int, bool]) -> Ball:
    """An enclosure of f'' over a ball by a Taylor polynomial of f with its remainder; anything where it has none.

    function   from a `Series` to a `Series`
    known      answers to questions, as `Questions` takes them
    """
    middle, whole = arb(box.middle), box.low.union(box.high)
    cap = flint.ctx.cap
    try:
        flint.ctx.cap = ORDER
        about = function(Series(arb_series([middle, 1]), Questions(known))).terms
        flint.ctx.cap = ORDER + 1
        rest = function(Series(arb_series([whole, 1]), Questions(known))).terms[ORDER]
    except Undecided:
        return ANYTHING
    finally:
        flint.ctx.cap = cap
    step = whole - middle
    found = ORDER * (ORDER - 1) * rest
    for k in range(ORDER - 1, 1, -1):  # Horner's rule: a power of a ball around 0 is NaN to arb
        found = found * step + k * (k - 1) * about[k]
    return enclosing(found)
