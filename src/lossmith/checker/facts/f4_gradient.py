"""F4 gradient

What it says
    Enclosures of the slope (a Lipschitz constant) and of the second derivative (a smoothness constant) of the loss of
    one prediction, on the interval that is shown.

How it is found
    Branch and bound over balls, rounded outwards: what is printed contains every slope there is, at kinks too. For a
    loss of rows of classes the balls are shares of a softmax, at three classes.

Why it matters
    The largest slope is what one sample can pull; 1 / the largest curvature is a step size that always descends.

Declare it
    @lossmith.contract(grad_bound=1.0): a slope of one prediction that is larger is an error.
"""

from collections.abc import Iterator
from typing import Any

from lossmith.checker.facts.answer import ROWS, Answer, held, of, of_rows, said_of_rows
from lossmith.checker.finding import Fact
from lossmith.checker.learned import Learned, Unknown
from lossmith.prove.claimed import slope_at_most
from lossmith.prove.facts import Facts
from lossmith.prove.rows import Bounds
from lossmith.report.facts import within

CODE, NAME = "F4", "gradient"


def found(learned: Learned, facts: Facts) -> Iterator[Fact]:
    for name, bounds in (("slope", facts.slopes), ("second derivative", facts.bends)):
        known = bounds is not None
        verdict = within(bounds) if bounds is not None else "no bound was found"
        yield Fact(CODE, name, verdict, "proved" if known else "open", held(facts))


def found_of_rows(bounds: Bounds) -> Iterator[Fact]:
    for kind in ("slope", "second derivative"):
        for name, verdict in said_of_rows(bounds, kind):
            yield Fact(CODE, name, verdict, "proved", ROWS)


def answer_of_rows(bounds: Bounds, name: str, value: Any) -> Answer:
    return of_rows(bounds, "slope", -float(value), float(value))


def answer(learned: Learned, facts: Facts, name: str, value: Any) -> Answer:
    numbers = learned.numbers
    return Answer("open") if isinstance(numbers, Unknown) else of(slope_at_most(numbers, float(value)))
