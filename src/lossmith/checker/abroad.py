"""Hand-written derivatives of JAX and TensorFlow that stand beside a loss, told apart by what their forward does."""

import inspect
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from lossmith.checker.signature import called, source_of
from lossmith.checker.subject import Subject

OFFERED = re.compile(r"@.*custom_(?:gradient|vjp|jvp)")
POINTS = np.array([0.3, -1.2, 2.1, 0.7], dtype=np.float32)


def changes_only_the_gradient(subject: Subject) -> str:
    """Why one of them exists to give another gradient: its forward returns its input, or does not move with it."""
    for name, function in _hand_written(subject.loss):
        with suppress(Exception):  # it takes more than one array, or others than these
            here, near_by = (np.asarray(function(points)) for points in (POINTS, POINTS * 1.00001))
            if here.shape == POINTS.shape and np.array_equal(here, POINTS):
                return f"{name} returns its input and has its own backward: it exists to change the gradient"
            if np.array_equal(here, near_by):
                return f"the forward of {name} is piecewise constant: its backward stands in for a derivative of 0"
    return ""


def _hand_written(loss: Any) -> Iterator[tuple[str, Any]]:
    """Functions of its module that say that their derivative is written by hand."""
    function = called(loss)
    function = inspect.unwrap(getattr(function, "python_function", getattr(function, "__func__", function)))
    for name, value in getattr(function, "__globals__", {}).items():
        known = type(value).__name__ in ("custom_vjp", "custom_jvp")
        if known or (inspect.isroutine(value) and OFFERED.match(source_of(inspect.unwrap(value)))):
            yield name, value
