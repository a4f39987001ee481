"""A loss of a whole batch as a function of its prediction, replayed like a formula.

    read = of_batch(loss, [pred, target], 0, others)
    read(balls.ops, x)

What it gives holds for the other arguments as they are. A branch on numbers of the prediction is refused: traces at
other predictions must be the same calls.
"""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from lossmith.trace.torch import record


def of_batch(
    loss: Callable[..., Tensor], arguments: Sequence[Tensor], place: int, others: Sequence[Tensor]
) -> Callable[[Any, Any], Any]:
    """The loss in the argument at `place`, with the rest as given; `others` are more predictions to trace it at.

    Errors    TraceError where it cannot be traced, or is not the same calls at each of them
    """

    def moved(pred: Tensor) -> Tensor:
        return loss(*arguments[:place], pred, *arguments[place + 1 :])

    graph = record(moved, [[pred] for pred in (arguments[place], *others)])
    return lambda ops, x: graph.replay(ops, x)
