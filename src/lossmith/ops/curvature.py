"""Curvature: each number is a function of many variables of which a rule can tell whether it is convex (DCP).

    affine in x + sum_k c_k log sum_j e^(affine_kj) + a rest that is convex, concave or neither

Log-sum-exps are kept by their terms, about the mean of the terms: two ways to write one function are then equal, and
which class leads (a question that a stable body asks) makes no difference that is not seen. A positive number also
knows its logarithm, so that log(e^a / sum e^b) and log(cosh x) are read as what they are.

    Rules  sums; nonnegative factors; max; |x| and x^2 of affine x, and of convex x >= 0; increasing convex functions
           (exp, softplus) of convex ones, concave ones (log, sqrt) of concave; sqrt(sum x^2); x^2 / y for concave y > 0
    Errors Unread where a body asks what holds for some points only: no rule covers a branch
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import cos, exp, expm1, inf, isinf, isnan, log, log1p, nextafter, sin, sqrt
from typing import Any, Literal

import numpy as np

from lossmith.ops import register
from lossmith.ops.objects import Objects

Bend = Literal["affine", "convex", "concave", "unknown"]
FLIP: Mapping[Bend, Bend] = {"affine": "affine", "convex": "concave", "concave": "convex", "unknown": "unknown"}
Affine = tuple[tuple[str, Fraction], ...]  # coefficients by variable, sorted; the constant under ""


class Unread(ArithmeticError):
    """A question about numbers that move, or a function that no rule covers."""


def together(*bends: Bend) -> Bend:
    """The bend of a sum."""
    curved: list[Bend] = [one for one in dict.fromkeys(bends) if one != "affine"]
    if len(curved) > 1:
        return "unknown"
    return curved[0] if curved else "affine"


def affine(parts: Mapping[str, Fraction]) -> Affine:
    return tuple(sorted((name, c) for name, c in parts.items() if c))


def plus(x: Affine, y: Affine, times: Fraction = Fraction(1)) -> Affine:
    found = dict(x)
    for name, c in y:
        found[name] = found.get(name, Fraction(0)) + times * c
    return affine(found)


@dataclass(frozen=True, eq=False)
class Curve:
    """One number. `least` and `most` bound it; `logarithm` is that of a positive number; `root` if sqrt is convex."""

    straight: Affine = ()
    sums: Mapping[tuple[Affine, ...], Fraction] = field(default_factory=dict[tuple[Affine, ...], Fraction])
    rest: Bend = "affine"  # of what is neither; "affine" if there is nothing
    least: float = -inf
    most: float = inf
    logarithm: "Curve | None" = None
    root: bool = False
    infinite: float = 0.0  # a constant of -inf or inf

    @property
    def constant(self) -> float | None:
        """The number of something that does not move."""
        if self.infinite:
            return self.infinite
        fixed = self.rest == "affine" and not self.sums and all(name == "" for name, _ in self.straight)
        return float(dict(self.straight).get("", Fraction(0))) if fixed else None

    @property
    def bend(self) -> Bend:
        of_sums: list[Bend] = ["convex" if c > 0 else "concave" for c in self.sums.values()]
        return together(self.rest, *of_sums)

    @property
    def form(self) -> tuple[Any, ...] | None:
        """Equal for two ways to write one function; None where a rest is not told by its terms."""
        return (self.straight, tuple(sorted(self.sums.items()))) if self.rest == "affine" else None

    def __neg__(self) -> "Curve":
        return self._times(Fraction(-1))

    def __add__(self, other: object) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        y = lift(other)
        if self.infinite or y.infinite:
            return lift(self.infinite + y.infinite)
        if self.constant == 0 or y.constant == 0:
            return y if self.constant == 0 else self
        sums = dict(self.sums)
        for key, c in y.sums.items():
            sums[key] = sums.get(key, Fraction(0)) + c
        logs = [one for one in (logarithm(self), logarithm(y)) if one is not None]
        return Curve(
            plus(self.straight, y.straight),
            {key: c for key, c in sums.items() if c},
            together(self.rest, y.rest),
            _sum(self.least, y.least, -inf),
            _sum(self.most, y.most, inf),
            sum_of_exponentials(logs) if len(logs) == 2 else None,
            self.root and y.root,
        )

    __radd__ = __add__

    def __sub__(self, other: object) -> Any:
        return NotImplemented if isinstance(other, np.ndarray) else self + -lift(other)

    def __rsub__(self, other: object) -> Any:
        return lift(other) + -self

    def __mul__(self, other: object) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        y = lift(other)
        if y is self:
            return square(self)
        for one, factor in ((self, y.constant), (y, self.constant)):
            if factor is not None and not isinf(factor):
                return one._times(Fraction(factor))
        logs = [logarithm(self), logarithm(y)]
        known = logs[0] + logs[1] if logs[0] is not None and logs[1] is not None else None
        return positive("unknown", known) if known is not None else Curve(rest="unknown")

    __rmul__ = __mul__

    def __truediv__(self, other: object) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        y = lift(other)
        if y.constant is not None:
            if y.constant == 0 or isinf(y.constant):
                raise Unread(f"a quotient by {y.constant}")
            return self._times(1 / Fraction(y.constant))
        falls = y.least >= 0 and y.bend in ("affine", "concave")
        over = self.constant is not None and self.constant >= 0
        rest: Bend = "convex" if falls and (over or self.root) else "unknown"
        logs = [logarithm(self), logarithm(y)]
        known = logs[0] - logs[1] if logs[0] is not None and logs[1] is not None else None
        return positive(rest, known) if known is not None else Curve(rest=rest, least=0.0 if rest == "convex" else -inf)

    def __rtruediv__(self, other: object) -> Any:
        return lift(other) / self

    def __abs__(self) -> "Curve":
        if self.constant is not None:
            return lift(abs(self.constant))
        if self.least >= 0:
            return self
        return Curve(rest="convex" if self.bend == "affine" else "unknown", least=0.0)

    def _times(self, factor: Fraction) -> "Curve":
        if not factor:
            return Curve()
        ends = (_scaled(self.least, factor), _scaled(self.most, factor))
        known = logarithm(self) if factor > 0 and self.constant is None else None
        return Curve(
            tuple((name, c * factor) for name, c in self.straight),
            {key: c * factor for key, c in self.sums.items()},
            self.rest if factor > 0 else FLIP[self.rest],
            min(ends),
            max(ends),
            known + log(factor) if known is not None else None,
            self.root and factor > 0,
            self.infinite * float(factor) if self.infinite else 0.0,
        )

    def _asked(self, other: object) -> tuple[float, float]:
        y = lift(other)
        if self.constant is None or y.constant is None:
            raise Unread("a branch that depends on the prediction")
        return self.constant, y.constant

    def __lt__(self, other: object) -> bool:
        a, b = self._asked(other)
        return a < b

    def __le__(self, other: object) -> bool:
        a, b = self._asked(other)
        return a <= b

    def __gt__(self, other: object) -> bool:
        a, b = self._asked(other)
        return a > b

    def __ge__(self, other: object) -> bool:
        a, b = self._asked(other)
        return a >= b

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        a, b = self._asked(other)
        return a == b

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        return self != 0


def _sum(a: float, b: float, towards: float) -> float:
    """A sum of two ends, rounded outwards."""
    found = a + b
    exact = isinf(found) or isnan(found) or Fraction(found) == Fraction(a) + Fraction(b)
    return towards if isnan(found) else found if exact else nextafter(found, towards)


def _scaled(end: float, factor: Fraction) -> float:
    return 0.0 if end == 0 else end * float(factor)


def variable(name: str, *, positive: bool = False) -> Curve:
    return Curve(((name, Fraction(1)),), least=0.0 if positive else -inf)


def lift(x: Any) -> Curve:
    if isinstance(x, Curve):
        return x
    number = float(x)
    if isnan(number):
        return Curve(rest="unknown")  # the other side of a choice
    if isinf(number):
        return Curve(least=number, most=number, infinite=number)
    return Curve(affine({"": Fraction(number)}), least=number, most=number, root=number >= 0)


def logarithm(x: Curve) -> Curve | None:
    """Of a positive number, where a rule knows it."""
    if x.constant is not None and 0 < x.constant < inf:
        return lift(log(x.constant))
    return x.logarithm


def positive(bend: Bend, known: Curve) -> Curve:
    """A positive number by its logarithm: convex wherever that is."""
    found: Bend = "convex" if known.bend in ("affine", "convex") else bend
    return Curve(rest=found, least=0.0, most=exp(min(known.most, 700.0)) if known.most < 700 else inf, logarithm=known)


def sum_of_exponentials(terms: list[Curve]) -> Curve:
    """log sum e^x: by its terms where they are affine (or such sums themselves), convex if all are convex."""
    terms = [one for one in terms if one.infinite != -inf]
    if not terms:
        return lift(-inf)
    if len(terms) == 1:
        return terms[0]
    flat: list[Affine] = []
    for one in terms:
        if one.rest != "affine" or list(one.sums.values()) not in ([], [1]):
            bend: Bend = "convex" if all(term.bend in ("affine", "convex") for term in terms) else "unknown"
            return Curve(rest=bend, least=max(term.least for term in terms))
        inner = next(iter(one.sums), ((),))
        flat += [plus(one.straight, term) for term in inner]
    middle = affine({})
    for one in flat:
        middle = plus(middle, one, Fraction(1, len(flat)))
    key = tuple(sorted(plus(one, middle, Fraction(-1)) for one in flat))
    return Curve(middle, {key: Fraction(1)}, least=max(term.least for term in terms))


def square(x: Curve) -> Curve:
    if x.constant is not None:
        return lift(x.constant * x.constant)
    convex = x.bend == "affine" or (x.bend == "convex" and x.least >= 0) or (x.bend == "concave" and x.most <= 0)
    known = logarithm(x)
    return Curve(
        rest="convex" if convex else "unknown",
        least=0.0,
        logarithm=known + known if known is not None else None,
        root=convex,
    )


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
