"""The operations on torch tensors."""

import sys
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn.functional import logsigmoid

from lossmith.ops import NumberKind, Shape, derived, register

_here: Any = sys.modules[__name__]  # this module, as a reader
_HALF = (torch.float16, torch.bfloat16)

abs = torch.abs
exp = torch.exp
expm1 = torch.expm1
log = torch.log
log1p = torch.log1p
sqrt = torch.sqrt
square = torch.square
arctan = torch.arctan
equal = torch.eq
isfinite = torch.isfinite


def softplus(x: Tensor) -> Tensor:
    if torch.compiler.is_compiling():  # where the slope of logsigmoid goes through integers, and costs many times more
        positive = x > 0.0
        return torch.where(positive, x, 0.0) + torch.log1p(torch.exp(torch.where(positive, -x, x)))
    # torch's softplus returns x above 20, which is 1e-10 off in float64; logsigmoid has no threshold
    return -logsigmoid(-x)


def minimum(x: Tensor, y: Tensor | float) -> Tensor:
    return torch.minimum(x, y) if isinstance(y, Tensor) else torch.clamp(x, max=y)


def maximum(x: Tensor, y: Tensor | float) -> Tensor:
    return torch.maximum(x, y) if isinstance(y, Tensor) else torch.clamp(x, min=y)


def where(condition: Tensor, x: Tensor, y: Tensor | float) -> Tensor:
    return torch.where(condition, x, y)


def sum(x: Tensor, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    return torch.sum(x) if axis is None else torch.sum(x, dim=axis, keepdim=keepdims)


def max(x: Tensor, *, axis: int, keepdims: bool = False) -> Tensor:
    return torch.amax(x, dim=axis, keepdim=keepdims)


def argmax(x: Tensor, *, axis: int) -> Tensor:
    return torch.argmax(x, dim=axis)


def logsumexp(x: Tensor, *, axis: int, keepdims: bool = False) -> Tensor:
    return derived.logsumexp(_here, x, axis=axis, keepdims=keepdims)


def cumulative_sum(x: Tensor, *, axis: int) -> Tensor:
    return torch.cumsum(x, dim=axis)


def argsort(x: Tensor, *, axis: int) -> Tensor:
    return torch.argsort(x, dim=axis, stable=True)


def take_along_axis(x: Tensor, indices: Tensor, *, axis: int) -> Tensor:
    return torch.gather(x, axis, indices)


def windows(x: Tensor, size: int) -> Tensor:
    # unfold would be a view, but vmap has no rule for its gradient
    starts, offsets = (torch.arange(n, device=x.device) for n in (x.shape[-1] - size + 1, size))
    return x.index_select(-1, (starts[:, None] + offsets).flatten()).unflatten(-1, (-1, size))


def matmul(x: Tensor, y: Tensor) -> Tensor:
    if not under_autocast(x.device.type):
        return torch.matmul(x, y)
    with torch.autocast(x.device.type, enabled=False):  # which would round what was widened to half precision again
        return torch.matmul(x, y)


def under_autocast(device: str) -> bool:
    """Some devices, such as meta, have no autocast, and refuse the question whether it is on."""
    return _has_autocast(device) and torch.is_autocast_enabled(device)


@torch.compiler.assume_constant_result  # older versions of torch (2.11) cannot trace the question
def _has_autocast(device: str) -> bool:
    return torch.amp.is_autocast_available(device)


def matrix_transpose(x: Tensor) -> Tensor:
    return x.transpose(-1, -2)


def concat(arrays: Sequence[Tensor], *, axis: int) -> Tensor:
    return torch.cat(list(arrays), dim=axis)


def positions(x: Tensor, *, axis: int) -> Tensor:
    return torch.arange(x.shape[axis], device=x.device)


def expand_dims(x: Tensor, *, axis: int) -> Tensor:
    return torch.unsqueeze(x, axis)


def one_hot(labels: Tensor, like: Tensor) -> Tensor:
    return labels.unsqueeze(-1) == torch.arange(like.shape[-1], device=labels.device)


def full_like(x: Tensor, value: float) -> Tensor:
    return torch.full_like(x, value)


def asarray(x: object, *, like: Tensor | None = None) -> Tensor:
    if isinstance(x, Tensor):
        return x if like is None else x.to(device=like.device, dtype=like.dtype)
    return torch.as_tensor(x) if like is None else torch.as_tensor(x, dtype=like.dtype, device=like.device)


def astype(x: Tensor, like: Tensor) -> Tensor:
    return x.to(like.dtype)


def widen(x: Tensor) -> Tensor:
    return x.float() if x.dtype in _HALF else x


def truth(x: Tensor) -> Tensor:
    return x.bool()


def stop_gradient(x: Tensor) -> Tensor:
    return x.detach()


def shape(x: Tensor) -> Shape:
    return tuple(x.shape)


def size(x: Tensor) -> Tensor | int:
    count = x.numel()
    return count if isinstance(count, int) else torch.scalar_tensor(count, dtype=x.dtype, device=x.device)


def count_nonzero(x: Tensor, like: Tensor) -> Tensor:
    return x.bool().sum().to(like.dtype)


def number_kind(x: Tensor) -> NumberKind:
    if x.dtype.is_floating_point:
        return "float"
    if x.dtype.is_complex:
        return "other"
    return "bool" if x.dtype == torch.bool else "integer"


register(Tensor, _here)
register(Parameter, _here)
