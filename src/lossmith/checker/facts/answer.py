"""The answer to one claim: proved, refuted or open, how sure, and why."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lossmith.checker.finding import Certificate
from lossmith.prove.facts import Bounds as Enclosed
from lossmith.prove.rows import FLOOR
from lossmith.report.facts import number, within

if TYPE_CHECKING:
    from lossmith.prove.facts import Facts, Statement
    from lossmith.prove.rows import Bounds

ROWS = f"for 3 classes, the first is right, shares from {number(FLOOR)}"


@dataclass(frozen=True)
class Answer:
    """`by` is how a claim was settled, if it was."""

    verdict: Literal["proved", "refuted", "open"]
    because: str = ""
    by: Literal["proved", "measured"] = "proved"

    @property
    def grade(self) -> Certificate:
        return "open" if self.verdict == "open" else self.by


def of_statement(facts: "Facts", claim: str) -> Answer:
    """What a certificate says of a claim; open where the claim has no meaning for this loss."""
    return next(
        (of(one) for one in facts.statements if one.claim == claim), Answer("open", "no meaning for such a loss")
    )


def of(one: "Statement") -> Answer:
    return Answer(one.verdict, one.because + (f" ({one.given})" if one.given else ""))


def of_rows(bounds: "Bounds", kind: str, low: float, high: float) -> Answer:
    """Whether every number of a kind ("value", "slope") of a loss of rows lies from low to high."""
    found = [one for one in bounds.bounds if one.of.startswith(kind)]
    for one in found:
        least, most = one.reached
        if least < low or most > high:
            return Answer("refuted", f"the {one.of} reaches {number(least if least < low else most)}, {ROWS}")
    if found and all(low <= one.low and one.high <= high for one in found):
        return Answer("proved", ROWS)
    return Answer("open", "its bounds are wider")


def said_of_rows(bounds: "Bounds", kind: str) -> "Iterator[tuple[str, str]]":
    """What the bounds of a kind are, and where they hold."""
    for one in bounds.bounds:
        if one.of.startswith(kind):
            least, most = one.reached
            yield one.of, within(Enclosed((one.low, least), (most, one.high)))


def held(facts: "Facts") -> str:
    """The interval and the targets for which a certificate holds."""
    low, high = facts.interval
    return ", ".join(
        [f"for {low:.3g} <= {facts.variable} <= {high:.3g}", *([" | ".join(facts.held)] if facts.held else [])]
    )
