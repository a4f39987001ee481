"""The operations through `keras.ops`: symbolic tensors, keras variables, and tensors of the back end.

An array of a back end is read by that framework itself; this reader serves what only keras knows.
"""

import sys
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from lossmith.ops import NumberKind, Ops, Shape, derived, reader_of, register

_here: Any = sys.modules[__name__]  # this module, as a reader
Array = Any  # a KerasTensor, a Variable, or a tensor of the back end

abs = ops.abs
exp = ops.exp
expm1 = ops.expm1
log = ops.log
log1p = ops.log1p
sqrt = ops.sqrt
square = ops.square
arctan = ops.arctan
equal = ops.equal
isfinite = ops.isfinite
stop_gradient = ops.stop_gradient


def back_end() -> Ops[Any]:
    """The reader of the tensors that keras computes with."""
    return reader_of(ops.convert_to_tensor(0.0))


def softplus(x: Array) -> Array:
    # on the torch back end keras' softplus returns x above 20; its log_sigmoid has no threshold
    return ops.negative(ops.log_sigmoid(-x))


def minimum(x: Array, y: Array | float) -> Array:
    # keras on torch has a minimum and a maximum of its own for float64: in float32
    return where((x < y) | ops.isnan(x), x, y)


def maximum(x: Array, y: Array | float) -> Array:
    return where((x > y) | ops.isnan(x), x, y)


def where(condition: Array, x: Array, y: Array | float) -> Array:
    return ops.where(condition, x, ops.full_like(x, y) if isinstance(y, (int, float)) else y)


def sum(x: Array, *, axis: int | None = None, keepdims: bool = False) -> Array:
    return ops.sum(x, axis=axis, keepdims=keepdims)


def max(x: Array, *, axis: int, keepdims: bool = False) -> Array:
    return ops.max(x, axis=axis, keepdims=keepdims)


def argmax(x: Array, *, axis: int) -> Array:
    return ops.argmax(x, axis=axis)


def logsumexp(x: Array, *, axis: int, keepdims: bool = False) -> Array:
    return derived.logsumexp(_here, x, axis=axis, keepdims=keepdims)


def cumulative_sum(x: Array, *, axis: int) -> Array:
    length = x.shape[axis]
    if _dtype(x) != "float64" or length is None:
        return ops.cumsum(x, axis=axis)
    sums: Array = ops.moveaxis(x, axis, -1)
    step = 1  # keras's cumsum takes float64 for float32: add by doubling instead
    while step < length:
        sums = sums + ops.concatenate([ops.zeros_like(sums[..., :step]), sums[..., :-step]], axis=-1)
        step *= 2
    return ops.moveaxis(sums, -1, axis)


def argsort(x: Array, *, axis: int) -> Array:
    return ops.argsort(x, axis=axis)


def take_along_axis(x: Array, indices: Array, *, axis: int) -> Array:
    return ops.take_along_axis(x, indices, axis=axis)


def windows(x: Array, size: int) -> Array:
    starts: Array = ops.arange(x.shape[-1] - size + 1, dtype="int32")
    return ops.take(x, starts[:, None] + ops.arange(size, dtype="int32"), axis=-1)


def matmul(x: Array, y: Array) -> Array:
    # keras's matmul computes float64 on torch in float32
    return ops.einsum("...ij,...jk->...ik", x, y)


def matrix_transpose(x: Array) -> Array:
    return ops.swapaxes(x, -1, -2)


def concat(arrays: Sequence[Array], *, axis: int) -> Array:
    return ops.concatenate(list(arrays), axis=axis)


def positions(x: Array, *, axis: int) -> Array:
    return ops.arange(x.shape[axis], dtype="int32")


def expand_dims(x: Array, *, axis: int) -> Array:
    return ops.expand_dims(x, axis)


def one_hot(labels: Array, like: Array) -> Array:
    classes = ops.arange(like.shape[-1], dtype="int32")
    return ops.equal(ops.expand_dims(ops.cast(labels, "int32"), -1), classes)


def full_like(x: Array, value: float) -> Array:
    return ops.full_like(x, value)


def asarray(x: object, *, like: Array | None = None) -> Array:
    if like is not None and isinstance(x, (int, float, list, tuple)):  # a cast would take them through float32
        return ops.convert_to_tensor(x, dtype=_dtype(like))
    if not isinstance(x, keras.KerasTensor):
        # a Python number alone would become float32 on its way to float64
        x = ops.convert_to_tensor(x if like is None or hasattr(x, "dtype") else np.asarray(x))
    return x if like is None else ops.cast(x, _dtype(like))


def astype(x: Array, like: Array) -> Array:
    return ops.cast(x, _dtype(like))


def widen(x: Array) -> Array:
    return ops.cast(x, "float32") if _dtype(x) in ("float16", "bfloat16") else x


def truth(x: Array) -> Array:
    return ops.cast(x, "bool")


def shape(x: Array) -> Shape:
    return tuple(x.shape)


def size(x: Array) -> Array | int:
    known = 1
    for length in x.shape:
        if length is None:
            return ops.cast(ops.size(x), _dtype(x))
        known *= length
    return known


def count_nonzero(x: Array, like: Array) -> Array:
    # keras's own count_nonzero warns on torch, of a Tensor.T that it uses
    return ops.cast(ops.sum(ops.cast(truth(x), "int32")), _dtype(like))


def number_kind(x: Array) -> NumberKind:
    name = _dtype(x)
    if "float" in name:
        return "float"
    if name == "bool":
        return "bool"
    return "integer" if "int" in name else "other"


def _dtype(x: Array) -> str:
    return keras.backend.standardize_dtype(x.dtype)


register(keras.KerasTensor, _here)
register(keras.Variable, _here)
