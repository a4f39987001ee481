"""F6 symmetry

What it says
    Whether the loss depends on prediction - target alone, whether both sides cost the same, and what a change of the
    unit of the prediction does: the degree k of l(c r) = c^k l(r).

How it is found
    That the residual alone counts is proved: where prediction and target move together, the slope is 0 under every
    answer to every comparison. The sides and the degree are measured at points, with every digit.

Why it matters
    A loss that depends on more than the residual weighs some targets more (percentage errors); a lopsided one pulls
    the prediction to one side (quantiles, class weights); one without a degree has a scale of its own to be set.

Declare it
    @lossmith.contract(even=True): sides that cost different amounts are an error.
"""

from collections.abc import Iterator

from lossmith.checker.facts.answer import Answer
from lossmith.checker.finding import Fact
from lossmith.checker.learned import Learned, Unknown
from lossmith.prove.facts import Facts
from lossmith.prove.symmetry import Symmetry, symmetry
from lossmith.report.facts import number, scaled

CODE, NAME = "F6", "symmetry"


def found(learned: Learned, facts: Facts) -> Iterator[Fact]:
    numbers = learned.numbers
    if isinstance(numbers, Unknown):
        return
    if numbers.of_residual:
        yield Fact(CODE, "residual", "prediction - target alone counts", "proved")
        yield Fact(CODE, "scale", scaled(facts.scale), "measured")
    sides = symmetry(numbers)
    if sides is None:
        return
    same = "over- and undershooting cost the same" if numbers.of_residual else "neither class is favoured"
    other = "over- and undershooting cost differently" if numbers.of_residual else "one class costs more"
    yield Fact(CODE, NAME, same if sides.same else other, "measured", "" if sides.same else _shown(sides))


def _shown(sides: Symmetry) -> str:
    return f"{number(sides.here)} at {sides.at:g}, {number(sides.there)} on the other side"


def answer(learned: Learned, facts: Facts, name: str, value: object) -> Answer:
    numbers = learned.numbers
    sides = None if isinstance(numbers, Unknown) else symmetry(numbers)
    if sides is None:
        return Answer("open", "it has no two sides that were compared")
    return Answer("proved", by="measured") if sides.same else Answer("refuted", _shown(sides), by="measured")
