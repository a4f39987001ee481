"""A loss of another framework as one program for each set of shapes and dtypes, where it depends on its arrays alone.

Called as it is, JAX compiles every operation for every shape that it meets, and TensorFlow looks up each of its
kernels anew: nine tenths of a check. A program is made only of a loss that two plain calls found to be pure: the same
value, and neither its own state nor a generator of random numbers moved. All others, and whatever cannot be traced
(code that asks for numbers), are called as they are.
"""

import functools
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from types import CellType, FunctionType, MethodType
from typing import Any, Protocol

import numpy as np
import torch

from lossmith.checker.frameworks import copy_of

KEPT = 256
Arrays = Sequence[np.ndarray]


class Program(Protocol):
    """The value at arrays of one set of shapes, and its slopes by those that move."""

    def value(self, moving: Arrays, fixed: Arrays) -> Any: ...

    def value_and_pull(self, moving: Arrays, fixed: Arrays) -> tuple[Any, Callable[[Any], Any]]:
        """The value, and what a cotangent becomes."""
        ...


Make = Callable[[Callable[..., Any], Arrays, Arrays], "Program | None"]
_pure: set[Any] = set()
_impure: set[Any] = set()  # kinds, whatever they hold: what has a state changes it
_programs: dict[Any, "Program | None"] = {}


def program_of(
    make: Make, loss: Any, function: Callable[..., Any], moving: Arrays, fixed: Arrays, each: bool = False
) -> Program | None:
    """The program of `function(loss, moving, fixed)`, which calls the loss; None where it has to be called as it is.

    make    what the framework makes of a function of what moves and what does not, at such arrays
    each    `function` maps the loss over the first axis of its arrays
    """
    try:
        what, same = kind(loss), identity(loss)
        known = same in _pure
    except (RecursionError, TypeError, ValueError):  # it holds itself, or what has no identity
        return None
    if what in _impure:
        return None
    if not known:
        if not _is_pure(loss, same, function, moving, fixed):
            _impure.add(what)
            return None
        _pure.add(same)
    key = same, each, tuple((one.shape, one.dtype.str) for one in (*moving, *fixed)), len(moving)
    if key not in _programs:
        if len(_programs) >= KEPT:
            _programs.clear()
        _programs[key] = make(functools.partial(function, loss), moving, fixed)
    return _programs[key]


def identity(value: Any) -> Any:
    """Equal for two copies of a loss that hold the same: its code, what it closes over, its settings and its state."""
    if isinstance(value, FunctionType):
        held = (value.__closure__, value.__defaults__, value.__kwdefaults__)
        return (value.__code__, id(value.__globals__), *map(identity, held))
    if isinstance(value, MethodType):
        return (value.__func__.__code__, identity(value.__self__))
    if isinstance(value, functools.partial):
        return ("partial", identity(value.func), identity(value.args), identity(value.keywords))
    if isinstance(value, CellType):
        return identity(value.cell_contents)
    if isinstance(value, (list, tuple)):
        return (type(value), *map(identity, value))
    if isinstance(value, dict):
        return (dict, *((key, identity(held)) for key, held in value.items()))
    if isinstance(value, (np.ndarray, np.generic)) or hasattr(value, "__array__"):
        array = np.asarray(value)
        return (type(value), array.shape, str(array.dtype), array.tobytes())
    if isinstance(value, float):
        return (float, repr(value))  # NaN is not equal to itself
    if is_dataclass(value) and not isinstance(value, type):
        return (type(value), *(identity(getattr(value, each.name)) for each in fields(value)))
    if hasattr(value, "__dict__") and not isinstance(value, type) and not callable(getattr(value, "lower", None)):
        return (type(value), identity(vars(value)))
    return (type(value), value)


def kind(value: Any) -> Any:
    """What a loss is, whatever it holds."""
    if isinstance(value, FunctionType):
        return (value.__code__, *(kind(cell.cell_contents) for cell in value.__closure__ or ()))
    if isinstance(value, MethodType):
        return (value.__func__.__code__, kind(value.__self__))
    return ("partial", kind(value.func)) if isinstance(value, functools.partial) else type(value)


def _is_pure(loss: Any, same: Any, function: Callable[..., Any], moving: Arrays, fixed: Arrays) -> bool:
    try:
        copy = copy_of(loss)
    except Exception:  # not every object can be copied (a lock, an open file)
        return False
    before = _generators()
    first, second = (np.asarray(function(copy, moving, fixed)) for _ in range(2))
    return np.array_equal(first, second, equal_nan=True) and identity(copy) == same and _generators() == before


def _generators() -> tuple[Any, ...]:
    """The state of the generators that a loss may draw from, or seed."""
    drawn = random.getstate(), identity(np.random.get_state()), torch.get_rng_state().numpy().tobytes()
    return (*drawn, *_generators_of_tensorflow()) if "tensorflow" in sys.modules else drawn


def _generators_of_tensorflow() -> tuple[Any, ...]:
    """Its global seed and its global generator; drawing from what has neither shows in two values."""
    import tensorflow as tf
    from tensorflow.python.eager import context

    return context.global_seed(), identity(tf.random.get_global_generator().state)
