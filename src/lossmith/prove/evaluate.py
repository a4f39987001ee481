"""The number that an expression of sympy is at a point, to fifty digits: a walk over its tree.

`sympy.lambdify` prints and compiles an expression before it computes; here a point costs microseconds a node.
"""

from collections.abc import Callable, Mapping
from typing import Any

import sympy

from lossmith.ops.digits import context

# sympy's annotations take sums and products of expressions for something more general
Expr = Any
Symbol = Any
Point = dict[Symbol, Any]

_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    name: getattr(context, name)
    for name in (
        *("exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "coth", "sech", "csch"),
        *("asin", "acos", "atan", "asinh", "acosh", "atanh", "erf", "erfc", "sign"),
    )
} | {
    "Abs": context.fabs,
    "Max": lambda *x: max(x),
    "Min": lambda *x: min(x),
    "sigmoid": lambda x: 1 / (1 + context.exp(-x)),
}


def number(expr: Expr, point: Point) -> Any:
    """The value of an expression at a point, to fifty digits; NaN where it is not a real number."""
    try:
        return context.mpf(_number(expr, point, {}))
    except (TypeError, ValueError, ZeroDivisionError, OverflowError, KeyError, AttributeError):
        return context.nan


def _number(expr: Expr, point: Point, known: dict[Expr, Any]) -> Any:
    if expr in known:
        return known[expr]
    known[expr] = found = _computed(expr, point, known)
    return found


def _computed(expr: Expr, point: Point, known: dict[Expr, Any]) -> Any:
    if expr.is_Symbol:
        return point[expr]
    if expr.is_Rational:
        return context.mpf(int(expr.p)) / int(expr.q)
    if expr.is_number and not expr.args:  # pi, e, infinity, a decimal number
        return context.nan if expr is sympy.nan else context.mpf(expr._to_mpmath(context.prec))
    parts = [_number(one, point, known) for one in expr.args]
    if expr.is_Add:
        return context.fsum(parts)
    if expr.is_Mul:
        return context.fprod(parts)
    if expr.is_Pow:
        return parts[0] ** parts[1] if expr.base is not sympy.E else context.exp(parts[1])
    return _FUNCTIONS[type(expr).__name__](*parts)
