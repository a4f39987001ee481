"""A traced loss of rows of classes as a formula: derived at three classes, as ours are.

    made, graph = formula_of_rows(loss, "my_focal", pred="logits", target="index")

The loss is traced on one row, in float64, and must give on a batch what it gives on the rows. Labels are numbers that
code may look up, so a trace is of one label: of the first class.
"""

from typing import Any

import torch

from lossmith.spec import Formula
from lossmith.trace.graph import Graph
from lossmith.trace.single import Loss, Record, by_torch, refused, require_parts

CLASSES = 3
# Nothing special lies at these.
LOGITS = ((0.37, -0.61, 1.13), (-1.9, 0.83, 0.29), (2.3, -1.7, 0.41))
SHARES = ((0.21, 0.46, 0.33), (0.58, 0.13, 0.29), (0.17, 0.35, 0.48))
TARGETS = ("index", "dist", "simplex", "onehot")


def is_of_rows(axes: int, target: str) -> bool:
    """Whether a contract is that of a loss of rows: logits[N,C] against index[N] or dist[N,C]."""
    return axes == 2 and target in TARGETS


def formula_of_rows(
    loss: Loss, name: str, pred: str, target: str, record: Record | None = None
) -> tuple[Formula, Graph]:
    """The formula of `loss(pred, target)` for rows of three classes, with its graph.

    Errors    LossmithError for a loss whose rows are not independent; TraceError where it cannot be traced
    """
    label = target == "index"
    rows = [_row(pred, row) for row in LOGITS]
    aims = [torch.zeros(1, dtype=torch.long) if label else torch.tensor([row], dtype=torch.float64) for row in SHARES]
    pairs = [[row, aim] for row, aim in zip(rows, aims, strict=True)]
    require_parts(loss, name, pairs, "rows of classes")
    graph = _traced(loss, record, pairs, label)

    def body(ops: Any, pred: Any, target: Any) -> Any:
        found = graph.replay(ops, *((pred,) if label else (pred, target)))
        return found.reshape((1,)) if found.size == 1 else found

    body.__name__ = name
    made = Formula(
        body,
        shapes=f"... C, {'...' if label else '... C'} -> ...",
        kinds=(pred, "index" if label else "dist"),
        source="traced",
    )
    if body(_digits(), _digits().asarray(rows[0].numpy()), _digits().asarray(aims[0].numpy())).size != 1:
        raise refused(name, "rows of classes", "on one row it makes several values", None)
    return made, graph


def _traced(loss: Loss, record: Record | None, pairs: list[list[torch.Tensor]], label: bool) -> Graph:
    if not label:
        return (record or by_torch(loss))(pairs)
    aim = pairs[0][1]
    return (record or by_torch(lambda pred: loss(pred, aim)))(
        [[row] if record is None else [row, aim] for row, aim in pairs]
    )


def _row(kind: str, row: tuple[float, ...]) -> torch.Tensor:
    found = torch.tensor([row], dtype=torch.float64)
    return found.log_softmax(-1) if kind == "logprob" else found.softmax(-1) if kind in ("simplex", "prob") else found


def _digits() -> Any:
    from lossmith.ops.digits import ops

    return ops
