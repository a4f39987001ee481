"""The shortest way to write an expression: every candidate is made by sympy, and kept only if it is the same number.

sympy's rewritings are right for the assumptions they are given, and wrong beyond them now and then; a candidate
that does not agree with the original to forty digits at every sample is dropped.
"""

import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sympy

from lossmith.ops.digits import context

# sympy's annotations take sums and products of expressions for something more general
Expr = Any
Symbol = Any
Point = dict[Symbol, Any]
AGREE = context.mpf(10) ** -36
LARGE = 30  # operations, beyond which the slow rewritings are not tried
SECONDS = 3.0  # of this process, for one rewriting
HUGE = 150  # operations, beyond which nobody reads an expression and sympy may need minutes for it


class sigmoid(sympy.Function):
    """1 / (1 + e^-x), with a name of its own: what a logit means."""

    nargs = 1
    is_real = True
    is_positive = True

    def fdiff(self, argindex: int = 1) -> Expr:
        return self * (1 - self)

    def _latex(self, printer: Any) -> str:
        return rf"\sigma\left({printer._print(self.args[0])}\right)"

    def _pretty(self, printer: Any) -> Any:
        return printer._print(sympy.Function("σ")(self.args[0]))


def with_sigmoid(expr: Expr) -> Expr:
    """An expression in a logit x and e^x through p = sigmoid(x): e^x = p / q and x = log p - log q, with q = 1 - p."""
    exponents = {power.args[0] for power in expr.atoms(sympy.exp)}
    for symbol in sorted({one for one in expr.free_symbols if {one, -one} & exponents}, key=str):
        share: Expr = sigmoid(symbol)
        p, q = sympy.symbols("p q", positive=True)
        plain = sympy.expand_power_exp(expr)
        for sign in (1, -1):
            plain = plain.subs(sympy.exp(sign * symbol), (p / q) ** sign)
        plain = sympy.together(plain.subs(symbol, sympy.log(p) - sympy.log(q)), deep=True).subs(p + q, 1)
        plain = sympy.factor_terms(sympy.powsimp(sympy.expand_log(plain, force=True), force=True))
        expr = plain.subs({q: 1 - share, p: share})
    return expr


def with_shares(expr: Expr, logits: Sequence[Symbol], shares: Sequence[Symbol]) -> Expr:
    """An expression in logits z and e^z, written through their softmax p: e^z = p S and z = log p + log S.

    Where the total S does not cancel, the expression is returned as it was.
    """
    total = sympy.Dummy("total", positive=True)
    plain = sympy.expand_power_exp(expr)
    for z, p in zip(logits, shares, strict=True):
        plain = plain.subs(sympy.exp(-z), 1 / (p * total)).subs(sympy.exp(z), p * total)
    plain = plain.subs({z: sympy.log(p) + sympy.log(total) for z, p in zip(logits, shares, strict=True)})
    together: Expr = sympy.together(plain, deep=True)
    plain = _to_one(sympy.factor_terms(together), shares)
    plain = _to_one(sympy.simplify(sympy.expand_log(plain, force=True)), shares)
    return expr if {total, *logits} & plain.free_symbols else plain


def _to_one(expr: Expr, shares: Sequence[Symbol]) -> Expr:
    first, *others = shares
    return expr.subs(sum(shares), 1).subs(sum(others), 1 - first)


def _rewritings() -> Iterable[Callable[[Any], Any]]:
    yield sympy.factor_terms
    yield sympy.together
    yield lambda e: sympy.factor(e, deep=True)
    yield lambda e: sympy.powsimp(e, force=True)
    yield lambda e: sympy.logcombine(sympy.expand_log(e, force=True), force=True)
    yield lambda e: sympy.expand_log(e, force=True)
    yield sympy.expand
    yield with_sigmoid


def _slow_rewritings() -> Iterable[Callable[[Any], Any]]:
    yield sympy.simplify
    yield lambda e: sympy.simplify(sympy.expand(e))


def _hyperbolic() -> Iterable[Callable[[Any], Any]]:
    yield lambda e: sympy.simplify(e.rewrite(sympy.cosh))
    yield lambda e: sympy.simplify(e.rewrite(sympy.tanh))


def shortest(exprs: Sequence[Expr], points: Sequence[Point]) -> Expr:
    """The shortest expression that equals the first of `exprs` at every point; the others are candidates too."""
    first = exprs[0]
    want = [number(first, point) for point in points]
    found = list(exprs)
    for expr in exprs:
        if sympy.count_ops(expr) <= HUGE:
            found += _candidates(expr, _rewritings())
    again = min((expr for expr in dict.fromkeys(found) if same(expr, want, points)), key=cost, default=first)
    if sympy.count_ops(again) <= LARGE and not again.has(sigmoid):
        found += _candidates(again, _slow_rewritings())
        for expr in {again, *(expr for expr in exprs if sympy.count_ops(expr) <= LARGE)}:
            found += _candidates(expr, _hyperbolic()) if expr.has(sympy.exp) else []
        again = min(found, key=cost)
    found += _candidates(again, _rewritings())
    right = [expr for expr in dict.fromkeys(found) if same(expr, want, points)]
    return min(right, key=cost) if right else first


def _candidates(expr: Expr, rewritings: Iterable[Callable[[Any], Any]]) -> Iterator[Expr]:
    for rewrite in rewritings:
        try:
            with at_most(SECONDS, TimeoutError()):
                found = rewrite(expr)
            yield found
        except Exception:
            continue


@contextmanager
def at_most(seconds: float, error: Exception) -> Iterator[None]:
    """Raise an error after so many seconds of this process; without limit where it cannot be told (in a thread)."""
    if not hasattr(signal, "ITIMER_VIRTUAL") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise error

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.signal(signal.SIGVTALRM, before)


def cost(expr: Expr) -> tuple[int, int]:
    """How long an expression is to read: operations first, then characters."""
    return (sympy.count_ops(expr), len(str(expr)))


def number(expr: Expr, point: Point) -> Any:
    """The value of an expression at a point, to fifty digits; NaN where it is not a real number."""
    try:
        found = sympy.lambdify(list(point), expr, modules=[_FUNCTIONS, "mpmath"])(*point.values())
        return context.mpf(found)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError, AttributeError, NameError):
        return context.nan


_FUNCTIONS = {
    name: getattr(context, name)
    for name in ("exp", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "atan", "erf", "pi", "fabs", "mpf")
} | {"Abs": context.fabs, "E": context.e, "sign": context.sign, "coth": context.coth, "sech": context.sech}
_FUNCTIONS["sigmoid"] = lambda x: 1 / (1 + context.exp(-x))


def same(expr: Expr, want: Sequence[Any], points: Sequence[Point]) -> bool:
    """Whether an expression has these values at these points."""
    return all(agree(number(expr, point), value) for point, value in zip(points, want, strict=True))


def agree(got: Any, want: Any) -> bool:
    if not (context.isfinite(got) and context.isfinite(want)):
        return got == want
    return abs(got - want) <= AGREE * max(1, abs(want))
