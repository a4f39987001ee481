"""What is found out about a loss beside its defects: formula, facts and cost, each with the reason where it is absent.

A stranger's loss may make mathematics endless: each part has its own limit of time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from lossmith.checker.cost import cost_of
from lossmith.checker.limits import OverMemory, OverTime, within
from lossmith.checker.mathematics import mathematics_of
from lossmith.checker.picture import Cost, Mathematics
from lossmith.checker.subject import Subject
from lossmith.checker.traced import convexity_of, undetached
from lossmith.errors import LossmithError, missing_extra

if TYPE_CHECKING:
    from lossmith.prove.composition import Shown
    from lossmith.prove.facts import Facts
    from lossmith.prove.rows import Bounds
    from lossmith.prove.slices import Elementwise

T = TypeVar("T")
SECONDS = 12.0  # of the processor, for each part


@dataclass(frozen=True)
class Unknown:
    """Why something is not known."""

    why: str


class Learned:
    """Every part is found out when it is first asked for."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject

    @cached_property
    def mathematics(self) -> "Mathematics | Unknown":
        return _found("a derivation", lambda: mathematics_of(self.subject))

    @cached_property
    def numbers(self) -> "Elementwise | Unknown":
        """The loss as one of single numbers."""
        return _found("a certificate", lambda: _elementwise(self.subject))

    @cached_property
    def facts(self) -> "Facts | Unknown":
        numbers = self.numbers
        return numbers if isinstance(numbers, Unknown) else _found("a certificate", lambda: _facts(numbers))

    @cached_property
    def convexity(self) -> "Shown | Unknown":
        """Whether a loss of rows, or of a whole batch, is convex."""
        return _found("a proof", lambda: convexity_of(self.subject))

    @cached_property
    def row_bounds(self) -> "Bounds | Unknown":
        """What encloses value, slopes and bends of a loss of rows."""
        return _found("a bound", lambda: _row_bounds(self.subject))

    @cached_property
    def cost(self) -> "Cost | Unknown":
        return _found("a measurement", lambda: _cost(self.subject))


def _elementwise(subject: Subject) -> "Elementwise":
    from lossmith.prove.slices import elementwise

    found = undetached(subject)
    return elementwise(found.formula, **found.settings)


def _row_bounds(subject: Subject) -> "Bounds":
    from lossmith.prove.rows import bounds_of

    found = undetached(subject)
    bounds = bounds_of(found.formula, **found.settings)
    if bounds.open:
        raise LossmithError(bounds.open)
    return bounds


def _facts(numbers: "Elementwise") -> "Facts":
    from lossmith.prove.facts import facts_of

    return facts_of(numbers)


def _cost(subject: Subject) -> Cost:
    found = cost_of(subject)
    if found is None:
        raise LossmithError(f"{subject.name} does not take a batch of many predictions")
    return found


def _found(what: str, make: Callable[[], T]) -> T | Unknown:
    try:
        with within(SECONDS):
            return make()
    except LossmithError as error:
        return Unknown(str(error))
    except ModuleNotFoundError as error:
        return Unknown(str(missing_extra(what, str(error.name), "prove")))
    except OverTime:
        return Unknown(f"{what} was not found within {SECONDS:g} s")
    except OverMemory as error:
        return Unknown(f"{what} failed: {error}")
    except Exception as error:  # what a stranger's formula does to mathematics is no verdict on the loss
        return Unknown(f"{what} failed: {type(error).__name__}: {error}"[:300])


def known(part: T | Unknown) -> T | None:
    """A part that was found out, or nothing."""
    return None if isinstance(part, Unknown) else part
