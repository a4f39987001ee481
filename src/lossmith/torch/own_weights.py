"""Weights that belong to a loss itself, given when it is made: one for each class, or one for each value."""

import torch
from torch import Tensor

from lossmith.errors import ShapeError, message
from lossmith.ops import Ops


def of_class(ops: Ops[Tensor], weights: Tensor | float, values: Tensor, target: Tensor, kind: str) -> Tensor:
    """The class weight of each value: of its label, or the mean under its distribution."""
    weights = torch.as_tensor(weights, dtype=values.dtype, device=values.device)
    if weights.ndim == 0:
        return weights.expand(values.shape)
    shares = ops.one_hot(target, weights) if kind == "index" else target
    return (shares.to(values.dtype) * weights).sum(-1)


def expanded(caller: str, weight: Tensor, values: Tensor) -> Tensor:
    """A constructor's weight is aligned from the last axis, as torch.nn does; it may not enlarge the values."""
    try:
        return weight.to(values).expand(values.shape)
    except RuntimeError as error:
        given = {"values": tuple(values.shape), "weight": tuple(weight.shape)}
        raise ShapeError(message(f"{caller}: weight must expand to the shape of the values", given)) from error
