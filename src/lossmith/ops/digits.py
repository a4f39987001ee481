"""Fifty decimal digits: the reading that judges every other one.

`array` lifts numbers exactly; the result is a `Digits` array, which any formula takes like a framework's array.
A constant inside a formula, such as `log(2.0)`, still has the 53 bits of a float: a formula's own text is then
right to 2e-17, which is enough to judge float64.

Precision lives in a context of this module, so that `mpmath.mp` stays as the user left it.
"""

from typing import Any

import numpy as np
from mpmath import MPContext

from lossmith.ops import register
from lossmith.ops.objects import Objects

DIGITS = 50
context = MPContext()
context.dps = DIGITS


class Digits(np.ndarray):
    """An array of fifty-digit numbers (or of class numbers or booleans, beside them)."""


class Numbers:
    """mpmath's functions, real where mpmath would turn complex, and with the limits that IEEE gives."""

    def lift(self, x: Any) -> Any:
        if isinstance(x, context.mpf):
            return x
        return context.mpf(x if hasattr(x, "_mpf_") else float(x))  # float() knows numpy's small dtypes too

    def exp(self, x: Any) -> Any:
        return context.exp(x)

    def expm1(self, x: Any) -> Any:
        return context.expm1(x) if context.isfinite(x) else context.exp(x) - 1

    def log(self, x: Any) -> Any:
        if x == 0:
            return -context.inf
        return context.nan if x < 0 else context.log(x)

    def log1p(self, x: Any) -> Any:
        # mpmath's log1p of a subnormal is right, of -1 and below it raises or turns complex
        return context.log1p(x) if context.isfinite(x) and x > -1 else self.log(1 + x)

    def sqrt(self, x: Any) -> Any:
        return context.nan if x < 0 else context.sqrt(x)

    def softplus(self, x: Any) -> Any:
        return (x if x > 0 else context.zero) + self.log1p(context.exp(-abs(x)))

    def arctan(self, x: Any) -> Any:
        return context.atan(x)

    def tanh(self, x: Any) -> Any:
        return context.tanh(x)

    def erf(self, x: Any) -> Any:
        return context.erf(x)

    def sin(self, x: Any) -> Any:
        return context.sin(x)

    def cos(self, x: Any) -> Any:
        return context.cos(x)

    def isfinite(self, x: Any) -> bool:
        return bool(context.isfinite(x))


ops = Objects(Numbers(), Digits)
array = ops.asarray
register(Digits, ops)
