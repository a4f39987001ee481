"""Weights for classes of different sizes, and what a face asks of the sizes that it is given.

    w_k = n / (K n_k)     n samples, K classes, n_k samples of class k

The mean weight of a sample is 1. The numbers are read on the host, once, before training: not under a trace.
"""

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np

from lossmith.errors import DtypeError, SettingError, message
from lossmith.ops import Ops, reader_of

_NAME = "balanced_class_weights"


def balanced_class_weights(
    labels: Any = None, *, counts: Any = None, classes: int | None = None, absent: float | None = None
) -> Any:
    """One weight for each class, inverse to its size, from labels or from counts.

    labels    class numbers of any shape; those outside 0 ... classes - 1, such as ignored ones, are not counted
    counts    in place of labels: the number of samples of each class
    classes   how many classes there are; without it, as many as the largest label says
    absent    the weight of a class without samples; without it such a class is an error
    Returns   an array of the framework and device of what was given; numpy for a list
    Errors    SettingError, DtypeError

    >>> balanced_class_weights([0, 0, 0, 1])
    array([0.66666667, 2.        ])
    """
    if (labels is None) == (counts is None):
        raise SettingError(message(f"{_NAME} takes labels or counts", fix=f"{_NAME}(labels), {_NAME}(counts=counts)"))
    source = counts if labels is None else labels
    source = source if hasattr(source, "dtype") else np.asarray(source)
    ops = reader_of(source)
    sizes = require_counts(_NAME, source, "counts") if labels is None else _counted(ops, source, classes)
    if classes is not None and len(sizes) != classes:
        raise SettingError(message(f"{_NAME}: counts must have one entry for each class", {"counts": len(sizes)}))
    missing = [k for k, size in enumerate(sizes) if not size]
    if missing and absent is None:
        given = {"classes": len(sizes), "without samples": ", ".join(map(str, missing))}
        raise SettingError(message(f"{_NAME}: every class needs a sample", given, fix="absent=0.0 weighs them with 0"))
    weights = [sum(sizes) / (len(sizes) * size) if size else absent for size in sizes]
    plain = isinstance(source, (np.ndarray, np.generic))
    like = source if ops.number_kind(source) == "float" else _as_float(ops, source, "float64" if plain else "float32")
    return ops.asarray(np.asarray(weights, dtype="float64"), like=like)


def require_counts(caller: str, counts: Any, name: str = "class_counts") -> list[float]:
    """The sizes of classes as numbers: finite, 0 or more, not all 0.

    Errors    SettingError
    """
    shape = tuple(np.shape(counts)) if isinstance(counts, Sequence) else tuple(counts.shape)
    sizes = [float(size) for size in counts] if len(shape) == 1 else []
    if not (sizes and all(0.0 <= size < inf for size in sizes) and any(sizes)):
        given: dict[str, object] = {name: sizes[:8]} if sizes else {name: f"of shape {shape}"}
        raise SettingError(message(f"{caller}: {name} must be one number for each class, 0 or more, not all 0", given))
    return sizes


def _counted(ops: Ops[Any], labels: Any, classes: int | None) -> list[float]:
    """How many labels each class has."""
    if ops.number_kind(labels) != "integer":
        raise DtypeError(message(f"{_NAME}: labels must be integers", {"labels": str(labels.dtype)}))
    if classes is None:
        largest = labels
        while ops.shape(largest):
            largest = ops.max(largest, axis=-1) if 0 not in (ops.shape(largest) or ()) else ops.asarray(-1)
        classes = 1 + int(largest)
    if classes < 1:
        raise SettingError(message(f"{_NAME}: there is no label", {"shape": ops.shape(labels)}, fix="classes=K"))
    like = _as_float(ops, labels, "float64")
    return [float(ops.count_nonzero(ops.equal(labels, k), like)) for k in range(classes)]


def _as_float(ops: Ops[Any], array: Any, dtype: str) -> Any:
    """The array in a floating-point dtype, where it is."""
    return ops.astype(array, ops.asarray(np.zeros(1, dtype)))
