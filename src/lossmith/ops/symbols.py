"""Symbols: each number is an expression of sympy, together with its fifty digits at one sample point.

A question (x < y, which entry is largest) is answered by the sample, so that a body with branches reads as the one
smooth expression that holds around the sample. What was asked on the way is kept: the answers together bound the
region where that expression holds.

    sample = Sample()
    x, delta = sample.symbol("x", 3.0), sample.symbol("delta", 1.0, positive=True)
    value = huber.body(symbols.ops, symbols.array([x]), symbols.array([0.0]), delta=delta)
    value[0].expr        delta*(x - delta/2)
    sample.asked         [x - 0 > 0, x - delta > 0]

`stop_gradient` hides its expression in a constant of its own, which `Sample.revealed` puts back.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Self

import numpy as np
import sympy

from lossmith.ops import register
from lossmith.ops.digits import context
from lossmith.ops.objects import Objects

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


@dataclass
class Sample:
    """One point, and what was asked about it: expressions that are above 0 around it."""

    at: dict[sympy.Symbol, Any] = field(default_factory=dict[sympy.Symbol, Any])
    asked: list[sympy.Expr] = field(default_factory=list[sympy.Expr])
    stopped: dict[sympy.Symbol, sympy.Expr] = field(default_factory=dict[sympy.Symbol, sympy.Expr])
    fixed: set[sympy.Symbol] = field(default_factory=set[sympy.Symbol])

    def symbol(self, name: str, value: float, *, fixed: bool = False, **assumptions: bool) -> "Term":
        """A named number of this sample; what is fixed is a constant to every derivative."""
        known = sympy.Symbol(name, real=True, **assumptions)
        self.at[known] = context.mpf(value)
        if fixed:
            self.fixed.add(known)
        return Term(known, self.at[known], self)

    def moves(self, term: "Term") -> bool:
        return not term.expr.free_symbols <= self.fixed

    def ask(self, difference: "Term") -> None:
        if difference.expr.free_symbols:
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
    """A number of a sample: arithmetic makes expressions, comparison answers from the value and is remembered."""

    __slots__ = ("expr", "sample", "value")

    def __init__(self, expr: Any, value: Any, sample: Sample | None = None) -> None:
        self.expr, self.value, self.sample = expr, value, sample

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
        return _pair(self, other, lambda x, y: x**y)

    def __rpow__(self, other: object) -> Any:
        return _pair(self, other, lambda x, y: y**x)

    def __neg__(self) -> "Term":
        return Term(-self.expr, -self.value, self.sample)

    def __abs__(self) -> "Term":
        if self.sample is not None and not self.sample.moves(self):  # of a keyword: true for more than this sample
            return Term(sympy.Abs(self.expr), abs(self.value), self.sample)
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
        return float(self.value)

    def through(self, of_expr: Callable[[Any], Any], of_value: Callable[[Any], Any]) -> Self:
        return type(self)(of_expr(self.expr), of_value(self.value), self.sample)


def _pair(term: Term, other: object, operate: Callable[[Any, Any], Any]) -> Any:
    if isinstance(other, np.ndarray):
        return NotImplemented  # the array spreads its own operator over its entries
    other = lift(other)
    return Term(operate(term.expr, other.expr), operate(term.value, other.value), term.sample or other.sample)


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
    return Term(_named(number), context.mpf(number))


@lru_cache(maxsize=4096)
def _named(number: float) -> Any:
    return _NAMED.get(number) or sympy.Rational(repr(number))


class Symbols(np.ndarray):
    """An array of terms (or of class numbers or booleans, beside them)."""


class _Numbers:
    lift = staticmethod(lift)

    def exp(self, x: Term) -> Term:
        return x.through(sympy.exp, context.exp)

    def expm1(self, x: Term) -> Term:
        return x.through(lambda e: sympy.exp(e) - 1, lambda v: context.exp(v) - 1)

    def log(self, x: Term) -> Term:
        return x.through(sympy.log, context.log)

    def log1p(self, x: Term) -> Term:
        return x.through(lambda e: sympy.log(1 + e), lambda v: context.log(1 + v))

    def sqrt(self, x: Term) -> Term:
        return x.through(sympy.sqrt, context.sqrt)

    def softplus(self, x: Term) -> Term:
        return x.through(lambda e: sympy.log(1 + sympy.exp(e)), lambda v: context.log(1 + context.exp(v)))

    def arctan(self, x: Term) -> Term:
        return x.through(sympy.atan, context.atan)

    def tanh(self, x: Term) -> Term:
        return x.through(sympy.tanh, context.tanh)

    def erf(self, x: Term) -> Term:
        return x.through(sympy.erf, context.erf)

    def sin(self, x: Term) -> Term:
        return x.through(sympy.sin, context.sin)

    def cos(self, x: Term) -> Term:
        return x.through(sympy.cos, context.cos)

    def isfinite(self, x: Term) -> bool:
        return bool(context.isfinite(x.value))


class _Symbols(Objects):
    def logsumexp(self, x: Any, *, axis: int, keepdims: bool = False) -> Any:
        # no shift: fifty digits do not overflow, and an expression is read without it
        return self.log(self.sum(self.exp(x), axis=axis, keepdims=keepdims))

    def stop_gradient(self, x: Any) -> Any:
        if x.dtype.kind != "O":
            return x
        return self._own(np.frompyfunc(_stopped, 1, 1)(x), object)


def _stopped(x: Term) -> Term:
    return x.sample.stop(x) if x.sample is not None and x.sample.moves(x) else x


ops = _Symbols(_Numbers(), Symbols)
array = ops.asarray
register(Symbols, ops)
