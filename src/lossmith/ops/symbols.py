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

from typing import Any

import numpy as np
import sympy

from lossmith.ops import register
from lossmith.ops.digits import context
from lossmith.ops.objects import Objects
from lossmith.ops.terms import MANY, Plain, Sample, Term, lift, meant, unfolded


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
        return x.through(lambda e: unfolded(sympy.sqrt(e), x.sample), context.sqrt)

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

    def sum(self, x: Any, *, axis: int | None = None, keepdims: bool = False) -> Any:
        found = super().sum(x, axis=axis, keepdims=keepdims)
        terms = x.size if axis is None else x.shape[axis]
        return found if terms <= MANY else self._own(np.frompyfunc(lambda one: _constant(one, terms), 1, 1)(found))

    def stop_gradient(self, x: Any) -> Any:
        if x.dtype.kind != "O":
            return x
        return self._own(np.frompyfunc(_stopped, 1, 1)(x), object)


def _constant(x: Any, terms: int) -> Any:
    if not isinstance(x, Term) or x.sample is None or x.sample.moves(x):
        return x
    return x.sample.constant(x.value, x.free, terms)


def _stopped(x: Term) -> Term:
    return x.sample.stop(x) if x.sample is not None and x.sample.moves(x) else x


ops = _Symbols(_Numbers(), Symbols)
array = ops.asarray
register(Symbols, ops)
__all__ = ["Plain", "Sample", "Symbols", "Term", "array", "lift", "meant", "ops"]
