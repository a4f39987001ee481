"""Any framework's loss as a torch callable: its forward is the framework's, its backward the framework's own VJP.

The rules then measure one kind of thing. A Keras loss on the torch back end needs no bridge at all. What a bridge
hides (constants, intermediate sizes, user lines inside the foreign graph) the rules that need it skip, and say so.
"""

import functools
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lossmith.checker import programs_jax, programs_tensorflow
from lossmith.checker.frameworks import Framework, first_of, keras_backend, runs_on_jax
from lossmith.checker.programs import program_of


def as_torch(loss: Callable[..., Any], framework: Framework) -> Callable[..., Any]:
    """A callable on torch tensors that computes what `loss` computes, with gradients."""
    if framework == "keras":
        framework = {"torch": "torch", "tensorflow": "tensorflow", "jax": "jax"}.get(keras_backend(), "torch")  # type: ignore[assignment]
    if framework == "tensorflow":
        return functools.partial(_foreign, functools.partial(_in_tensorflow, loss))
    if framework == "jax":
        return functools.partial(_foreign, functools.partial(_in_jax, loss))
    return loss


def each_as_torch(loss: Callable[..., Any], framework: Framework) -> Callable[..., Any]:
    """As `as_torch` for a bridged loss, over one more axis in front of every argument: its framework's own map."""
    if runs_on_jax(framework):
        return functools.partial(_foreign, functools.partial(_in_jax, loss, each=True))
    return functools.partial(_foreign, functools.partial(_in_tensorflow, loss, each=True))


class _Bridge(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, run: Callable[..., Any], *tensors: Any) -> Tensor:
        value, ctx.vjp = run(True, *_arrays(tensors))
        return torch.from_numpy(np.array(value))  # a scalar comes back as a number, not as an array

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        if torch.is_grad_enabled():  # the slopes come back as numbers: torch would take their derivative for 0
            raise RuntimeError("a loss of another framework has no second derivative here")
        found = ctx.vjp(grad_outputs[0].numpy())
        return (None, *(None if grad is None else torch.from_numpy(np.array(grad)) for grad in found))


def _arrays(tensors: Sequence[Any]) -> list[Any]:
    return [value.detach().numpy() if isinstance(value, Tensor) else value for value in tensors]


def _foreign(run: Callable[..., Any], *tensors: Any) -> Tensor:
    """`run(wanted, *arrays)` gives the value, and the function that pulls a cotangent back if it is wanted."""
    if any(isinstance(value, Tensor) and value.dtype == torch.bfloat16 for value in tensors):
        raise TypeError("bfloat16 does not cross the bridge: numpy has no such type")
    if torch.is_grad_enabled() and any(isinstance(value, Tensor) and value.requires_grad for value in tensors):
        return _Bridge.apply(run, *tensors)
    return torch.from_numpy(np.array(run(False, *_arrays(tensors))[0]))


def _in_tensorflow(loss: Callable[..., Any], wanted: bool, *arrays: Any, each: bool = False) -> Any:
    """`each`: mapped over one more axis in front of every array."""
    import tensorflow as tf

    moving = [i for i, array in enumerate(arrays) if np.issubdtype(array.dtype, np.floating)]
    still = [i for i in range(len(arrays)) if i not in moving]

    def called(loss: Any, floats: Sequence[Any], others: Sequence[Any]) -> Any:
        at = {**dict(zip(moving, floats, strict=True)), **dict(zip(still, others, strict=True))}
        row = [tf.convert_to_tensor(at[index]) for index in range(len(arrays))]
        return tf.convert_to_tensor(_mapped(loss, row) if each else first_of(loss(*row)))

    def back(cotangent: Any) -> list[Any]:
        grads: list[Any] = [None] * len(arrays)
        for index, grad in zip(moving, pull(cotangent), strict=True):
            grads[index] = grad
        return grads

    floats, others = [arrays[i] for i in moving], [arrays[i] for i in still]
    program = program_of(programs_tensorflow.program, loss, called, floats, others, each)
    if not wanted:
        return (called(loss, floats, others).numpy() if program is None else program.value(floats, others)), None
    output, pull = (
        program.value_and_pull(floats, others) if program else _taped(lambda *x: called(loss, x, others), floats)
    )
    return output, back


def _taped(function: Callable[..., Any], floats: Sequence[Any]) -> tuple[Any, Callable[[Any], list[Any]]]:
    """The value of a plain call, and what a cotangent becomes."""
    import tensorflow as tf

    watched = [tf.constant(one) for one in floats]
    with tf.GradientTape() as tape:
        tape.watch(watched)
        value = function(*watched)

    def pull(cotangent: Any) -> list[Any]:
        upstream: Any = tf.constant(cotangent, dtype=value.dtype)
        found: list[Any] = tape.gradient(value, watched, output_gradients=upstream)
        return [None if grad is None else tf.convert_to_tensor(grad).numpy() for grad in found]

    return value.numpy(), pull


def _mapped(loss: Callable[..., Any], rows: Sequence[Any]) -> Any:
    import tensorflow as tf

    log, before = tf.get_logger(), tf.get_logger().level
    log.setLevel("ERROR")  # each map is traced once, of which tensorflow warns when there are five
    try:
        return tf.vectorized_map(lambda row: first_of(loss(*row)), tuple(rows))
    finally:
        log.setLevel(before)


def _in_jax(loss: Callable[..., Any], wanted: bool, *arrays: Any, each: bool = False) -> Any:
    """`each`: mapped over one more axis in front of every array."""
    import jax

    moving = [i for i, array in enumerate(arrays) if np.issubdtype(array.dtype, np.floating)]
    still = [i for i in range(len(arrays)) if i not in moving]
    wide = any(arrays[i].dtype == np.float64 for i in moving)

    def called(loss: Any, floats: Sequence[Any], others: Sequence[Any]) -> Any:
        at = {**dict(zip(moving, floats, strict=True)), **dict(zip(still, others, strict=True))}
        row = [jax.numpy.asarray(at[index]) for index in range(len(arrays))]
        return jax.vmap(lambda *one: first_of(loss(*one)))(*row) if each else first_of(loss(*row))

    def back(cotangent: Any) -> list[Any]:
        grads: list[Any] = [None] * len(arrays)
        with _x64(wide):
            pulled = pull(np.asarray(cotangent, dtype=output.dtype))
        for index, grad in zip(moving, pulled, strict=True):
            grads[index] = np.asarray(grad)
        return grads

    with _x64(wide):  # jax rounds float64 to float32 unless it is told not to
        floats, others = [arrays[i] for i in moving], [arrays[i] for i in still]
        program = program_of(programs_jax.program, loss, called, floats, others, each)
        if not wanted:
            return np.asarray(called(loss, floats, others) if program is None else program.value(floats, others)), None
        if program is not None:
            output, pull = program.value_and_pull(floats, others)
        else:
            output, pull = jax.vjp(lambda *floats: called(loss, floats, others), *map(jax.numpy.asarray, floats))
        return np.asarray(output), back


def _x64(wanted: bool) -> Any:
    import jax

    return jax.enable_x64(True) if wanted and hasattr(jax, "enable_x64") else nullcontext()
