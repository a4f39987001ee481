"""The derivative of a loss with every digit: its traced forward, replayed on balls with one number moving.

    truth = truth_at(subject, inputs, torch.float64)      a `Truth`, or why there is none
    truth.slope(argument, element)                        None at a kink, where the sides differ

A hand-written backward is no part of a forward, and a `detach` changes no value: what comes out is the derivative of
what the loss computes, with no step and so no tolerance. A trace is taken at two draws: where they differ (a branch, an
`item()`) it would not be the whole loss, and there is no truth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lossmith.checker.subject import Subject, as_tensor, cast
from lossmith.errors import LossmithError
from lossmith.trace.graph import Graph

NEAR = 2.0**-40  # how far a number moves, so that a kink at it is seen
MOST = 30_000  # numbers in inputs times calls: what a replay may cost


@dataclass(frozen=True)
class Truth:
    """A traced loss at one set of inputs; `places` are the arguments that it was traced in."""

    graph: Graph
    inputs: tuple[Any, ...]
    places: tuple[int, ...]

    def slope(self, argument: int, element: int) -> tuple[float, float] | None:
        """The derivative of the total by one number, and the radius of its enclosure."""
        from lossmith.ops import balls
        from lossmith.ops.ball import precision
        from lossmith.ops.balls import Questions, Undecided, moving

        with precision():
            arrays = [np.asarray(balls.array(self.inputs[place].double().numpy())).copy() for place in self.places]
            moved = arrays[self.places.index(argument)].reshape(-1)
            x = float(moved[element].value.low)
            moved[element] = moving(x - NEAR * max(1.0, abs(x)), x + NEAR * max(1.0, abs(x)), Questions())
            try:
                found = self.graph.replay(balls.ops, *(one.view(balls.Balls) for one in arrays))
            except (Undecided, LossmithError):
                return None
            slope = balls.lift(np.asarray(found).reshape(-1)[0]).slope
            return (float(slope.middle), float(slope.width) / 2) if slope.is_finite else None


def truth_at(subject: Subject, inputs: Sequence[Any], dtype: torch.dtype) -> Truth | str:
    """The traced loss at these inputs, or why it cannot be traced as a whole."""
    if subject.bridged:
        return "a bridge hides what another framework computes"
    try:
        from lossmith.ops import balls  # noqa: F401  (the extra `prove`)
        from lossmith.trace.torch import record
    except ModuleNotFoundError as error:
        return f"{error.name} is not installed"
    given = [cast(value, dtype) for value in inputs]
    places = tuple(
        index for index, value in enumerate(given) if isinstance(value, Tensor) and value.is_floating_point()
    )
    loss = subject.twin(dtype)

    def total(*moving: Tensor) -> Tensor:
        called = list(given)
        for place, value in zip(places, moving, strict=True):
            called[place] = value
        return as_tensor(subject.call(loss, called))[0].sum()

    others = [cast(value, dtype) for value in subject.draw(97)]
    floats = [[given[place] for place in places], [others[place] for place in places]]
    if any(a.shape != b.shape for a, b in zip(*floats, strict=True)):
        return "its inputs have no one shape"
    try:
        graph = record(total, [[one.detach().clone() for one in row] for row in floats])
    except LossmithError as error:
        return str(error)
    if len(graph.calls) * sum(given[place].numel() for place in places) > MOST:
        return "it is too large to be replayed"
    return Truth(graph, tuple(given), places)
