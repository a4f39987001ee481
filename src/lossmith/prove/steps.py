"""A derivative one rule at a time, from the innermost part outwards."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sympy

from lossmith.prove.evaluate import Expr, Symbol
from lossmith.prove.shares import Family

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


def steps_through_softmax(expr: Expr, index: int, families: Sequence[Family]) -> list[Step]:
    """The rules for an expression in shares p = softmax(z), by the logit with this index (from 0)."""
    found: dict[Expr, Step] = {}
    total: Expr = sympy.Integer(0)
    for family in families:
        for place, p in enumerate(family.shares):
            if not family.moves or p not in expr.free_symbols:
                continue
            z, own, inner = family.logits[index], family.shares[index], family.inner(place, index)
            letter, factor = str(p)[0], "" if family.factor == 1 else f"{family.factor} "
            found |= {step.of: step for step in _steps(expr, p)}
            found[p] = Step(f"softmax: d {letter}_i / d {z} = {factor}{letter}_i ((i = {index + 1}) - {own})", p, inner)
            total += expr.diff(p) * inner
    return [*found.values(), Step("chain: by each share, times its own derivative", expr, total)]


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
