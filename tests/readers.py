"""Every reader behind one small interface, so that one test runs on all of them."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import tensorflow as tf
import torch

from judge import DTYPES
from lossmith.ops import digits, reader_of

HALF = ("float16", "bfloat16")
ALL = (*HALF, "float32", "float64")


@dataclass(frozen=True)
class Reader:
    """One reader: how to make its arrays, how to read them back, and how it differentiates.

    `both` gives values and the gradient of their sum by the first argument, in one compilation where there is one.
    `prepare` compiles a function where running it operation by operation would take long.
    """

    name: str
    ops: Any
    make: Callable[[np.ndarray], Any]
    read: Callable[[Any], np.ndarray]
    dtypes: tuple[str, ...] = ALL
    both: Callable[..., tuple[Any, Any]] | None = None
    scope: Callable[[], AbstractContextManager[Any]] = nullcontext
    prepare: Callable[[Any], Any] = lambda function: function

    def __repr__(self) -> str:
        return self.name

    def gradient(self, function, *arrays) -> list[Any]:
        return [self.both(function, *arrays)[1]]


def _torch_make(x):
    if x.dtype == DTYPES["bfloat16"]:
        return torch.tensor(x.astype(np.float32)).bfloat16()
    return torch.tensor(x)


def _torch_read(x):
    return (x.double() if x.dtype.is_floating_point else x).detach().numpy()


def _torch_both(function, *arrays):
    arrays = [a.clone().requires_grad_() if a.dtype.is_floating_point else a for a in arrays]
    values = function(*arrays)
    return values, torch.autograd.grad(values.sum(), arrays[0])[0]


def _jax_both(function, *arrays):
    def total(x, *rest):
        values = function(x, *rest)
        return values.sum(), values

    (_, values), slope = jax.jit(jax.value_and_grad(total, has_aux=True))(*arrays)
    return values, slope


def _tf_both(function, *arrays):
    with tf.GradientTape() as tape:
        tape.watch(arrays[0])
        values = function(*arrays)
        total = tf.reduce_sum(values)
    gradient = tape.gradient(total, arrays[0])
    return values, tf.zeros_like(arrays[0]) if gradient is None else gradient


def _plain(x):
    if torch.is_tensor(x):  # keras computes with torch in these tests
        return _torch_read(x)
    x = np.asarray(x.numpy() if tf.is_tensor(x) else x)
    return x.astype(np.float64) if x.dtype in DTYPES.values() else x


def _tf_make(x):
    return tf.constant(x)


READERS = [
    Reader("numpy", reader_of(np.zeros(1)), np.asarray, _plain, dtypes=("float16", "float32", "float64")),
    Reader("torch", reader_of(torch.zeros(1)), _torch_make, _torch_read, both=_torch_both),
    Reader(
        "jax",
        reader_of(jnp.zeros(1)),
        jnp.asarray,
        _plain,
        both=_jax_both,
        scope=lambda: jax.enable_x64(True),
        prepare=jax.jit,
    ),
    Reader("tensorflow", reader_of(tf.zeros(1)), _tf_make, _plain, both=_tf_both),
    Reader(
        "keras",  # on the back end of this process: KERAS_BACKEND=jax pytest tests/ops is another test
        reader_of(keras.KerasTensor((1,))),
        keras.ops.convert_to_tensor,
        _plain,
        scope=lambda: jax.enable_x64(True) if keras.backend.backend() == "jax" else nullcontext(),
    ),
    Reader("digits", digits.ops, digits.array, np.asarray, dtypes=("float64",)),
]
DIFFERENTIABLE = [reader for reader in READERS if reader.both]
