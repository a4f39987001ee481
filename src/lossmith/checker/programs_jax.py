"""A function of JAX as a compiled program."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lossmith.checker.programs import Arrays

# One plain kernel an operation, each rounded to its dtype as it is when operations are called one by one: fused ones
# take five times as long to compile, and may keep float16 in float32 in between.
OPTIONS = {
    "xla_cpu_use_fusion_emitters": False,
    "xla_cpu_parallel_codegen_split_count": 1,
    "xla_allow_excess_precision": False,
}


@dataclass
class JaxProgram:
    """Value and slopes of a jaxpr; each is compiled when it is asked for."""

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


def program(function: Callable[..., Any], moving: Arrays, fixed: Arrays) -> JaxProgram | None:
    """The program of a function, None of one that cannot be traced or has effects."""
    import jax
    from jax.extend.core import jaxpr_as_fun

    try:
        closed = jax.make_jaxpr(function)(moving, fixed)
    except Exception:  # it asks for numbers, or does not take these shapes: a plain call tells which
        return None
    if closed.effects or len(closed.out_avals) != 1:
        return None
    plain, out = jaxpr_as_fun(closed), closed.out_avals[0]
    return JaxProgram(lambda moving, fixed: plain(*moving, *fixed)[0], np.ones(out.shape, out.dtype))


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
