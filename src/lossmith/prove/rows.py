"""What is proved of a loss of rows beside its convexity: enclosures of value, slopes and bends over all logits.

The derivation writes them in the shares p = softmax(z). Whatever the logits are, their shares lie in the simplex, which
is small: branch and bound over it, p3 = 1 - p1 - p2, encloses each expression for every row of logits at once whose
shares are not below `FLOOR`. Shares of two temperatures are taken as if they were independent: that may be too wide.
"""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, product
from typing import Any

from flint import arb

from lossmith.errors import LossmithError
from lossmith.ops import ball
from lossmith.ops.ball import ANYTHING, ONE, Ball, around, exact, precision
from lossmith.prove.derivation import Derivation
from lossmith.prove.derive import derive
from lossmith.prove.evaluate import Expr, Symbol
from lossmith.spec import Formula

FLOOR = 2.0**-20  # of a share: logits that are less than 13 apart
BOXES = 400  # for one bound
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Bound:
    """From below the smallest to above the largest number of a kind; `reached` are two that occur."""

    of: str
    low: float
    high: float
    reached: tuple[float, float]


@dataclass(frozen=True)
class Bounds:
    """The bounds that were found, and why there are none."""

    bounds: tuple[Bound, ...] = ()
    open: str = ""


def bounds_of(made: Formula, **settings: Any) -> Bounds:
    """Bounds at the keywords' defaults or at these settings; three classes, the first is right."""
    numbers = {name: x for name, x in made.keywords.items() if type(x) is float} | settings
    try:
        found = derive(made, **numbers)
    except LossmithError as error:
        return Bounds(open=str(error).splitlines()[0])
    return of_derivation(found)


def of_derivation(found: Derivation) -> Bounds:
    """Bounds of a loss of rows whose keywords are numbers."""
    (region, *more), families = found.cases[0].regions, [one for one in found.families if one.moves]
    if more or not families:
        return Bounds(open="it cannot be said in the shares of its logits alone")
    exprs = {"value": region.value}
    for z, gradient in region.gradient.items():
        exprs |= {f"slope in {z}": gradient, f"second derivative in {z}": region.curvature[z]}
    shares = [one.shares for one in families]
    with precision():
        fixed = {
            symbol: around(exact(arb(str(number))))
            for symbol, number in found.cases[0].point.items()
            if not any(symbol in row for row in shares)
        }
        bounds = [_bound(name, expr, shares, fixed) for name, expr in exprs.items()]
    known = tuple(one for one in bounds if one is not None)
    return Bounds(known, "" if known else "no enclosure is finite")


Box = tuple[Ball, ...]  # two shares of each family; the third is what they leave


def _bound(name: str, expr: Expr, shares: Sequence[Sequence[Symbol]], fixed: Mapping[Symbol, Ball]) -> Bound | None:
    ends: list[tuple[float, float]] = []
    for sign in (-1, 1):
        end = _largest(expr, sign, shares, fixed)
        if end is None:
            return None
        ends.append(end)
    (low, least), (high, most) = ends
    return Bound(name, -low, high, (-least, most))


def _largest(
    expr: Expr, sign: int, shares: Sequence[Sequence[Symbol]], fixed: Mapping[Symbol, Ball]
) -> tuple[float, float] | None:
    """What the largest of sign * expr is not above, and a number that it is not below."""
    whole = around(FLOOR, 1.0 - 2 * FLOOR)
    start: Box = (whole,) * (2 * len(shares))
    moving = [place for place, one in enumerate(_pairs(shares)) if {one[0], one[1]} & expr.free_symbols]
    ties, reached = count(), -float("inf")
    heap: list[tuple[float, int, Box]] = []

    def visit(point: Box) -> None:
        nonlocal reached
        there = _at(point, shares, fixed)
        if there is not None:
            here = enclosed(expr, there)
            reached = max(reached, float((here.low if sign > 0 else -here.high).lower()))

    def push(box: Box) -> None:
        at = _at(box, shares, fixed)
        if at is None:
            return
        over = enclosed(expr, at)
        top = float((over.high if sign > 0 else -over.low).upper())
        visit(tuple(around(one.middle) for one in box))
        heapq.heappush(heap, (-top if top == top else -float("inf"), next(ties), box))

    for corner in product(*((FLOOR, 1.0 - 2 * FLOOR) for _ in start)):
        visit(tuple(map(around, corner)))
    push(start)
    for _ in range(BOXES if moving else 0):
        top, _, box = heap[0]
        if -top - reached <= TOLERANCE * (1 + abs(reached)):
            break
        heapq.heappop(heap)
        place = max(moving, key=lambda place: box[place].width)
        middle = box[place].middle
        for half in (Ball(box[place].low, middle), Ball(middle, box[place].high)):
            push((*box[:place], half, *box[place + 1 :]))
    top = -heap[0][0]
    return (top, reached) if top < float("inf") else None


def _pairs(shares: Sequence[Sequence[Symbol]]) -> Iterator[tuple[Symbol, Symbol]]:
    """Each share that is halved, with the last one, which depends on it."""
    for first, second, last in shares:
        yield first, last
        yield second, last


def _at(box: Box, shares: Sequence[Sequence[Symbol]], fixed: Mapping[Symbol, Ball]) -> Mapping[Symbol, Ball] | None:
    """Every symbol as a ball; None for a box that holds no shares."""
    found = dict(fixed)
    for place, (first, second, last) in enumerate(shares):
        one, two = box[2 * place : 2 * place + 2]
        rest = (ONE - one - two).meet(around(FLOOR, 1.0))
        if rest.low > rest.high:
            return None
        found |= {first: one, second: two, last: rest}
    return found


def enclosed(expr: Expr, at: Mapping[Symbol, Ball]) -> Ball:
    """An enclosure of all that an expression is over balls; anything for a function that is not known."""
    if expr.is_Symbol:
        return at[expr]
    if expr.is_Rational:
        return ball.enclosing(arb(int(expr.p)) / arb(int(expr.q)))
    parts = [enclosed(one, at) for one in expr.args]
    if expr.is_Add or expr.is_Mul:
        found = parts[0]
        for part in parts[1:]:
            found = found + part if expr.is_Add else found * part
        return found
    if expr.is_Pow:
        return _power(parts[0], expr.exp, parts[1])
    name = type(expr).__name__
    return getattr(ball, name)(parts[0]) if name in ("exp", "log") else ANYTHING


def _power(base: Ball, exponent: Expr, power: Ball) -> Ball:
    if exponent.is_Integer:
        found, size = ONE, abs(int(exponent))
        for _ in range(size // 2):
            found = found * base.square()
        found = found * base if size % 2 else found
        return found if exponent > 0 else found.inverse()
    return ball.exp(power * ball.log(base)) if base.low > 0 else ANYTHING
