"""A loss of JAX as one compiled program for each set of shapes and dtypes, where it is a function of its arrays alone.

Called as it is, every operation is compiled for every shape that it meets: hundreds of times for a loss of ten lines,
which took nine tenths of a check. A program is made only of a loss that two plain calls found to be pure: the same
value, and neither its own state nor a generator of random numbers moved. All others, and whatever cannot be traced
(code that asks for numbers), are called as they are.
"""

import functools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from types import CellType, FunctionType, MethodType
from typing import Any

import numpy as np
import torch

from lossmith.checker.frameworks import copy_of

KEPT = 256
# One plain kernel an operation, each rounded to its dtype as it is when operations are called one by one: fused ones
# take five times as long to compile, and may keep float16 in float32 in between.
OPTIONS = {
    "xla_cpu_use_fusion_emitters": False,
    "xla_cpu_parallel_codegen_split_count": 1,
    "xla_allow_excess_precision": False,
}

Arrays = Sequence[np.ndarray]

_pure: set[Any] = set()
_impure: set[Any] = set()  # kinds, whatever they hold: what has a state changes it
_programs: dict[Any, "Program | None"] = {}


@dataclass
class Program:
    """The value at arrays of one set of shapes, and its slopes by those that move; each is compiled when asked for."""

    function: Callable[..., Any]  # of what moves and what does not: the jaxpr of the loss
    ones: np.ndarray  # of the value's shape
    _value: Any = None
    _slopes: Any = None

    def value(self, moving: Arrays, fixed: Arrays) -> Any:
        if self._slopes is not None:
            return self._slopes(moving, fixed, self.ones)[0]
        self._value = self._value or _compiled(self.function)
        return self._value(moving, fixed)

    def value_and_pull(self, moving: Arrays, fixed: Arrays) -> tuple[Any, Callable[[Any], Any]]:
        """The value, and what a cotangent becomes; that of ones is computed beside the value."""
        self._slopes = self._slopes or _compiled(functools.partial(_value_and_slopes, self.function))
        value, slopes = self._slopes(moving, fixed, self.ones)

        def pull(cotangent: Any) -> Any:
            return slopes if (cotangent == 1).all() else self._slopes(moving, fixed, cotangent)[1]

        return value, pull


def program_of(
    loss: Any, function: Callable[..., Any], moving: Arrays, fixed: Arrays, each: bool = False
) -> Program | None:
    """The program of `function(loss, moving, fixed)`, which calls the loss; None where it has to be called as it is.

    `each`: `function` maps the loss over the first axis of its arrays.
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
        _programs[key] = _program(functools.partial(function, loss), moving, fixed)
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
    return random.getstate(), identity(np.random.get_state()), torch.get_rng_state().numpy().tobytes()


def _program(function: Callable[..., Any], moving: Arrays, fixed: Arrays) -> Program | None:
    import jax
    from jax.extend.core import jaxpr_as_fun

    try:
        closed = jax.make_jaxpr(function)(moving, fixed)
    except Exception:  # it asks for numbers, or does not take these shapes: a plain call tells which
        return None
    if closed.effects or len(closed.out_avals) != 1:
        return None
    plain, out = jaxpr_as_fun(closed), closed.out_avals[0]
    return Program(lambda moving, fixed: plain(*moving, *fixed)[0], np.ones(out.shape, out.dtype))


def _compiled(function: Callable[..., Any]) -> Any:
    import jax

    return jax.jit(function, compiler_options=_options())


@functools.cache
def _options() -> dict[str, Any]:
    """`OPTIONS`, or none where this version of the compiler does not know them."""
    import jax

    try:
        jax.jit(lambda x: x, compiler_options=OPTIONS)(0.0)
    except jax.errors.JaxRuntimeError:
        return {}
    return OPTIONS


def _value_and_slopes(function: Callable[..., Any], moving: Any, fixed: Any, cotangent: Any) -> Any:
    import jax

    value, pull = jax.vjp(lambda moving: function(moving, fixed), moving)
    return value, pull(cotangent)[0]
