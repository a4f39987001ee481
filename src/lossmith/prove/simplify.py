"""The shortest way to write an expression: every candidate is made by sympy, and kept only if it is the same number.

sympy's rewritings are right for the assumptions they are given, and wrong beyond them now and then; a candidate
that does not agree with the original to forty digits at every sample is dropped.
"""

import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import sympy

from lossmith.ops.digits import context
from lossmith.prove.evaluate import Expr, Point, number

AGREE = context.mpf(10) ** -36
SMALL = 14  # operations, up to which an expression may be a hyperbolic function
FACTORED = 20  # operations, up to which a sum is worth its factors
LARGE = 30  # operations, beyond which the slow rewritings are not tried
SECONDS = 1.0  # of this process, for one rewriting
HUGE = 90  # operations, beyond which nobody reads an expression and sympy may need minutes for it


class sigmoid(sympy.Function):
    """1 / (1 + e^-x), with a name of its own: what a logit means."""

    nargs = 1
    is_real = True
    is_positive = True

    def fdiff(self, argindex: int = 1) -> Expr:
        return self * (1 - self)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\sigma{power}\left({printer._print(self.args[0])}\right)"

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


def with_tanh(expr: Expr) -> Expr:
    """An expression in powers of one e^u through T = tanh(u / 2): e^u = (1 + T) / (1 - T)."""
    exponents = {power.args[0] for power in expr.atoms(sympy.exp)}
    u = min(exponents, key=cost)
    u = -u if u.could_extract_minus_sign() else u
    shares = {one: sympy.cancel(one / u) for one in exponents}
    if not all(share.is_Integer for share in shares.values()):
        raise ValueError("several exponents")
    tangent = sympy.Dummy("T", real=True)
    powers = {sympy.exp(one): ((1 + tangent) / (1 - tangent)) ** share for one, share in shares.items()}
    return sympy.cancel(expr.xreplace(powers)).subs(tangent, sympy.tanh(sympy.factor_terms(u / 2)))


def as_powers(expr: Expr) -> Expr:
    """e^(a log u) as u^a."""

    def power(exponent: Expr) -> Expr:
        factors = sympy.Mul.make_args(exponent)
        base = next((one for one in factors if isinstance(one, sympy.log)), None)
        return sympy.exp(exponent) if base is None else base.args[0] ** (exponent / base)

    return expr.replace(sympy.exp, power)


def _rewritings() -> Iterable[Callable[[Any], Any]]:
    yield sympy.factor_terms
    yield sympy.together
    yield lambda e: sympy.factor(e, deep=True) if operations(e) <= FACTORED else e
    yield as_powers
    yield lambda e: sympy.powsimp(e, force=True)
    yield lambda e: sympy.logcombine(sympy.expand_log(e, force=True), force=True) if operations(e) <= LARGE else e
    yield lambda e: sympy.expand_log(e, force=True)
    yield lambda e: sympy.expand(e) if operations(e) <= LARGE else e
    yield lambda e: sympy.cancel(sympy.radsimp(e)) if operations(e) <= LARGE else e  # no root under a fraction
    yield with_sigmoid


def _slow_rewritings() -> Iterable[Callable[[Any], Any]]:
    yield sympy.simplify
    yield lambda e: sympy.simplify(sympy.expand(e))


def _hyperbolic() -> Iterable[Callable[[Any], Any]]:
    yield with_tanh
    yield lambda e: sympy.simplify(e.rewrite(sympy.cosh))


def shortest(exprs: Sequence[Expr], points: Sequence[Point]) -> Expr:
    """The shortest expression that equals the first of `exprs` at every point; the others are candidates too."""
    want = [number(exprs[0], point) for point in points]
    found = list(exprs)
    for expr in exprs:
        if operations(expr) <= HUGE:
            found += alike(expr, _rewritings())
    again = _first_right(found, want, points, operations) or exprs[0]
    if operations(again) <= LARGE and not again.has(sigmoid):
        found += alike(again, _slow_rewritings())
        for expr in {again, *exprs}:
            found += alike(expr, _hyperbolic()) if operations(expr) <= SMALL and expr.has(sympy.exp) else []
        again = _first_right(found, want, points, operations) or exprs[0]
    found += alike(again, _rewritings())
    return _first_right(found, want, points, cost) or exprs[0]


def _first_right(
    exprs: Sequence[Expr], want: Sequence[Any], points: Sequence[Point], key: Callable[[Expr], Any]
) -> Expr | None:
    """The shortest one that has these values at these points."""
    return next((expr for expr in sorted(dict.fromkeys(exprs), key=key) if same(expr, want, points)), None)


def alike(expr: Expr, rewritings: Iterable[Callable[[Any], Any]]) -> Iterator[Expr]:
    """What an expression becomes, not yet compared with it; what takes too long or fails is left out."""
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


@lru_cache(maxsize=4096)
def operations(expr: Expr) -> int:
    return int(sympy.count_ops(expr))


@lru_cache(maxsize=4096)
def cost(expr: Expr) -> tuple[int, int]:
    """How long an expression is to read: operations first, then characters.

    A power under a logarithm counts thrice, a fraction over a fraction twice, a sigmoid nothing: it is a letter there.
    """
    hidden = [one for one in expr.atoms(sympy.log) if any(power.exp.free_symbols for power in one.atoms(sympy.Pow))]
    storeys = [one for one in expr.atoms(sympy.Mul) if _divides(one) and any(map(_has_fraction, one.args))]
    below = [one for one in expr.atoms(sympy.Pow) if one.exp.could_extract_minus_sign() and _has_fraction(one.base)]
    length = operations(expr) - int(expr.count(sigmoid))
    return (length + 2 * (sum(map(operations, hidden)) + len(below)) + len(storeys), len(str(expr)))


def _divides(expr: Expr) -> bool:
    return any(one.is_Pow and one.exp.could_extract_minus_sign() for one in expr.args)


def _has_fraction(expr: Expr) -> bool:
    """Whether it is a sum with a fraction."""
    return expr.is_Add and any(power.exp.could_extract_minus_sign() for power in expr.atoms(sympy.Pow))


def same(expr: Expr, want: Sequence[Any], points: Sequence[Point]) -> bool:
    """Whether an expression has these values at these points."""
    return all(agree(number(expr, point), value) for point, value in zip(points, want, strict=True))


def agree(got: Any, want: Any) -> bool:
    if not (context.isfinite(got) and context.isfinite(want)):
        return got == want
    return abs(got - want) <= AGREE * max(1, abs(want))
