"""A derivative one rule at a time, from the innermost part outwards."""

from collections.abc import Iterator
from dataclasses import dataclass

import sympy

from lossmith.prove.simplify import Expr, Symbol

# d f(u) / du of the functions with a rule of their own, in the words of a textbook.
RULES = {
    sympy.exp: "exponential: (e^u)' = e^u u'",
    sympy.log: "logarithm: (log u)' = u' / u",
    sympy.atan: "arc tangent: (atan u)' = u' / (1 + u^2)",
    sympy.cosh: "hyperbolic cosine: (cosh u)' = u' sinh u",
    sympy.tanh: "hyperbolic tangent: (tanh u)' = u' / cosh^2 u",
}


@dataclass(frozen=True)
class Step:
    """One application of a rule: the derivative of `of` is `gives`."""

    rule: str
    of: Expr
    gives: Expr


def steps(expr: Expr, x: Symbol) -> list[Step]:
    """Every rule that the derivative of an expression needs, parts before the whole, each part once."""
    return list({step.of: step for step in _steps(expr, x)}.values())


def steps_through_softmax(expr: Expr, index: int) -> list[Step]:
    """The rules for an expression in p = softmax(z), by the logit with this index (from 1)."""
    shares = sorted((one for one in expr.free_symbols if str(one).startswith("p")), key=str)
    z = sympy.Symbol(f"z{index}", real=True)
    own = sympy.Symbol(f"p{index}", positive=True)
    found: dict[Expr, Step] = {}
    total = sympy.Integer(0)
    for p in shares:
        found |= {step.of: step for step in _steps(expr, p)}
        inner = p * (int(p == own) - own)
        found[p] = Step(f"softmax: d p_i / d {z} = p_i ((i = {index}) - {own})", p, inner)
        total += expr.diff(p) * inner
    return [*found.values(), Step(f"chain: by each p, times its own derivative by {z}", expr, total)]


def _steps(expr: Expr, x: Symbol) -> Iterator[Step]:
    if x not in expr.free_symbols or expr == x:
        return
    if isinstance(expr, sympy.Mul):
        constant, moving = expr.as_independent(x)
        if constant != 1:
            yield from _steps(moving, x)
            if moving != x:
                yield Step("constant factor: (c u)' = c u'", expr, constant * moving.diff(x))
            return
    for part in expr.args:
        yield from _steps(part, x)
    yield Step(_rule(expr, x), expr, expr.diff(x))


def _rule(expr: Expr, x: Symbol) -> str:
    if isinstance(expr, sympy.Add):
        return "sum: (u + v)' = u' + v'"
    if isinstance(expr, sympy.Mul):
        return "product: (u v)' = u' v + u v'"
    if isinstance(expr, sympy.Pow):
        if x not in expr.exp.free_symbols:
            return "power: (u^n)' = n u^(n-1) u'"
        return "power: (u^v)' = u^v (v' log u + v u' / u)"
    if type(expr).__name__ == "sigmoid":
        return "sigmoid: (sigmoid u)' = sigmoid u (1 - sigmoid u) u'"
    return RULES.get(type(expr), f"{type(expr).__name__}: chain rule")
