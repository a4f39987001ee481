"""A traced loss of single numbers as a formula: derivations and certificates then read it as they read ours.

    made = formula_of(loss, "MyLoss", pred="logits", target="soft")

The loss is traced on one number each, in float64, and must give on a batch what it gives on the parts: their values,
their mean or their sum. Any other loss is refused.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from lossmith.errors import LossmithError, message
from lossmith.spec import Formula
from lossmith.trace.graph import Graph
from lossmith.trace.torch import record as trace

Loss = Callable[..., Tensor]
Record = Callable[[list[list[Tensor]]], Graph]

# Three numbers of each kind; nothing special lies at them.
PREDS = {"prob": (0.37, 0.12, 0.83), "positive": (0.37, 1.9, 4.2), "logprob": (-0.37, -1.9, -4.2)}
TARGETS = {
    "real": (0.8, -1.3, 2.2),
    "logits": (0.8, -1.3, 2.2),
    "positive": (0.8, 1.3, 2.2),
    "soft": (0.8, 0.1, 0.3),
    "prob": (0.8, 0.1, 0.3),
    "binary": (1.0, 0.0, 1.0),
    "pm1": (1.0, -1.0, 1.0),
    "count": (2.0, 0.0, 5.0),
}
CLOSE = 1e-6  # keras computes in float32 on the way, whatever it is given


def formula_of(
    loss: Loss, name: str, pred: str, target: str, axes: int = 1, record: Record | None = None
) -> tuple[Formula, Graph]:
    """The formula of `loss(pred, target)`, with its graph. `axes` is how many the loss expects.

    record    how the loss is traced, if not by torch
    Errors    LossmithError for a loss that is not one of single numbers; TraceError where it cannot be traced
    """
    if target not in TARGETS:
        raise refused(name, "single numbers", f"its target is {target}", None)
    drawn = [PREDS.get(pred, (0.37, -2.6, 5.1)), TARGETS[target]]
    pairs = [[torch.full((1,) * axes, x, dtype=torch.float64) for x in numbers] for numbers in zip(*drawn, strict=True)]
    require_parts(loss, name, pairs, axes=axes)
    graph = (record or by_torch(loss))(pairs)
    if not graph.single:
        raise refused(name, "single numbers", "on one number each it makes several", None)

    def body(ops: Any, pred: Any, target: Any) -> Any:
        return graph.replay(ops, pred, target)

    body.__name__ = name
    made = Formula(body, shapes="..., ... -> ...", kinds=(pred, target), source="traced")
    made.outcome(_digits(), *(_digits().asarray([x[0]]) for x in drawn))  # an operation without a rule is told now
    return made, graph


def by_torch(loss: Loss) -> Record:
    return lambda pairs: trace(loss, pairs)


def _digits() -> Any:
    from lossmith.ops.digits import ops

    return ops


def require_parts(loss: Loss, name: str, pairs: list[list[Tensor]], of: str = "single numbers", axes: int = 1) -> None:
    """On a batch it gives what it gives on the parts, along each of the first `axes`."""
    for axis in range(axes):
        _require_parts_along(axis, loss, name, pairs, of)


def _require_parts_along(axis: int, loss: Loss, name: str, pairs: list[list[Tensor]], of: str) -> None:
    whole = [torch.cat(column, axis) for column in zip(*pairs, strict=True)]
    with torch.no_grad():
        together = loss(*whole).double().reshape(-1)
        apart = torch.stack([loss(*pair).double().sum() for pair in pairs])
    for want in (apart, apart.mean().reshape(1), apart.sum().reshape(1)):
        if together.shape == want.shape and torch.allclose(together, want, rtol=CLOSE, atol=CLOSE):
            return
    numbers = {"batch": together.tolist(), "parts": apart.tolist()}
    raise refused(name, of, "on a batch it is neither the values, the mean nor the sum of its parts", numbers)


def refused(name: str, of: str, why: str, given: Mapping[str, object] | None) -> LossmithError:
    return LossmithError(message(f"{name} is not a loss of {of}", given, why=why))
