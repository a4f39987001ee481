"""Curvature: a body read by rules of composition, which tell whether each value is convex (DCP).

Rules  sums; nonnegative factors; max; |x| and x^2 of affine x, and of convex x >= 0; increasing convex functions
       (exp, softplus) of convex ones, concave ones (log, sqrt) of concave; sqrt(sum x^2); x^2 / y for concave y > 0
Errors Unread where a body asks what holds for some points only: no rule covers a branch
"""

from dataclasses import replace
from math import cos, exp, expm1, inf, log, log1p, sin, sqrt
from typing import Any

import numpy as np

from lossmith.ops import register
from lossmith.ops.curve import Bend, Curve, Unread, lift, logarithm, positive, square, sum_of_exponentials, variable
from lossmith.ops.objects import Objects


def _rising(x: Curve, bend: Bend, least: float, most: float = inf) -> Curve:
    """An increasing function of this bend."""
    kept = x.bend in ("affine", bend)
    return Curve(rest=bend if kept else "unknown", least=least, most=most)


class Numbers:
    lift = staticmethod(lift)

    def exp(self, x: Curve) -> Curve:
        if x.constant is not None:
            return lift(exp(x.constant)) if x.constant > -inf else lift(0.0)
        return positive("unknown", x)

    def expm1(self, x: Curve) -> Curve:
        return lift(expm1(x.constant)) if x.constant is not None else _rising(x, "convex", -1.0)

    def log(self, x: Curve) -> Curve:
        if x.constant is not None:
            return lift(log(x.constant)) if x.constant > 0 else lift(-inf)
        known = logarithm(x)
        return known if known is not None else _rising(x, "concave", -inf, log(x.most) if 0 < x.most < inf else inf)

    def log1p(self, x: Curve) -> Curve:
        if x.constant is not None:
            return lift(log1p(x.constant))
        return replace(self.log(x + 1.0), least=0.0 if x.least >= 0 else -inf)

    def sqrt(self, x: Curve) -> Curve:
        if x.constant is not None:
            return lift(sqrt(x.constant))
        return Curve(rest="convex", least=0.0) if x.root else _rising(x, "concave", 0.0)

    def softplus(self, x: Curve) -> Curve:
        if x.constant is not None:
            return lift(log1p(exp(x.constant)) if x.constant < 40 else x.constant)
        return replace(sum_of_exponentials([lift(0.0), x]), least=0.0)

    def arctan(self, x: Curve) -> Curve:
        return Curve(rest="unknown", least=-2.0, most=2.0)

    def sin(self, x: Curve) -> Curve:
        return lift(sin(x.constant)) if x.constant is not None else Curve(rest="unknown", least=-1.0, most=1.0)

    def cos(self, x: Curve) -> Curve:
        return lift(cos(x.constant)) if x.constant is not None else Curve(rest="unknown", least=-1.0, most=1.0)

    def isfinite(self, x: Curve) -> bool:
        return not x.infinite


class Curves(np.ndarray):
    """An array of curves (or of class numbers or booleans, beside them)."""


def power(x: Curve, p: float) -> Curve:
    """x^p for a plain number p."""
    if x.constant is not None:
        return lift(x.constant**p)
    if p == 2:
        return square(x)
    if x.least >= 0 and p >= 1:
        return _rising(x, "convex", 0.0)
    if x.least >= 0 and 0 < p < 1:
        return _rising(x, "concave", 0.0)
    if x.least >= 0 and p < 0 and x.bend in ("affine", "concave"):
        return Curve(rest="convex", least=0.0)
    even = p == int(p) and int(p) % 2 == 0 and p > 0
    return Curve(rest="convex" if even and x.bend == "affine" else "unknown", least=0.0 if even else -inf)


def larger(x: Curve, y: Curve) -> Curve:
    if x.constant is not None and y.constant is not None:
        return x if x.constant >= y.constant else y
    if x.form is not None and x.form == y.form:
        return x
    bend: Bend = "convex" if {x.bend, y.bend} <= {"affine", "convex"} else "unknown"
    return Curve(rest=bend, least=max(x.least, y.least), most=max(x.most, y.most))


def smaller(x: Curve, y: Curve) -> Curve:
    return -larger(-x, -y)


class Reader(Objects):
    """The operations; `leader` is the answer to every question of which entry is largest, counted in `asked`."""

    def __init__(self, leader: int = 0) -> None:
        super().__init__(Numbers(), Curves)
        self.leader, self.asked = leader, 0
        self._smaller, self._larger = np.frompyfunc(smaller, 2, 1), np.frompyfunc(larger, 2, 1)
        self._square, self._power = np.frompyfunc(square, 1, 1), np.frompyfunc(power, 2, 1)

    def square(self, x: Any) -> Any:
        return self._own(self._square(x), object)

    def power(self, x: Any, p: float) -> Any:
        return self._own(self._power(x, p), object)

    def logsumexp(self, x: Any, *, axis: int, keepdims: bool = False) -> Any:
        found = np.apply_along_axis(lambda row: np.array([sum_of_exponentials(list(row))], dtype=object), axis, x)
        return self._own(found if keepdims else np.squeeze(found, axis), object)

    def argmax(self, x: Any, *, axis: int) -> Any:
        self.asked += 1
        return self._own(np.full(np.delete(x.shape, axis), self.leader))

    def argsort(self, x: Any, *, axis: int) -> Any:
        raise Unread("an order that depends on the prediction")

    def stop_gradient(self, x: Any) -> Any:
        return x  # the value is what is convex or not


ops = Reader()
array = ops.asarray
register(Curves, ops)
__all__ = ["Curve", "Curves", "Reader", "Unread", "array", "lift", "ops", "variable"]
