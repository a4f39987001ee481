"""One number of the curvature reading: a function of many variables, kept so that a rule can tell how it bends.

    affine in x + sum_k c_k log sum_j e^(affine_kj) + a rest that is convex, concave or neither

Log-sum-exps are kept by their terms, about the mean of the terms: two ways to write one function are then equal, and
which class leads (a question that a stable body asks) makes no difference that is not seen. A positive number also
knows its logarithm, so that log(e^a / sum e^b) and log(cosh x) are read as what they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import exp, inf, isinf, isnan, log, nextafter
from typing import Any, Literal

import numpy as np

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
