"""What `lossmith show` says of a stranger's loss: traced and studied in the child process, as plain text and data."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from lossmith.checker.contract import Contract
from lossmith.checker.resolve import Declared, resolve
from lossmith.checker.subject import Subject
from lossmith.checker.traced import convexity_of, traced
from lossmith.errors import LossmithError
from lossmith.prove.derive import derive
from lossmith.prove.facts import facts_of
from lossmith.prove.rows import bounds_of
from lossmith.prove.slices import elementwise, is_elementwise, is_of_rows

Form = Literal["show", "steps", "latex"]  # with the facts; with the rules that lead to the gradient too; alone
STOPPED = "a part is detached at {}: the derivatives shown are of its value, not its gradient"


@dataclass(frozen=True)
class Shown:
    """One loss: what it takes, its mathematics and its facts as they are printed, or why there are none."""

    name: str
    location: str = ""
    takes: Mapping[str, str] = field(default_factory=dict[str, str])
    derived: str = ""
    facts: str = ""
    notes: tuple[str, ...] = ()
    problem: str = ""


def study(subject: Subject, declared: Declared, form: Form = "show") -> dict[str, Any]:
    """Trace a loss and study it; what cannot be done becomes its `problem`."""
    try:
        contract = resolve(subject, declared)[0]
    except LossmithError as error:
        return asdict(Shown(subject.name, subject.location, problem=str(error)))
    takes = {argument.name: str(argument.domain) for argument in contract.arguments}
    shown = Shown(subject.name, subject.location, takes)
    try:
        return asdict(_studied(subject, contract, shown, form))
    except LossmithError as error:
        return asdict(Shown(subject.name, subject.location, takes, problem=str(error)))


def _studied(subject: Subject, contract: Contract, shown: Shown, form: Form) -> Shown:
    from lossmith.report.derivation import in_latex, in_text
    from lossmith.report.facts import of_several

    subject = subject.with_contract(contract)
    try:
        found = traced(subject)
    except LossmithError as error:
        if form == "latex" or subject.bridged:
            raise
        return replace(shown, facts=of_several(convexity_of(subject)), notes=(str(error),))
    if form == "latex":
        return replace(shown, derived=in_latex(derive(found.formula, **found.settings)))
    notes = [STOPPED.format(found.stopped)] if found.stopped else []
    try:
        derived = in_text(derive(found.formula, **found.settings), steps=form == "steps")
    except LossmithError as error:
        derived, notes = "", [*notes, str(error)]
    if is_elementwise(found.formula):
        facts = str(facts_of(elementwise(found.formula, **found.settings)))
    else:
        bounds = bounds_of(found.formula, **found.settings) if is_of_rows(found.formula) else None
        facts = of_several(convexity_of(subject), bounds)
    return Shown(shown.name, shown.location, shown.takes, derived, facts, tuple(notes))
