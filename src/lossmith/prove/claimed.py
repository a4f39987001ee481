"""A claim with numbers of the user's own, proved or refuted on every slice of a loss: the first that fails says why."""

from collections.abc import Callable

from lossmith.ops.ball import precision
from lossmith.prove.certificate import Certificate, Study
from lossmith.prove.facts import READS, Statement
from lossmith.prove.slices import Elementwise


def slope_at_most(loss: Elementwise, bound: float) -> Statement:
    """No slope is larger, in either direction."""
    return _on_slices(loss, lambda study: study.slope_at_most(bound))


def value_within(loss: Elementwise, low: float, high: float) -> Statement:
    """Every value lies from low to high, either of which may be infinite."""
    return _on_slices(loss, lambda study: study.value_within(low, high))


def _on_slices(loss: Elementwise, ask: Callable[[Study], Certificate]) -> Statement:
    with precision():
        answers = [(one.given, ask(Study(one.function, one.low, one.high, READS))) for one in loss.slices()]
    for verdict in ("refuted", "open"):
        for given, answer in answers:
            if answer.verdict == verdict:
                return Statement(answer.claim, verdict, answer.because, given)
    return Statement(answers[0][1].claim, "proved", "")
