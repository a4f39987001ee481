"""Which framework a loss is of, what is its total in what it returns, and copies of it."""

import copy
import dis
import functools
import sys
from collections.abc import Mapping
from dataclasses import is_dataclass
from types import CodeType, FunctionType
from typing import Any, Literal

import torch
from torch import Tensor

from lossmith.checker.copies import kept_models, module_copy

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


def is_bridged(framework: Framework) -> bool:
    return framework in ("tensorflow", "jax") or (framework == "keras" and keras_backend() != "torch")


def runs_on_jax(framework: Framework) -> bool:
    return framework == "jax" or (framework == "keras" and keras_backend() == "jax")


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
    return module_copy(loss, {}) if isinstance(loss, torch.nn.Module) else copy.deepcopy(loss)


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
