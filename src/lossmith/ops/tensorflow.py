"""The operations on tensorflow tensors and variables, whatever the back end of keras is."""

import sys
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from lossmith.ops import NumberKind, Shape, derived, register

_here: Any = sys.modules[__name__]  # this module, as a reader
Array = Any  # tensorflow ships no types

abs = tf.abs
exp = tf.exp
expm1 = tf.math.expm1
log = tf.math.log
log1p = tf.math.log1p
sqrt = tf.sqrt
square = tf.square
softplus = tf.math.softplus
minimum = tf.minimum
maximum = tf.maximum
arctan = tf.math.atan
equal = tf.equal
matmul = tf.matmul
matrix_transpose = tf.linalg.matrix_transpose
isfinite = tf.math.is_finite
expand_dims = tf.expand_dims
stop_gradient = tf.stop_gradient


def where(condition: Array, x: Array, y: Array | float) -> Array:
    return tf.where(condition, x, tf.convert_to_tensor(y, dtype=x.dtype))


def sum(x: Array, *, axis: int | None = None, keepdims: bool = False) -> Array:
    return tf.reduce_sum(x, axis=axis, keepdims=keepdims)


def max(x: Array, *, axis: int, keepdims: bool = False) -> Array:
    return tf.reduce_max(x, axis=axis, keepdims=keepdims)


def argmax(x: Array, *, axis: int) -> Array:
    return tf.argmax(x, axis=axis)


def logsumexp(x: Array, *, axis: int, keepdims: bool = False) -> Array:
    return derived.logsumexp(_here, x, axis=axis, keepdims=keepdims)


def cumulative_sum(x: Array, *, axis: int) -> Array:
    return tf.cumsum(x, axis=axis)


def argsort(x: Array, *, axis: int) -> Array:
    return tf.argsort(x, axis=axis, stable=True)


def take_along_axis(x: Array, indices: Array, *, axis: int) -> Array:
    if axis != -1:
        last = x.shape.rank - 1
        order = [i for i in range(last + 1) if i != axis % (last + 1)] + [axis % (last + 1)]
        back = [order.index(i) for i in range(last + 1)]
        x, indices = tf.transpose(x, order), tf.transpose(indices, order)
        return tf.transpose(tf.gather(x, indices, batch_dims=last), back)
    return tf.gather(x, indices, batch_dims=x.shape.rank - 1)


def windows(x: Array, size: int) -> Array:
    starts = tf.range(tf.shape(x)[-1] - size + 1)
    return tf.gather(x, starts[:, None] + tf.range(size), axis=-1)


def concat(arrays: Sequence[Array], *, axis: int) -> Array:
    return tf.concat(list(arrays), axis=axis)


def positions(x: Array, *, axis: int) -> Array:
    return tf.range(tf.shape(x, out_type=tf.int64)[axis], dtype=tf.int64)


def one_hot(labels: Array, like: Array) -> Array:
    classes = tf.range(tf.shape(like, out_type=tf.int64)[-1], dtype=tf.int64)
    return tf.expand_dims(tf.cast(labels, tf.int64), -1) == classes


def full_like(x: Array, value: float) -> Array:
    return tf.zeros_like(x) + tf.cast(value, x.dtype)


def asarray(x: Any, *, like: Array | None = None) -> Array:
    if like is None:
        return tf.convert_to_tensor(x)
    # tf.cast would take Python numbers through float32
    return tf.convert_to_tensor(x, like.dtype) if isinstance(x, (int, float, list, tuple)) else tf.cast(x, like.dtype)


def astype(x: Array, like: Array) -> Array:
    return tf.cast(x, like.dtype)


def widen(x: Array) -> Array:
    return tf.cast(x, tf.float32) if x.dtype in (tf.float16, tf.bfloat16) else x


def truth(x: Array) -> Array:
    return tf.cast(x, tf.bool)


def shape(x: Array) -> Shape | None:
    return None if x.shape.rank is None else tuple(x.shape.as_list())


def size(x: Array) -> Array | int:
    known = x.shape.num_elements()
    return tf.cast(tf.size(x, out_type=tf.int64), x.dtype) if known is None else known


def count_nonzero(x: Array, like: Array) -> Array:
    return tf.cast(tf.math.count_nonzero(x), like.dtype)


def number_kind(x: Array) -> NumberKind:
    if x.dtype.is_floating:
        return "float"
    if x.dtype.is_bool:
        return "bool"
    return "integer" if x.dtype.is_integer else "other"


register(tf.Tensor, _here)
register(tf.Variable, _here)
