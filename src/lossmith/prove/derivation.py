"""What a derivation holds: cases, regions, and the places where regions meet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy

from lossmith.ops.digits import context
from lossmith.prove.evaluate import Expr, Point, Symbol, number
from lossmith.prove.shares import Family
from lossmith.prove.simplify import alike, sigmoid

UNKNOWN = sympy.Symbol("?")  # where a root was not found
CLOSE = context.mpf(10) ** -25  # to a place where two regions meet
DECIMALS = 40  # at most, of a float that was written
GAP = context.mpf(10) ** -11  # a root of a function may start there


@dataclass(frozen=True)
class Bounds:
    """low < x < high; None is no bound."""

    low: Expr | None
    x: Symbol
    high: Expr | None


@dataclass(frozen=True)
class Region:
    """Where an expression holds (no bounds: everywhere), and its first and second derivative by each variable."""

    where: tuple[Bounds, ...]
    value: Expr
    gradient: Mapping[Symbol, Expr]
    curvature: Mapping[Symbol, Expr]


@dataclass(frozen=True)
class Join:
    """Where two regions meet: the gradient on either side, and whether value and gradient go on without a jump."""

    at: Expr
    x: Symbol
    left: Expr
    right: Expr
    continuous: bool
    smooth: bool


@dataclass(frozen=True)
class Case:
    """The regions for one kind of target: `given` is empty, or "target = 1".

    constants   letters that do not move, and what they stand for
    point       one of the numbers at which it was compared
    """

    given: str
    regions: tuple[Region, ...]
    constants: Mapping[str, str] = field(default_factory=dict[str, str])
    point: Point = field(default_factory=dict[Symbol, Any])

    @property
    def joins(self) -> tuple[Join, ...]:
        """The places where regions meet, from left to right."""
        placed = [(bounds, region) for region in self.regions for bounds in region.where]
        found = (
            _join(before, after, bounds, self.point)
            for (bounds, after) in placed
            for (other, before) in placed
            if bounds.low is not None and bounds.low == other.high and bounds.low != UNKNOWN
        )
        return tuple(sorted(found, key=lambda join: number(join.at, self.point)))


@dataclass(frozen=True)
class Derivation:
    """A loss as mathematics.

    letters   what each symbol stands for
    checked   at how many points it was compared with fifty digits
    families  the shares of a row of logits that the expressions are written in
    """

    name: str
    letters: Mapping[str, str]
    cases: tuple[Case, ...]
    checked: int
    families: tuple[Family, ...] = ()

    @property
    def has_sigmoid(self) -> bool:
        return any(
            expr.has(sigmoid)
            for case in self.cases
            for region in case.regions
            for expr in (region.value, *region.gradient.values(), *region.curvature.values())
        )

    def __str__(self) -> str:
        from lossmith.report.derivation import in_text

        return in_text(self)

    def latex(self) -> str:
        """The same as LaTeX: an `align*` environment for each case."""
        from lossmith.report.derivation import in_latex

        return in_latex(self)


def in_decimals(expr: Expr) -> Expr:
    """An expression to be shown: a fraction of more than three decimals is a decimal again."""
    long = [one for one in expr.atoms(sympy.Rational) if one.q > 1000 and 10**DECIMALS % one.q == 0]
    return expr.xreplace({one: sympy.Float(repr(float(one))) for one in long})


def _join(before: Region, after: Region, bounds: Bounds, point: Point) -> Join:
    """Two regions where they meet; that value and slope go on is seen with fifty digits, close by on either side."""
    x, at = bounds.x, bounds.low
    place = number(at, point)
    sides = (
        (before, {**point, x: place - CLOSE * (1 + abs(place))}),
        (after, {**point, x: place + CLOSE * (1 + abs(place))}),
    )
    values, slopes = (
        [number(part(region), there) for region, there in sides]
        for part in (lambda region: region.value, lambda region: region.gradient[x])
    )
    continuous, together = (_goes_on(*found) for found in (values, slopes))
    continuous = continuous or _meet(before.value, after.value, x, at)
    left, right = (_limit(region.gradient[x], x, at, side) for region, side in ((before, "-"), (after, "+")))
    smooth = continuous and left.is_finite is not False
    smooth = smooth and (together or _meet(before.gradient[x], after.gradient[x], x, at))
    if not smooth:
        left, right = (next(alike(one, [sympy.simplify]), one) for one in (left, right))
    return Join(at, x, left, right, continuous, smooth)


def _meet(left: Expr, right: Expr, x: Symbol, at: Expr) -> bool:
    """Whether two expressions are one number at a place, though close by they are not: a root of a root."""
    found = left.subs(x, at)
    return bool(found.is_finite and found == right.subs(x, at))


def _limit(expr: Expr, x: Symbol, at: Expr, side: str) -> Expr:
    """The expression at a place; where it has no value there, what it comes to from one side."""
    found = expr.subs(x, at)
    if found.has(sympy.nan, sympy.zoo, sympy.oo):
        found = next(alike(expr, [lambda one: sympy.limit(one, x, at, side)]), UNKNOWN)
    return found


def _goes_on(left: Any, right: Any) -> bool:
    return bool(abs(left - right) <= GAP * (1 + abs(left) + abs(right)))
