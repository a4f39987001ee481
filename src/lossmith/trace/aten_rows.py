"""ATen along an axis: what a loss of rows needs beyond the rules for single numbers. Importing it enters the rules."""

from typing import Any

import numpy as np

from lossmith.trace.aten import RULES, number, rule
from lossmith.trace.graph import Reading


def _plain(x: Any) -> Any:
    """An index as numpy has it."""
    return np.asarray(x).view(np.ndarray)


@rule("logsumexp")
def logsumexp(on: Reading, x: Any, dim: Any, keepdim: bool = False) -> Any:
    (axis,) = [dim] if isinstance(dim, int) else dim
    return on.ops.logsumexp(number(on, x), axis=axis, keepdims=keepdim)


@rule("_log_softmax", "log_softmax")
def log_softmax(on: Reading, x: Any, dim: int, half_to_float: Any = False, **_: Any) -> Any:
    x = number(on, x)
    return x - on.ops.logsumexp(x, axis=dim, keepdims=True)


@rule("_softmax", "softmax")
def softmax(on: Reading, x: Any, dim: int, half_to_float: Any = False, **_: Any) -> Any:
    return on.ops.exp(log_softmax(on, x, dim))


@rule("positions")
def _positions(on: Reading, x: Any, places: Any) -> Any:
    """Entries by their place in the whole array: what any operation that only moves them does."""
    return np.asarray(_plain(on.array(x)).reshape(-1)[places], dtype=_plain(on.array(x)).dtype).view(type(on.like))


@rule("gather")
def _gather(on: Reading, x: Any, dim: int, index: Any, **_: Any) -> Any:
    return np.take_along_axis(_plain(on.array(x)), _plain(index), dim).view(type(on.like))


@rule("max")
def _max(on: Reading, x: Any, dim: Any = (), keepdim: bool = False) -> tuple[Any, None]:
    """The largest entries; where they are is not asked for by a loss that has a gradient."""
    return RULES["amax"](on, x, dim, keepdim), None


@rule("scatter")
def _scatter(on: Reading, x: Any, dim: int, index: Any, value: Any, **_: Any) -> Any:
    made, index = np.array(_plain(on.array(x))), _plain(index)
    np.put_along_axis(made, index, np.broadcast_to(_plain(on.array(value)), index.shape), dim)
    return made.view(type(on.like))


@rule("index")
def _index(on: Reading, x: Any, indices: Any) -> Any:
    places = tuple(slice(None) if one is None else _plain(one) for one in indices)
    return np.asarray(_plain(on.array(x))[places]).view(type(on.like))


@rule("index_select")
def _index_select(on: Reading, x: Any, dim: int, index: Any) -> Any:
    return np.take(_plain(on.array(x)), _plain(index), axis=dim).view(type(on.like))


@rule("select", "select_copy")
def _select(on: Reading, x: Any, dim: int, index: int) -> Any:
    return np.asarray(_plain(on.array(x)).take(index, axis=dim)).view(type(on.like))


@rule("slice", "slice_copy")
def _slice(on: Reading, x: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    x = on.array(x)
    return x[(slice(None),) * (dim % x.ndim) + (slice(start, end, step),)]


@rule("cat")
def _cat(on: Reading, tensors: Any, dim: int = 0) -> Any:
    return on.ops.concat([number(on, one) for one in tensors], axis=dim)


@rule("copy_", "copy")
def _copy(on: Reading, into: Any, x: Any, *_: Any, **__: Any) -> Any:
    return np.broadcast_to(_plain(number(on, x)), np.shape(into)).view(type(on.like))


@rule("flip")
def _flip(on: Reading, x: Any, dims: Any) -> Any:
    return np.flip(on.array(x), dims)


@rule("transpose", "transpose_copy", "t")
def _transpose(on: Reading, x: Any, first: int = 0, second: int = 1) -> Any:
    return np.swapaxes(on.array(x), first, second)


@rule("cumsum")
def _cumsum(on: Reading, x: Any, dim: int, **_: Any) -> Any:
    return on.ops.cumulative_sum(number(on, x), axis=dim)


@rule("linalg_vector_norm")
def _norm(on: Reading, x: Any, ord: float = 2, dim: Any = None, keepdim: bool = False, **_: Any) -> Any:
    x = number(on, x)
    if ord not in (1, 2):
        raise NotImplementedError(f"a norm of order {ord}")
    total = on.ops.abs(x) if ord == 1 else on.ops.square(x)
    axes = range(x.ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    for axis in sorted((axis % x.ndim for axis in axes), reverse=True):
        total = on.ops.sum(total, axis=axis, keepdims=keepdim)
    return total if ord == 1 else on.ops.sqrt(total)


@rule("mm", "matmul", "bmm")
def _matmul(on: Reading, x: Any, y: Any) -> Any:
    return on.ops.matmul(number(on, x), number(on, y))
