"""What `lossmith show` says of a stranger's loss: traced and studied in the child process, as plain text and data."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from lossmith.checker.contract import Contract
from lossmith.checker.frameworks import first_of, runs_on_jax
from lossmith.checker.place import relative
from lossmith.checker.resolve import Declared, resolve
from lossmith.checker.subject import Subject, as_tensor
from lossmith.errors import LossmithError, message
from lossmith.prove.composition import convex_of
from lossmith.prove.derive import derive
from lossmith.prove.facts import facts_of
from lossmith.prove.slices import elementwise
from lossmith.trace.graph import Graph
from lossmith.trace.rows import formula_of_rows, is_of_rows
from lossmith.trace.single import Record, formula_of


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


def study(subject: Subject, declared: Declared, *, steps: bool = False) -> dict[str, Any]:
    """Trace a loss and study it; what cannot be done becomes its `problem`."""
    try:
        contract = resolve(subject, declared)[0]
    except LossmithError as error:
        return asdict(Shown(subject.name, subject.location, problem=str(error)))
    takes = {argument.name: str(argument.domain) for argument in contract.arguments}
    shown = Shown(subject.name, subject.location, takes)
    try:
        return asdict(_studied(subject, contract, shown, steps))
    except LossmithError as error:
        return asdict(Shown(subject.name, subject.location, takes, problem=_nearer(str(error))))


def _studied(subject: Subject, contract: Contract, shown: Shown, steps: bool) -> Shown:
    if subject.bridged and not runs_on_jax(subject.framework):
        raise LossmithError(
            f"{subject.name}: a loss of {subject.framework} is not traced, only torch, jax and keras on them"
        )
    if len(contract.arguments) != 2 or len(contract.preds) != 1 or contract.target is None:
        found = {argument.name: argument.role for argument in contract.arguments}
        raise LossmithError(message(f"{subject.name}: what is shown takes one prediction and one target", found))
    loss, first = subject.twin(torch.float64), contract.preds[0] == 0

    def function(pred: Any, target: Any) -> Any:
        return as_tensor(subject.call(loss, (pred, target) if first else (target, pred)))[0]

    record = _by_jax(loss, first) if subject.bridged else None
    kind, target, axes = contract.pred.kind, contract.target_kind(), len(contract.pred.domain.axes)
    by_row = is_of_rows(axes, target)
    if by_row:
        made, graph = formula_of_rows(function, subject.name, kind, target, record)
    else:
        made, graph = formula_of(function, subject.name, kind, target, max(1, axes), record)
    notes = [
        _nearer(f"a part is detached at {graph.stopped}: the derivatives shown are of its value, not its gradient")
    ]
    from lossmith.report.derivation import in_text
    from lossmith.report.facts import of_rows

    try:
        derived = in_text(derive(made), steps=steps)
    except LossmithError as error:
        derived, notes = "", [*notes, str(error)]
    notes = notes if graph.stopped else notes[1:]
    facts = of_rows(convex_of(made), kind) if by_row else str(facts_of(elementwise(made)))
    return Shown(shown.name, shown.location, shown.takes, derived, facts, tuple(notes))


def _by_jax(loss: Any, first: bool) -> Record:
    """How a loss of JAX is traced; a target of labels is known while it is."""
    from lossmith.trace.jax import record

    def traced(pairs: Sequence[Sequence[torch.Tensor]]) -> Graph:
        pred, target = (one.numpy() for one in pairs[0])
        if target.dtype.kind == "i":
            return record(lambda z: first_of(loss(z, target) if first else loss(target, z)), [pred])
        return record(lambda z, t: first_of(loss(z, t) if first else loss(t, z)), [pred, target])

    return traced


def _nearer(text: str) -> str:
    """Paths as seen from where the user is."""
    return re.sub(r"/[^\s:]+", lambda found: relative(found[0]), text)
