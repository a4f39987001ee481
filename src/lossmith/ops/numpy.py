"""The operations on numpy arrays.

Overflow to inf, log(0) = -inf and NaN outside a domain are documented results of these operations, not
accidents: numpy's warning is silenced there and only there, and still reaches the user from anything else.
"""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from lossmith.ops import NumberKind, Shape, derived, register

_here: Any = sys.modules[__name__]  # this module, as a reader
Array = np.ndarray
_HALF = ("float16", "bfloat16")
_KINDS: dict[str, NumberKind] = {"f": "float", "i": "integer", "u": "integer", "b": "bool"}

abs = np.abs
isfinite = np.isfinite
minimum = np.minimum
maximum = np.maximum
expand_dims = np.expand_dims
arctan = np.arctan
equal = np.equal
matmul = np.matmul
exp = np.errstate(over="ignore")(lambda x: np.exp(x))
expm1 = np.errstate(over="ignore")(lambda x: np.expm1(x))
square = np.errstate(over="ignore")(lambda x: np.square(x))
log = np.errstate(divide="ignore", invalid="ignore")(lambda x: np.log(x))
log1p = np.errstate(divide="ignore", invalid="ignore")(lambda x: np.log1p(x))
sqrt = np.errstate(invalid="ignore")(lambda x: np.sqrt(x))


def softplus(x: Array) -> Array:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def where(condition: Array, x: Array, y: Array | float) -> Array:
    return np.where(condition, x, np.asarray(y, dtype=x.dtype) if isinstance(y, float) else y)


def sum(x: Array, *, axis: int | None = None, keepdims: bool = False) -> Array:
    return np.sum(x, axis=axis, keepdims=keepdims)


def max(x: Array, *, axis: int, keepdims: bool = False) -> Array:
    return np.max(x, axis=axis, keepdims=keepdims)


def argmax(x: Array, *, axis: int) -> Array:
    return np.argmax(x, axis=axis)


def logsumexp(x: Array, *, axis: int, keepdims: bool = False) -> Array:
    return derived.logsumexp(_here, x, axis=axis, keepdims=keepdims)


def cumulative_sum(x: Array, *, axis: int) -> Array:
    return np.cumsum(x, axis=axis)


def argsort(x: Array, *, axis: int) -> Array:
    return np.argsort(x, axis=axis, stable=True)


def take_along_axis(x: Array, indices: Array, *, axis: int) -> Array:
    return np.take_along_axis(x, indices, axis=axis)


def windows(x: Array, size: int) -> Array:
    return np.lib.stride_tricks.sliding_window_view(x, size, axis=-1)


def concat(arrays: Sequence[Array], *, axis: int) -> Array:
    return np.concatenate(list(arrays), axis=axis)


def positions(x: Array, *, axis: int) -> Array:
    return np.arange(x.shape[axis])


def matrix_transpose(x: Array) -> Array:
    return np.swapaxes(x, -1, -2)


def one_hot(labels: Array, like: Array) -> Array:
    return np.expand_dims(labels, -1) == np.arange(like.shape[-1])


def full_like(x: Array, value: float) -> Array:
    return np.full_like(x, value)


def asarray(x: object, *, like: Array | None = None) -> Array:
    return np.asarray(x, dtype=None if like is None else like.dtype)


@np.errstate(over="ignore")  # inf is what a narrow dtype says of a large number
def astype(x: Array, like: Array) -> Array:
    return np.asarray(x, dtype=like.dtype)


def widen(x: Array) -> Array:
    return np.asarray(x, dtype=np.float32) if x.dtype.name in _HALF else x


def truth(x: Array) -> Array:
    return np.asarray(x, dtype=bool)


def stop_gradient(x: Array) -> Array:
    return x


def shape(x: Array) -> Shape:
    return x.shape


def size(x: Array) -> int:
    return x.size


def count_nonzero(x: Array, like: Array) -> Array:
    return np.asarray(np.count_nonzero(x), dtype=like.dtype)


def number_kind(x: Array) -> NumberKind:
    return "float" if x.dtype.name in _HALF else _KINDS.get(x.dtype.kind, "other")


register(np.ndarray, _here)
register(np.generic, _here)
