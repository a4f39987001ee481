"""The formula of the loss under examination: the one it stands on, where it is ours, else that of its trace."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from lossmith.checker.frameworks import first_of, runs_on_jax
from lossmith.checker.limits import OverTime, limited_call
from lossmith.checker.place import relative
from lossmith.checker.sample import of_formula
from lossmith.checker.subject import Subject, as_tensor
from lossmith.errors import LossmithError, message, missing_extra
from lossmith.shapes import letters

if TYPE_CHECKING:
    from lossmith.prove.composition import Shown
    from lossmith.spec import Formula
    from lossmith.trace.graph import Graph
    from lossmith.trace.single import Record

TRACES = 3  # of different numbers, which must agree
BATCH = 3  # samples, where a loss is one of the whole batch


@dataclass(frozen=True)
class Traced:
    """A formula, the keywords at which it is this loss, and the graph that it came from; none for one of ours."""

    formula: "Formula"
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    graph: "Graph | None" = None

    @property
    def stopped(self) -> str:
        """The line of a `detach`: derivatives of the formula are not what autograd gives then."""
        return nearer(self.graph.stopped) if self.graph is not None else ""

    @property
    def of_rows(self) -> bool:
        """Whether one prediction is a row of classes, not one number."""
        return bool(letters(self.formula.shapes.arguments[0][0]))


def traced(subject: Subject) -> Traced:
    """The formula of a loss with a contract; it is traced once.

    Errors    LossmithError for a loss that cannot be traced, or that is one neither of single numbers nor of rows
    """
    if "traced" not in subject.cache:
        try:
            subject.cache["traced"] = own(subject) or _traced(subject)
        except LossmithError as error:
            subject.cache["traced"] = type(error)(nearer(str(error)))
        except OverTime:
            subject.cache["traced"] = LossmithError(f"{subject.name}: tracing it took too long")
    found = subject.cache["traced"]
    if isinstance(found, LossmithError):
        raise found
    return found


def own(subject: Subject) -> Traced | None:
    """The formula behind one of our faces, at its settings; None where one of them is a tensor."""
    loss = subject.loss
    formula = getattr(loss, "formula", None)
    if formula is None or not type(loss).__module__.startswith("lossmith."):
        return None
    keywords = loss._keywords() if hasattr(loss, "_keywords") else {}
    plain = all(x is None or isinstance(x, (bool, int, float, str)) for x in keywords.values())
    return Traced(formula, keywords) if plain else None


def _traced(subject: Subject) -> Traced:
    contract = subject.contract
    if subject.bridged and not runs_on_jax(subject.framework):
        raise LossmithError(
            f"{subject.name}: a loss of {subject.framework} is not traced, only torch, jax and keras on them"
        )
    if len(contract.arguments) != 2 or len(contract.preds) != 1 or contract.target is None:
        found = {argument.name: argument.role for argument in contract.arguments}
        raise LossmithError(message(f"{subject.name}: only a loss of one prediction and one target is traced", found))
    try:
        from lossmith.trace.rows import formula_of_rows, is_of_rows
        from lossmith.trace.single import formula_of
    except ModuleNotFoundError as error:
        raise missing_extra("a trace", str(error.name), "prove") from None
    pred, target = kinds_of(subject)
    axes = len(contract.pred.domain.axes)
    function, record = function_of(subject), _by_jax(subject) if subject.bridged else None
    with limited_call(TRACES):
        if is_of_rows(axes, target):
            made, graph = formula_of_rows(function, subject.name, pred, target, record)
        else:
            made, graph = formula_of(function, subject.name, pred, target, max(1, axes), record)
    return Traced(made, graph=graph)


def undetached(subject: Subject) -> Traced:
    """The formula of a loss of which no part is detached.

    Errors    as `traced`; LossmithError, with the line, for a loss whose gradient is not that of its value
    """
    found = traced(subject)
    if found.stopped:
        given = {"line": found.stopped}
        raise LossmithError(message("a part is detached: what is true of the value is not true of its gradient", given))
    return found


def convexity_of(subject: Subject) -> "Shown":
    """Whether a loss is convex in its prediction: of one row where rows are independent, else of a small batch.

    Errors    LossmithError for a loss that cannot be traced
    """
    from lossmith.prove.composition import convex_in_batch, convex_of, convex_of_batch
    from lossmith.prove.slices import is_of_rows

    try:
        traced(subject)
    except LossmithError:
        if subject.bridged:
            raise
        return convex_in_batch(*_batch_of(subject))
    found = undetached(subject)
    if is_of_rows(found.formula):
        return convex_of(found.formula, **found.settings)
    return convex_of_batch(found.formula, of_formula(found.formula, **found.settings), **found.settings)


def _batch_of(subject: Subject) -> tuple[Any, Any, str]:
    """The loss of a small batch as a function of its first prediction, that prediction, and what it holds."""
    from lossmith.trace.batch import of_batch

    loss, place = subject.twin(torch.float64), subject.contract.preds[0]
    first, *others = (_in_float64(subject.draw(seed, BATCH)) for seed in range(TRACES))

    def total(*arguments: Any) -> torch.Tensor:
        return as_tensor(subject.call(loss, arguments))[0].sum()

    with limited_call(TRACES):
        read = of_batch(total, first, place, [one[place] for one in others])
    return read, first[place].numpy(), subject.contract.pred.kind


def _in_float64(arguments: Sequence[Any]) -> list[Any]:
    return [one.double() if isinstance(one, torch.Tensor) and one.is_floating_point() else one for one in arguments]


def _by_jax(subject: Subject) -> "Record":
    """How a loss of JAX is traced; a target of labels is known while it is."""
    from lossmith.trace.jax import record

    loss, first = subject.twin(torch.float64), subject.contract.preds[0] == 0

    def by_jax(pairs: Sequence[Sequence[torch.Tensor]]) -> "Graph":
        pred, target = (one.numpy() for one in pairs[0])
        if target.dtype.kind == "i":
            return record(lambda z: first_of(loss(z, target) if first else loss(target, z)), [pred])
        return record(lambda z, t: first_of(loss(z, t) if first else loss(t, z)), [pred, target])

    return by_jax


def kinds_of(subject: Subject) -> tuple[str, str]:
    """What its prediction and its target hold."""
    return subject.contract.pred.kind, subject.contract.target_kind()


def function_of(subject: Subject) -> Any:
    """The loss in float64 as a function of prediction and target, in this order."""
    loss, first = subject.twin(torch.float64), subject.contract.preds[0] == 0

    def function(pred: Any, target: Any) -> Any:
        return as_tensor(subject.call(loss, (pred, target) if first else (target, pred)))[0]

    return function


def nearer(text: str) -> str:
    """Paths as seen from where the user is."""
    return re.sub(r"/[^\s:]+", lambda found: relative(found[0]), text)
