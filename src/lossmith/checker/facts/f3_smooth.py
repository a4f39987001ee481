"""F3 smooth

What it says
    How many derivatives of the loss are continuous, and where the slope or the value jumps, and by how much.

How it is found
    The trace is cut where its branches meet: an interval Newton step encloses each such place, and value, slope and
    second derivative are compared on both sides of it. A constant rounded to a float may leave a gap of its last digit.

Why it matters
    At a kink the gradient is a convention, and second-order methods see no curvature. A jump of the value is nearly
    always a constant that is missing where two pieces of a loss were joined.

Declare it
    @lossmith.contract(smooth=True): the gradient has no jump; one that has is an error.
"""

from collections.abc import Iterator

from lossmith.checker.facts.answer import Answer, held, of_statement
from lossmith.checker.finding import Fact
from lossmith.checker.learned import Learned
from lossmith.prove.facts import Facts
from lossmith.report.facts import SMOOTH, number, where_held

CODE, NAME = "F3", "smooth"


def found(learned: Learned, facts: Facts) -> Iterator[Fact]:
    known = facts.smooth_to is not None
    verdict = SMOOTH[facts.smooth_to] if facts.smooth_to is not None else "not known"
    because = "" if known else of_statement(facts, "smooth").because
    yield Fact(CODE, NAME, verdict, "proved" if known else "open", "; ".join(filter(None, (held(facts), because))))
    for kink in facts.kinks:
        what = "value" if kink.torn else "slope"
        jump = f"the {what} jumps by {number(kink.by)} at {facts.variable} = {number(kink.at)}"
        yield Fact(CODE, "kink", jump, "proved", where_held(kink.given).strip(" ()"))


def answer(learned: Learned, facts: Facts, name: str, value: object) -> Answer:
    return of_statement(facts, "smooth")
