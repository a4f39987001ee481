"""One number of the symbols reading: an expression of sympy with its fifty digits, and the sample that it belongs to.

A float is the number that is written for it: a short fraction, a name (log 2, pi), or the decimal that it prints as.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import sympy

from lossmith.ops.digits import context

# Floats that a body computes from a name; anything else is the decimal that it prints as.
_NAMED = {
    float(expr): expr
    for expr in (
        *(sign * number for number in (sympy.pi, sympy.E, sympy.log(2), sympy.log(10)) for sign in (1, -1)),
        *(factor * sympy.pi for factor in (sympy.Integer(2), sympy.Rational(1, 2), sympy.Rational(1, 4))),
        sympy.log(2 * sympy.pi),
        sympy.log(2 * sympy.pi) / 2,
        sympy.sqrt(2),
        sympy.sqrt(2) / 2,
        4 / sympy.pi**2,
    )
}


SHORT = 12  # characters, up to which a decimal is what was written
SMALL = 1000  # denominators of fractions that are meant where a decimal is nearly one
ROUNDED = 2.0**-50  # and how nearly
NONE = frozenset[sympy.Symbol]()
MANY = 32  # terms of a sum that does not move, beyond which it is one constant


class Plain(TypeError):
    """A body makes a plain number of what has a name: no expression knows how; `names` says of what."""

    def __init__(self, names: frozenset[sympy.Symbol]) -> None:
        super().__init__(f"{', '.join(sorted(map(str, names)))} becomes a plain number")
        self.names = {str(one) for one in names}


@dataclass
class Sample:
    """One point, and what was asked about it: expressions that are above 0 around it.

    meant   constants that stand for a sum of many terms, in words
    terms   how many were made: what a reading costs
    """

    at: dict[sympy.Symbol, Any] = field(default_factory=dict[sympy.Symbol, Any])
    asked: list[sympy.Expr] = field(default_factory=list[sympy.Expr])
    stopped: dict[sympy.Symbol, sympy.Expr] = field(default_factory=dict[sympy.Symbol, sympy.Expr])
    fixed: set[sympy.Symbol] = field(default_factory=set[sympy.Symbol])
    meant: dict[sympy.Symbol, str] = field(default_factory=dict[sympy.Symbol, str])
    terms: int = 0

    def symbol(self, name: str, value: float, *, fixed: bool = False, **assumptions: bool) -> "Term":
        """A named number of this sample; what is fixed is a constant to every derivative."""
        known = sympy.Symbol(name, real=True, **assumptions)
        self.at[known] = context.mpf(value)
        if fixed:
            self.fixed.add(known)
        return Term(known, self.at[known], self)

    def moves(self, term: "Term") -> bool:
        return not (term.free is NONE or term.free <= self.fixed)

    def constant(self, value: Any, free: frozenset[sympy.Symbol], terms: int) -> "Term":
        """A sum of terms of which none moves, as a letter of its own."""
        known = sympy.Symbol(f"c{len(self.meant) + 1}", real=True)
        self.at[known] = value
        self.fixed.add(known)
        of = ", ".join(sorted(map(str, free)))
        self.meant[known] = f"a constant of {of} ({terms} terms), {float(value):.6g} at the values that were compared"
        return Term(known, value, self)

    def ask(self, difference: "Term") -> None:
        if self.moves(difference):
            self.asked.append(difference.expr if difference.value > 0 else -difference.expr)

    def stop(self, term: "Term") -> "Term":
        """The term as a constant."""
        constant = sympy.Dummy(f"constant{len(self.stopped)}", real=True)
        self.stopped[constant] = term.expr
        return Term(constant, term.value, self)

    def revealed(self, expr: sympy.Expr) -> sympy.Expr:
        """The expression with what `stop` hid, for printing and for its value."""
        while hidden := expr.free_symbols & self.stopped.keys():
            expr = expr.subs({constant: value for constant, value in self.stopped.items() if constant in hidden})
        return expr


class Term:
    """A number of a sample: arithmetic makes expressions, comparison answers from the value and is remembered.

    The expression of what does not move is made when it is asked for: a table of constants may never be.
    """

    __slots__ = ("_expr", "_made", "free", "sample", "value")

    def __init__(self, expr: Any, value: Any, sample: Sample | None = None) -> None:
        self._expr, self._made, self.value, self.sample = expr, None, value, sample
        self.free: frozenset[sympy.Symbol] = frozenset(expr.free_symbols) or NONE

    @classmethod
    def made(cls, make: Callable[[], Any], value: Any, one: "Term", other: "Term | None" = None) -> "Term":
        """The term of an operation on others."""
        found = cls.__new__(cls)
        found._expr, found._made, found.value, found.sample, found.free = None, make, value, one.sample, one.free
        if other is not None:
            found.sample = found.sample or other.sample
            if other.free is not found.free and other.free is not NONE:
                found.free = other.free if found.free is NONE else found.free | other.free
        sample = found.sample
        if sample is not None:
            sample.terms += 1
            if sample.moves(found):
                _ = found.expr
        return found

    @property
    def expr(self) -> Any:
        if self._made is not None:
            self._expr, self._made = self._made(), None
        return self._expr

    def __add__(self, other: object) -> Any:
        return _pair(self, other, lambda x, y: x + y)

    def __radd__(self, other: object) -> Any:
        return _pair(self, other, lambda x, y: y + x)

    def __sub__(self, other: object) -> Any:
        return _pair(self, other, lambda x, y: x - y)

    def __rsub__(self, other: object) -> Any:
        return _pair(self, other, lambda x, y: y - x)

    def __mul__(self, other: object) -> Any:
        return _pair(self, other, lambda x, y: x * y)

    __rmul__ = __mul__

    def __truediv__(self, other: object) -> Any:
        return _pair(self, other, lambda x, y: x / y)

    def __rtruediv__(self, other: object) -> Any:
        return _pair(self, other, lambda x, y: y / x)

    def __pow__(self, other: object) -> Any:
        return _pair(self, other, lambda x, y: unfolded(x**y, self.sample))

    def __rpow__(self, other: object) -> Any:
        return _pair(self, other, lambda x, y: y**x)

    def __neg__(self) -> "Term":
        return Term.made(lambda: -self.expr, -self.value, self)

    def __abs__(self) -> "Term":
        if self.sample is not None and not self.sample.moves(self):  # of a keyword: true for more than this sample
            return Term.made(lambda: sympy.Abs(self.expr), abs(self.value), self)
        _ask(self, 0)
        return -self if self.value < 0 else self

    def __lt__(self, other: object) -> bool:
        return _ask(self, other) < 0

    def __le__(self, other: object) -> bool:
        return _ask(self, other) <= 0

    def __gt__(self, other: object) -> bool:
        return _ask(self, other) > 0

    def __ge__(self, other: object) -> bool:
        return _ask(self, other) >= 0

    def __eq__(self, other: object) -> bool:
        return self.value == lift(other).value

    def __hash__(self) -> int:
        return hash((self.expr, self.value))

    def __bool__(self) -> bool:
        return self.value != 0

    def __float__(self) -> float:
        if self.free:
            raise Plain(self.free)
        return float(self.value)

    def through(self, of_expr: Callable[[Any], Any], of_value: Callable[[Any], Any]) -> "Term":
        return Term.made(lambda: of_expr(self.expr), of_value(self.value), self)


def _pair(term: Term, other: object, operate: Callable[[Any, Any], Any]) -> Any:
    if isinstance(other, np.ndarray):
        return NotImplemented  # the array spreads its own operator over its entries
    other = lift(other)
    return Term.made(lambda: operate(term.expr, other.expr), operate(term.value, other.value), term, other)


def _ask(term: Term, other: object) -> Any:
    """The difference of two values; the question is kept by the sample of either."""
    other = lift(other)
    difference = term - other
    finite = context.isfinite(term.value) and context.isfinite(other.value)
    if difference.sample is not None and finite:
        difference.sample.ask(difference)
    return difference.value if finite else float(term.value > other.value) - float(term.value < other.value)


def lift(x: Any) -> Term:
    """A number as a term: floats exactly where they are integers or have a name, else as the decimal they print as."""
    if isinstance(x, Term):
        return x
    number = float(x)
    if math.isnan(number):
        return Term(sympy.nan, context.nan)
    if math.isinf(number):
        return Term(sympy.oo if number > 0 else -sympy.oo, context.mpf(number))
    return Term(_named(number), meant(number))


@lru_cache(maxsize=4096)
def meant(number: float) -> Any:
    """The number that is written for a float, to fifty digits: 1 - 1e-7 is a decimal, and log 2 has all its digits."""
    exact = context.mpf(number)
    return context.mpf(_named(number)._to_mpmath(context.prec)) if context.isfinite(exact) else exact


@lru_cache(maxsize=4096)
def _named(number: float) -> Any:
    return _NAMED.get(number) or _fraction(number) or _logarithm(number) or sympy.Rational(repr(number))


def _fraction(number: float) -> Any:
    """A short fraction that a body computes from a keyword (1 - 0.8, 1 / 3); None for any other number."""
    if len(repr(number)) < SHORT:
        return None
    short = Fraction(number).limit_denominator(SMALL)
    near = short != 0 and abs(float(short) - number) <= ROUNDED * abs(number)
    return sympy.Rational(short.numerator, short.denominator) if near else None


def _logarithm(number: float) -> Any:
    """log(n / m) of small integers, which a body computes from a keyword; None for any other number."""
    if abs(number) > 20 or len(repr(number)) < SHORT:
        return None
    inside = Fraction(math.exp(number)).limit_denominator(10000)
    if inside <= 0 or abs(math.log(inside) - number) > 1e-15 * abs(number):
        return None
    return sympy.log(sympy.Rational(inside.numerator, inside.denominator))


def unfolded(expr: Any, sample: Sample | None) -> Any:
    """The root of a square, which sympy makes |u|: as u or -u around the sample, which is then asked for its sign."""
    if sample is None:
        return expr
    for size in expr.atoms(sympy.Abs):
        (inner,) = size.args
        if not inner.free_symbols <= sample.fixed:
            inner = inner if inner.evalf(subs=sample.at) > 0 else -inner
            sample.asked.append(inner)
            expr = expr.xreplace({size: inner})
    return expr
