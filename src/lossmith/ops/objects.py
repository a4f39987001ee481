"""The operations on arrays of Python objects, for any system of exact or many-digit numbers.

A number system is a table of functions of one number (`Numbers`); this reader spreads them over numpy object
arrays and adds what has to do with form. Arrays are of a subclass of ndarray, one for each system, so that the
type of an array tells its reader.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from lossmith.ops import NumberKind, Shape, derived

Array = np.ndarray
# Not for formulas: what a replay of someone else's code needs where the system has it.
BEYOND = ("tanh", "erf", "sin", "cos")


class Numbers(Protocol):
    """What a number system can do to one of its numbers."""

    def lift(self, x: Any, /) -> Any:
        """A number of this system from a Python or numpy number, exactly."""
        ...

    def exp(self, x: Any, /) -> Any: ...
    def expm1(self, x: Any, /) -> Any: ...
    def log(self, x: Any, /) -> Any: ...
    def log1p(self, x: Any, /) -> Any: ...
    def sqrt(self, x: Any, /) -> Any: ...
    def softplus(self, x: Any, /) -> Any: ...
    def arctan(self, x: Any, /) -> Any: ...
    def isfinite(self, x: Any, /) -> bool: ...


class Objects:
    """The reader of one number system. Numbers are objects; class numbers and booleans keep numpy's own dtypes."""

    def __init__(self, numbers: Numbers, array_type: type[np.ndarray]) -> None:
        self.array_type = array_type
        self._lift = self._spread(numbers.lift)
        self.isfinite = self._spread(numbers.isfinite, dtype=bool)
        self._smaller = np.frompyfunc(_smaller, 2, 1)
        self._larger = np.frompyfunc(_larger, 2, 1)
        self.arctan = self._spread(numbers.arctan)
        self.exp = self._spread(numbers.exp)
        self.expm1 = self._spread(numbers.expm1)
        self.log = self._spread(numbers.log)
        self.log1p = self._spread(numbers.log1p)
        self.sqrt = self._spread(numbers.sqrt)
        self.softplus = self._spread(numbers.softplus)
        for name in BEYOND:
            if hasattr(numbers, name):
                setattr(self, name, self._spread(getattr(numbers, name)))

    def _spread(self, function: Callable[[Any], Any], dtype: Any = object) -> Callable[[Array], Array]:
        # Python's own arithmetic on a NaN leaves a floating-point flag behind, which numpy would report
        ufunc = np.errstate(invalid="ignore")(np.frompyfunc(function, 1, 1))
        return lambda x: self._own(ufunc(x), dtype)

    def _own(self, x: object, dtype: Any = None) -> Array:
        return np.asarray(x, dtype=dtype).view(self.array_type)

    def abs(self, x: Array) -> Array:
        return self._own(np.abs(x), object)

    def square(self, x: Array) -> Array:
        return self._own(x * x, object)

    def minimum(self, x: Array, y: Array | float) -> Array:
        return self._own(self._smaller(x, self.asarray(y, like=x)), object)

    def maximum(self, x: Array, y: Array | float) -> Array:
        return self._own(self._larger(x, self.asarray(y, like=x)), object)

    def where(self, condition: Array, x: Array, y: Array | float) -> Array:
        return self._own(np.where(condition, x, self.asarray(y, like=x)))

    def sum(self, x: Array, *, axis: int | None = None, keepdims: bool = False) -> Array:
        return self.asarray(np.sum(x, axis=axis, keepdims=keepdims), like=x)  # the sum of nothing is Python's 0

    def max(self, x: Array, *, axis: int, keepdims: bool = False) -> Array:
        return self._own(self._larger.reduce(x, axis=axis, keepdims=keepdims), object)

    def argmax(self, x: Array, *, axis: int) -> Array:
        def first(row: Any) -> int:
            return max(range(len(row)), key=row.__getitem__)

        return self._own(np.apply_along_axis(first, axis, np.asarray(x)))  # numpy's own drops what a comparison raises

    def logsumexp(self, x: Array, *, axis: int, keepdims: bool = False) -> Array:
        return self._own(derived.logsumexp(self, x, axis=axis, keepdims=keepdims), object)

    def equal(self, x: Array, y: Array | int) -> Array:
        return self._own(np.asarray(x == y), bool)

    def cumulative_sum(self, x: Array, *, axis: int) -> Array:
        return self._own(np.add.accumulate(x, axis=axis), object)

    def argsort(self, x: Array, *, axis: int) -> Array:
        return self._own(np.argsort(np.asarray(x), axis=axis, kind="stable"))

    def take_along_axis(self, x: Array, indices: Array, *, axis: int) -> Array:
        return self._own(np.take_along_axis(np.asarray(x), np.asarray(indices), axis=axis))

    def windows(self, x: Array, size: int) -> Array:
        return self._own(np.lib.stride_tricks.sliding_window_view(np.asarray(x), size, axis=-1))

    def matmul(self, x: Array, y: Array) -> Array:
        return self._own(np.matmul(np.asarray(x), np.asarray(y)), object)

    def matrix_transpose(self, x: Array) -> Array:
        return np.swapaxes(x, -1, -2)

    def concat(self, arrays: Sequence[Array], *, axis: int) -> Array:
        return self._own(np.concatenate([np.asarray(array) for array in arrays], axis=axis))

    def positions(self, x: Array, *, axis: int) -> Array:
        return self._own(np.arange(x.shape[axis]))

    def expand_dims(self, x: Array, *, axis: int) -> Array:
        return np.expand_dims(x, axis)

    def one_hot(self, labels: Array, like: Array) -> Array:
        return self._own(np.expand_dims(labels, -1) == np.arange(like.shape[-1]))

    def full_like(self, x: Array, value: float) -> Array:
        return self.asarray(np.full(x.shape, value), like=x)

    def asarray(self, x: object, *, like: Array | None = None) -> Array:
        found = np.asarray(x)
        kind = found.dtype.kind if like is None else like.dtype.kind
        if kind in "iub":
            return self._own(found, None if like is None else like.dtype)
        return self._lift(found)

    def astype(self, x: Array, like: Array) -> Array:
        return self.asarray(x, like=like)

    def widen(self, x: Array) -> Array:
        return x

    def truth(self, x: Array) -> Array:
        return self._own(x, bool)

    def stop_gradient(self, x: Array) -> Array:
        return x

    def shape(self, x: Array) -> Shape:
        return x.shape

    def size(self, x: Array) -> int:
        return x.size

    def count_nonzero(self, x: Array, like: Array) -> Array:
        return self.asarray(np.count_nonzero(self.truth(x)), like=like)

    def number_kind(self, x: Array) -> NumberKind:
        return "float" if x.dtype.kind == "O" else "bool" if x.dtype.kind == "b" else "integer"


def _smaller(x: Any, y: Any) -> Any:
    """The smaller of two numbers; NaN, which differs from itself, if either is."""
    return x if x < y or x != x else y


def _larger(x: Any, y: Any) -> Any:
    return x if x > y or x != x else y
