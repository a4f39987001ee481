"""A row of logits through its softmax: what is written in e^z is read in p.

    p = softmax(c z),  S = sum_j e^(c z_j):    e^(c z_i) = p_i S,    c z_i = log p_i + log S,
    d p_j / d z_i = c p_j ((i = j) - p_i)

A loss with a temperature has one family of shares for each factor c.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import sympy

from lossmith.ops.digits import context
from lossmith.prove.evaluate import Expr, Point, Symbol, number

LETTERS = "pqsw"
SHORT = 40  # operations that are worth their cancelling


@dataclass(frozen=True)
class Family:
    """The shares p of logits z times a factor; `moves` if the loss is differentiated by these logits.

    A given distribution has shares without logits. To each logit something may be `added` first.
    """

    factor: Expr
    logits: tuple[Symbol, ...]
    shares: tuple[Symbol, ...]
    moves: bool
    added: tuple[Expr, ...] = ()

    def meaning(self, index: int) -> str:
        plus = self.added[index] if self.added else 0
        of = (self.logits[index] + plus) * self.factor if self.logits else ""
        return f"softmax of {of}" if of else f"share {index + 1} of the target distribution"

    def at(self, point: Point) -> Point:
        """The numbers of the shares, from those of the logits; a given distribution has its own."""
        factor = number(sympy.sympify(self.factor), point)
        powers = [context.exp(point[z] * factor) for z in self.logits]
        return {p: power / sum(powers) for p, power in zip(self.shares, powers, strict=True)}

    def inner(self, place: int, index: int) -> Expr:
        """d p_place / d z_index."""
        return self.factor * self.shares[place] * (int(place == index) - self.shares[index])


def families_of(expr: Expr, rows: Sequence[tuple[tuple[Symbol, ...], bool]]) -> Iterator[Family]:
    """One for each factor of a row of logits that an exponential of the expression has, the plain one first."""
    letters = iter(LETTERS)
    exponents = [power.args[0] for power in sympy.expand_power_exp(expr).atoms(sympy.exp)]
    for logits, moves in rows:
        found = {_size(one / z) for one in exponents for z in logits if one.has(z)}
        plain = [one for one in found if not {*logits} & one.free_symbols]
        factors = [one for one in plain if not any(one != of and (one / of).is_Integer for of in plain)]
        for factor in sorted(factors, key=sympy.count_ops):
            letter = next(letters, "")
            if letter:
                shares = tuple(sympy.Symbol(f"{letter}{index + 1}", positive=True) for index in range(len(logits)))
                yield Family(factor, logits, shares, moves)


def _size(factor: Expr) -> Expr:
    return -factor if factor.could_extract_minus_sign() else factor


@lru_cache(maxsize=64)
def in_shares(expr: Expr, families: tuple[Family, ...]) -> Expr:
    """The expression in shares alone; where a total S does not cancel, as it was."""
    plain, logits, totals = sympy.expand_power_exp(expr), set[Symbol](), set[Symbol]()
    for family in reversed([one for one in families if one.logits]):  # a factor of 1 is in every product
        total = sympy.Dummy("total", positive=True)
        for z, p in zip(family.logits, family.shares, strict=True):
            of = z * family.factor
            plain = plain.subs(sympy.exp(-of), 1 / (p * total)).subs(sympy.exp(of), p * total)
            plain = plain.subs(of, sympy.log(p) + sympy.log(total))
        totals.add(total)
        logits |= {*family.logits}
    joined: Expr = sympy.together(plain, deep=True)
    plain = _to_one(sympy.factor_terms(joined), families)
    plain = _to_one(sympy.expand_log(plain, force=True), families)
    if totals & plain.free_symbols:
        plain = _to_one(sympy.simplify(plain), families)
    return expr if (totals | logits) & plain.free_symbols else plain


@lru_cache(maxsize=4096)
def partial(expr: Expr, x: Symbol) -> Expr:
    """The derivative by one letter; of fractions and logarithms with what cancels gone."""
    found = expr.diff(x)
    plain = found.has(sympy.log) and not any(power.exp.free_symbols for power in found.atoms(sympy.Pow))
    return min(sympy.cancel(found), found, key=sympy.count_ops) if plain and sympy.count_ops(found) <= SHORT else found


def rewritings(families: Sequence[Family], letters: Iterable[Symbol]) -> Iterator[Callable[[Expr], Expr]]:
    """The last share of each family as what the others leave, so that what adds up to 1 goes; by one letter each."""

    def without_last(expr: Expr) -> Expr:
        for family in families:
            *others, last = family.shares
            expr = expr.subs(last, 1 - sum(others))
        return sympy.expand(expr)

    if families:
        yield without_last
        yield lambda expr: sympy.factor(without_last(expr))
        for letter in letters:
            yield lambda expr, letter=letter: sympy.collect(without_last(expr), letter, sympy.factor)


def _to_one(expr: Expr, families: Sequence[Family]) -> Expr:
    for family in families:
        first, *others = family.shares
        expr = expr.subs(sum(family.shares), 1).subs(sum(others), 1 - first)
    return expr
