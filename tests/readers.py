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

    `prepare` compiles a function where running it operation by operation would take long.
    """

    name: str
    ops: Any
    make: Callable[[np.ndarray], Any]
    read: Callable[[Any], np.ndarray]
    dtypes: tuple[str, ...] = ALL
    gradient: Callable[..., list[Any]] | None = None
    scope: Callable[[], AbstractContextManager[Any]] = nullcontext
    prepare: Callable[[Any], Any] = lambda function: function

    def __repr__(self) -> str:
        return self.name


def _torch_make(x):
    if x.dtype == DTYPES["bfloat16"]:
        return torch.tensor(x.astype(np.float32)).bfloat16()
    return torch.tensor(x)


def _torch_read(x):
    return (x.double() if x.dtype.is_floating_point else x).detach().numpy()


def _torch_gradient(function, *arrays):
    arrays = [a.clone().requires_grad_() if a.dtype.is_floating_point else a for a in arrays]
    return list(torch.autograd.grad(function(*arrays).sum(), arrays[0]))


def _jax_gradient(function, *arrays):
    return [jax.jit(jax.grad(lambda x, *rest: function(x, *rest).sum()))(*arrays)]


def _tf_gradient(function, *arrays):
    with tf.GradientTape() as tape:
        tape.watch(arrays[0])
        total = tf.reduce_sum(function(*arrays))
    gradient = tape.gradient(total, arrays[0])
    return [tf.zeros_like(arrays[0]) if gradient is None else gradient]


def _plain(x):
    if torch.is_tensor(x):  # keras computes with torch in these tests
        return _torch_read(x)
    x = np.asarray(x.numpy() if tf.is_tensor(x) else x)
    return x.astype(np.float64) if x.dtype in DTYPES.values() else x


def _tf_make(x):
    return tf.constant(x)


READERS = [
    Reader("numpy", reader_of(np.zeros(1)), np.asarray, _plain, dtypes=("float16", "float32", "float64")),
    Reader("torch", reader_of(torch.zeros(1)), _torch_make, _torch_read, gradient=_torch_gradient),
    Reader(
        "jax",
        reader_of(jnp.zeros(1)),
        jnp.asarray,
        _plain,
        gradient=_jax_gradient,
        scope=lambda: jax.enable_x64(True),
        prepare=jax.jit,
    ),
    Reader("tensorflow", reader_of(tf.zeros(1)), _tf_make, _plain, gradient=_tf_gradient),
    Reader(
        "keras",  # on the back end of this process: KERAS_BACKEND=jax pytest tests/ops is another test
        reader_of(keras.KerasTensor((1,))),
        keras.ops.convert_to_tensor,
        _plain,
        scope=lambda: jax.enable_x64(True) if keras.backend.backend() == "jax" else nullcontext(),
    ),
    Reader("digits", digits.ops, digits.array, np.asarray, dtypes=("float64",)),
]
DIFFERENTIABLE = [reader for reader in READERS if reader.gradient]
