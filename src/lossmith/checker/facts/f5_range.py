"""F5 range

What it says
    Enclosures of the smallest and of the largest value on the interval that is shown, and whether the loss never falls
    as the prediction moves away from its target.

How it is found
    Branch and bound over balls, rounded outwards; for a loss of rows of classes over the shares of a softmax.

Why it matters
    A smallest value that is not 0 (label smoothing, a cross entropy of soft targets) is no sign of a model that fails
    to learn; a loss that falls away from its target teaches the wrong thing there.

Declare it
    @lossmith.contract(range=(0, float("inf")), monotone=True): a value outside, or a fall, is an error.
"""

from collections.abc import Iterator
from typing import Any

from lossmith.checker.facts.answer import ROWS, Answer, held, of, of_rows, of_statement, said_of_rows
from lossmith.checker.finding import Fact
from lossmith.checker.learned import Learned, Unknown
from lossmith.prove.claimed import value_within
from lossmith.prove.facts import Facts
from lossmith.prove.rows import Bounds
from lossmith.report.facts import within

CODE, NAME = "F5", "range"
AWAY = "never falls away from the target"


def found(learned: Learned, facts: Facts) -> Iterator[Fact]:
    known = facts.values is not None
    verdict = within(facts.values) if facts.values is not None else "no bound was found"
    yield Fact(CODE, "value", verdict, "proved" if known else "open", held(facts))
    if any(one.claim == AWAY for one in facts.statements):
        said = of_statement(facts, AWAY)
        words = {"proved": AWAY, "refuted": "falls away from the target", "open": "not known"}
        yield Fact(CODE, "direction", words[said.verdict], said.grade, said.because)


def found_of_rows(bounds: Bounds) -> Iterator[Fact]:
    for name, verdict in said_of_rows(bounds, "value"):
        yield Fact(CODE, name, verdict, "proved", ROWS)


def answer_of_rows(bounds: Bounds, name: str, value: Any) -> Answer:
    if name == "monotone":
        return Answer("open", "no meaning for such a loss")
    return of_rows(bounds, "value", *map(float, value))


def answer(learned: Learned, facts: Facts, name: str, value: Any) -> Answer:
    numbers = learned.numbers
    if name == "monotone":
        return of_statement(facts, AWAY)
    return Answer("open") if isinstance(numbers, Unknown) else of(value_within(numbers, *map(float, value)))
