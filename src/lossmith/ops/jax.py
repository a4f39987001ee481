"""The operations on jax arrays and tracers."""

import sys
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from lossmith.ops import NumberKind, Shape, derived, register

_here: Any = sys.modules[__name__]  # this module, as a reader
Array = jax.Array

exp = jnp.exp
expm1 = jnp.expm1
log = jnp.log
log1p = jnp.log1p
sqrt = jnp.sqrt
square = jnp.square
minimum = jnp.minimum
maximum = jnp.maximum
where = jnp.where
arctan = jnp.arctan
equal = jnp.equal
matmul = jnp.matmul
matrix_transpose = jnp.matrix_transpose
isfinite = jnp.isfinite
softplus = jax.nn.softplus
stop_gradient = jax.lax.stop_gradient


def abs(x: Array) -> Array:
    return x * jax.lax.stop_gradient(jnp.sign(x))  # the gradient of jnp.abs at 0 is 1


def sum(x: Array, *, axis: int | None = None, keepdims: bool = False) -> Array:
    return jnp.sum(x, axis=axis, keepdims=keepdims)


def max(x: Array, *, axis: int, keepdims: bool = False) -> Array:
    return jnp.max(x, axis=axis, keepdims=keepdims)


def argmax(x: Array, *, axis: int) -> Array:
    return jnp.argmax(x, axis=axis)


def logsumexp(x: Array, *, axis: int, keepdims: bool = False) -> Array:
    return derived.logsumexp(_here, x, axis=axis, keepdims=keepdims)


def cumulative_sum(x: Array, *, axis: int) -> Array:
    return jnp.cumsum(x, axis=axis)


def argsort(x: Array, *, axis: int) -> Array:
    return jnp.argsort(x, axis=axis, stable=True)


def take_along_axis(x: Array, indices: Array, *, axis: int) -> Array:
    return jnp.take_along_axis(x, indices, axis=axis)


def windows(x: Array, size: int) -> Array:
    return x[..., jnp.arange(x.shape[-1] - size + 1)[:, None] + jnp.arange(size)]


def concat(arrays: Sequence[Array], *, axis: int) -> Array:
    return jnp.concatenate(list(arrays), axis=axis)


def positions(x: Array, *, axis: int) -> Array:
    return jnp.arange(x.shape[axis])


def expand_dims(x: Array, *, axis: int) -> Array:
    return jnp.expand_dims(x, axis)


def one_hot(labels: Array, like: Array) -> Array:
    return jnp.expand_dims(labels, -1) == jnp.arange(like.shape[-1])


def full_like(x: Array, value: float) -> Array:
    return jnp.full_like(x, value)


def asarray(x: object, *, like: Array | None = None) -> Array:
    return jnp.asarray(x, dtype=None if like is None else like.dtype)


def astype(x: Array, like: Array) -> Array:
    return x.astype(like.dtype)


def widen(x: Array) -> Array:
    return x.astype(jnp.float32) if x.dtype in (jnp.float16, jnp.bfloat16) else x


def truth(x: Array) -> Array:
    return x.astype(bool)


def shape(x: Array) -> Shape:
    return tuple(x.shape)


def size(x: Array) -> float | Array:
    # a length that keras or jax.export does not know yet is a symbol, which is no number
    return x.size if isinstance(x.size, int) else jnp.asarray(x.size, dtype=x.dtype)


def count_nonzero(x: Array, like: Array) -> Array:
    return jnp.count_nonzero(x).astype(like.dtype)


def number_kind(x: Array) -> NumberKind:
    if jnp.issubdtype(x.dtype, jnp.floating):
        return "float"
    if jnp.issubdtype(x.dtype, jnp.integer):
        return "integer"
    return "bool" if x.dtype == jnp.bool_ else "other"


register(Array, _here)
