"""The answer to one claim: proved, refuted or open, how sure, and why."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lossmith.checker.finding import Certificate

if TYPE_CHECKING:
    from lossmith.prove.facts import Facts, Statement


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


def held(facts: "Facts") -> str:
    """The interval and the targets for which a certificate holds."""
    low, high = facts.interval
    return ", ".join(
        [f"for {low:.3g} <= {facts.variable} <= {high:.3g}", *([" | ".join(facts.held)] if facts.held else [])]
    )
