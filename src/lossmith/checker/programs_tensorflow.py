"""A function of TensorFlow as a graph.

The graph runs as it was written: TensorFlow's own rewriting is off, which would turn log(1 + x) into log1p(x) and so
mend what a check is to find. What draws random numbers, or has any other state, is no program.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from lossmith.checker.programs import Arrays


class TensorflowProgram:
    """Value and slopes of a graph; that of the slopes is made when they are asked for."""

    def __init__(self, function: Callable[..., Any], moving: Arrays, fixed: Arrays) -> None:
        import tensorflow as tf

        self._function, self._moves = function, len(moving)
        self._specs = [tf.TensorSpec(one.shape, one.dtype) for one in (*moving, *fixed)]
        self._reached: list[bool] = []
        self._value = self._graph(lambda *arrays: self._called(arrays), self._specs)
        self._slopes: Any = None

    def value(self, moving: Arrays, fixed: Arrays) -> Any:
        return self._value(*self._tensors(moving, fixed)).numpy()

    def value_and_pull(self, moving: Arrays, fixed: Arrays) -> tuple[Any, Callable[[Any], Any]]:
        """The value, and what a cotangent becomes; that of ones is computed beside the value."""
        import tensorflow as tf

        if self._slopes is None:
            (out,) = self._value.outputs
            self._slopes = self._graph(self._value_and_slopes, [*self._specs, tf.TensorSpec(out.shape, out.dtype)])
            self._ones = np.ones(out.shape, out.dtype.as_numpy_dtype)
        tensors = self._tensors(moving, fixed)

        def slopes(cotangent: Any) -> tuple[Any, list[Any]]:
            value, *found = self._slopes(*tensors, tf.constant(cotangent, self._ones.dtype))
            known = iter(found)
            return value.numpy(), [next(known).numpy() if reached else None for reached in self._reached]

        value, at_ones = slopes(self._ones)
        return value, lambda cotangent: at_ones if (cotangent == 1).all() else slopes(cotangent)[1]

    def _called(self, arrays: Any) -> Any:
        import tensorflow as tf

        return tf.convert_to_tensor(self._function(arrays[: self._moves], arrays[self._moves :]))

    def _value_and_slopes(self, *arrays: Any) -> list[Any]:
        import tensorflow as tf

        *given, cotangent = arrays
        with tf.GradientTape() as tape:
            tape.watch(given[: self._moves])
            value = self._called(given)
        found = tape.gradient(value, given[: self._moves], output_gradients=cotangent)
        self._reached = [slope is not None for slope in found]
        return [value, *(tf.convert_to_tensor(slope) for slope in found if slope is not None)]

    @staticmethod
    def _tensors(moving: Arrays, fixed: Arrays) -> list[Any]:
        import tensorflow as tf

        return [tf.constant(one) for one in (*moving, *fixed)]

    @staticmethod
    def _graph(function: Callable[..., Any], specs: list[Any]) -> Any:
        import tensorflow as tf

        with _quiet():
            return tf.function(function, autograph=False).get_concrete_function(*specs)


def program(function: Callable[..., Any], moving: Arrays, fixed: Arrays) -> TensorflowProgram | None:
    """The program of a function, None of one that cannot be traced or has a state."""
    _as_written()
    try:
        made = TensorflowProgram(function, moving, fixed)
    except Exception:  # it asks for numbers, or does not take these shapes: a plain call tells which
        return None
    # a call of another graph counts as stateful where anything in that is
    held = {"Placeholder", "ReadVariableOp"}
    drawing = [one for one in made._value.graph.get_operations() if one.op_def.is_stateful and one.type not in held]
    return None if drawing or len(made._value.outputs) != 1 else made


@functools.cache
def _as_written() -> None:
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


@contextmanager
def _quiet() -> Iterator[None]:
    """TensorFlow warns when code of one place is traced five times."""
    import tensorflow as tf

    log, before = tf.get_logger(), tf.get_logger().level
    log.setLevel("ERROR")
    try:
        yield
    finally:
        log.setLevel(before)
