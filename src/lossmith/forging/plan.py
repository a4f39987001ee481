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
from lossmith.forging.tree import PRED, TARGET, Node


@dataclass(frozen=True)
class Plan:
    """A loss, its derivatives and its facts.

    given      the expression as it was written
    value      as it is computed
    slopes     the derivatives by pred and by target, as they are computed
    curvature  the second derivative by pred
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
    raw = {one.name: derivative(stable, one) for one in (PRED, TARGET)}
    slopes = {name: as_computed(slope) for name, slope in raw.items()}
    curvature = as_computed(derivative(raw["pred"], PRED))
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
        tuple(measured(one, kinds, named) for one in (*words, *sums)),
    )
