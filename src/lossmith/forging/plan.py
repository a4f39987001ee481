"""Everything that is known of a loss before its source is written: what each target writes from."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lossmith.forging.bounds import Bounds
from lossmith.forging.differentiate import derivative
from lossmith.forging.domain import kinds_of
from lossmith.forging.facts import Facts, facts_of
from lossmith.forging.measure import Measured, measured
from lossmith.forging.parse import parse
from lossmith.forging.rewrite import finished, in_stable_words
from lossmith.forging.row_slopes import diagonal, gradient
from lossmith.forging.rows import is_of_rows
from lossmith.forging.tree import PRED, TARGET, Node


@dataclass(frozen=True)
class Plan:
    """A loss, its derivatives and its facts.

    given      the expression as it was written
    value      as it is computed
    slopes     the derivatives by pred and by target, as they are computed
    curvature  the second derivative by pred; of a loss of rows the diagonal, by each entry twice
    low, high  bounds of the value at these parameters
    """

    name: str
    params: Mapping[str, float]
    kinds: tuple[str, str]
    given: Node
    value: Node
    slopes: Mapping[str, Node]
    curvature: Node
    facts: Facts
    low: float
    high: float
    rewrites: tuple[Measured, ...]

    @property
    def of_rows(self) -> bool:
        return is_of_rows(self.given)

    @property
    def called(self) -> str:
        return "a loss of rows of classes" if self.of_rows else "an elementwise loss"

    @property
    def each(self) -> str:
        return "for each row" if self.of_rows else "elementwise"

    @property
    def shapes(self) -> tuple[str, str]:
        """What pred and target are, and the shape of the values."""
        if self.by_label:
            return "pred: (..., C) with the classes last, target: (...) labels from 0 to C - 1", "(...)"
        if self.of_rows:
            return "pred, target: (..., C) equal, with the classes last", "(...)"
        return "pred, target: (...) equal", "(...)"

    @property
    def by_label(self) -> bool:
        """Whether the target is one class number for each row."""
        return self.of_rows and self.kinds[1] == "index"

    @property
    def function(self) -> str:
        """The name as a function has it: AsymmetricMSE is asymmetric_mse."""
        return function_name(self.name)


def function_name(name: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return words.lower()


def plan(
    expression: str,
    name: str,
    params: Mapping[str, float],
    *,
    rewrite: bool = True,
    pred: str | None = None,
    target: str | None = None,
) -> Plan:
    """Read an expression, derive it, and measure what is true of it."""
    given = parse(expression, params)
    named = dict(params)
    kinds = kinds_of(given, named, pred, target)
    bounds = Bounds(kinds, named)
    stable, words = in_stable_words(given, bounds) if rewrite else (given, [])

    def as_computed(root: Node) -> Node:
        return finished(root, bounds)[0] if rewrite else root

    value, sums = finished(stable, bounds) if rewrite else (stable, [])
    if is_of_rows(given):
        moving = (PRED,) if kinds[1] == "index" else (PRED, TARGET)
        raw = {one.name: gradient(stable, one, kinds[1]) for one in moving}
        curvature = as_computed(diagonal(raw["pred"], PRED, kinds[1]))
    else:
        raw = {one.name: derivative(stable, one) for one in (PRED, TARGET)}
        curvature = as_computed(derivative(raw["pred"], PRED))
    slopes = {name: as_computed(slope) for name, slope in raw.items()}
    low, high = (
        pick(ends) for pick, ends in zip((max, min), zip(bounds.of(given), bounds.of(value), strict=True), strict=True)
    )
    return Plan(
        name,
        named,
        kinds,
        given,
        value,
        slopes,
        curvature,
        facts_of(given, value, slopes, curvature, kinds, named),
        low,
        high,
        tuple(measured(one, kinds, named, is_of_rows(given)) for one in (*words, *sums)),
    )
