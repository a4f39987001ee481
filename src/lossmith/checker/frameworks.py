"""Any framework's loss as a torch callable: its forward is the framework's, its backward the framework's own VJP.

The rules then measure one kind of thing. A Keras loss on the torch back end needs no bridge at all. What a bridge
hides (constants, intermediate sizes, user lines inside the foreign graph) the rules that need it skip, and say so.
"""

import copy
import dis
import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import is_dataclass
from types import CodeType, FunctionType
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from lossmith.checker.copies import kept_models

Framework = Literal["torch", "keras", "tensorflow", "jax"]


def framework_of(loss: Any) -> Framework:
    """Which framework's arrays a loss takes: from its base class, else from the modules that its code names."""
    cls = loss if isinstance(loss, type) else type(loss)
    bases = {base.__module__.partition(".")[0] for base in cls.__mro__}
    if "keras" in bases:
        return "keras"
    if "torch" in bases and not isinstance(loss, FunctionType):
        return "torch"
    roots = _roots_used(loss)
    for root, framework in (("torch", "torch"), ("tensorflow", "tensorflow"), ("keras", "keras"), ("jax", "jax")):
        if root in roots:
            return framework  # type: ignore[return-value]
    return "jax" if "optax" in roots else "torch"


def _roots_used(loss: Any) -> set[str]:
    while isinstance(loss, functools.partial):
        loss = loss.func
    function = loss if isinstance(loss, FunctionType) else vars(type(loss)).get("__call__")
    function = getattr(function, "__wrapped__", function)
    if not isinstance(function, FunctionType):
        return {getattr(loss, "__module__", "").partition(".")[0]}
    return _roots_of(function, set())


def _roots_of(function: FunctionType, seen: set[FunctionType]) -> set[str]:
    """The packages that a function names, and those that the functions of its own module name for it."""
    seen.add(function)
    found = {function.__module__.partition(".")[0]}
    for name in names_in(function.__code__):
        value = function.__globals__.get(name)
        module = getattr(value, "__name__", "") if isinstance(value, type(sys)) else getattr(value, "__module__", "")
        found.add((module or "").partition(".")[0])
        if isinstance(value, FunctionType) and module == function.__module__ and value not in seen:
            found |= _roots_of(value, seen)
    return found


def names_in(code: CodeType) -> set[str]:
    """The global names that a function mentions, in the functions inside it too."""
    inner = [names_in(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    own = {step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return own.union(*inner)


def keras_backend() -> str:
    import keras

    return keras.backend.backend()


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


def is_bridged(framework: Framework) -> bool:
    return framework in ("tensorflow", "jax") or (framework == "keras" and keras_backend() != "torch")


def runs_on_jax(framework: Framework) -> bool:
    return framework == "jax" or (framework == "keras" and keras_backend() == "jax")


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

    from lossmith.checker.programs import program_of
    from lossmith.checker.programs_tensorflow import program as as_graph

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
    program = program_of(as_graph, loss, called, floats, others, each)
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

    from lossmith.checker.programs import program_of
    from lossmith.checker.programs_jax import program as as_jaxpr

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
        program = program_of(as_jaxpr, loss, called, floats, others, each)
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


ATTRIBUTE = ".loss"
SUM = ".sum"  # of all that is called a loss, where none of them is the total
TOTALS = ("loss", "total_loss", "loss_total", "total")


def first_of(output: Any) -> Any:
    """A loss that returns (total, parts), {"loss": ...} or something with a `loss` is judged by its total."""
    for step in path_of(output):
        if step == SUM:
            return sum(value for key, value in output.items() if "loss" in str(key))
        output = output.loss if step == ATTRIBUTE else output[step]
    return output


def path_of(output: Any) -> tuple[int | str, ...]:
    """The way to the total in what a loss returns: (), (0,), ("loss",), (0, "loss"), (ATTRIBUTE,), (SUM,)."""
    if isinstance(output, Mapping) and output:
        total = next((key for key in TOTALS if key in output), None)
        parts = [value for key, value in output.items() if "loss" in str(key)]
        if total is None and len(parts) > 1 and not any(isinstance(part, (Mapping, tuple, list)) for part in parts):
            return (SUM,)
        key = next(iter(output)) if total is None else total
        return (key, *path_of(output[key]))
    named = isinstance(output, tuple) and "loss" in getattr(output, "_fields", ())
    if named or (is_dataclass(output) and hasattr(output, "loss")):
        held: Any = output
        return (ATTRIBUTE, *path_of(held.loss))
    return (0, *path_of(output[0])) if isinstance(output, (tuple, list)) and output else ()


def copy_of(loss: Any) -> Any:
    """A fresh copy with the same state. Keras copies only registered losses: of the others the parts are copied."""
    if hasattr(loss, "_dtype_policy"):
        twin = object.__new__(type(loss))
        twin.__dict__.update(copy.deepcopy(vars(loss), kept_models(vars(loss).values())))
        return twin
    return copy.deepcopy(loss)


def in_dtype(loss: Any, dtype: torch.dtype) -> Any:
    """A copy of a loss object whose own numbers are of `dtype`: parameters, buffers, plain tensors, Keras policies."""
    if isinstance(loss, functools.partial):
        return functools.partial(
            in_dtype(loss.func, dtype), *_cast_inside(loss.args, dtype), **_cast_inside(loss.keywords, dtype)
        )
    if isinstance(loss, torch.nn.Module):
        twin = copy.deepcopy(loss).to(dtype)
        for module in twin.modules():
            for name, value in list(vars(module).items()):
                if isinstance(value, Tensor) and value.is_floating_point():
                    setattr(module, name, value.to(dtype))
                elif isinstance(value, (list, tuple, dict)):
                    setattr(module, name, _cast_inside(value, dtype))
        return twin
    if hasattr(loss, "_dtype_policy") and dtype == torch.float64:
        import keras

        twin = copy_of(loss)
        twin._dtype_policy = keras.dtype_policies.get("float64")
        twin._dtype = "float64"
        return twin
    return loss


def _cast_inside(value: Any, dtype: torch.dtype) -> Any:
    if isinstance(value, Tensor):
        return value.to(dtype) if value.is_floating_point() else value
    if isinstance(value, torch.nn.Module):
        return in_dtype(value, dtype)
    if isinstance(value, dict):
        return {key: _cast_inside(item, dtype) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_cast_inside(item, dtype) for item in value)
    return value
