"""The names that a formula may use. Each exists in every reader, with one meaning.

A formula takes the reader as its first argument and never knows which framework it runs on:

    numpy  torch  jax  tensorflow  keras      the frameworks, one module each (keras: symbolic tensors)
    digits                                    fifty decimal digits, the judge of the others

Names are those of the Python array API standard where it has them. A name enters when two formulas need it and
every reader agrees on it, at 0, +-inf and NaN too: `tests/ops/test_conformance.py` holds each reader to the
docstrings below. A reader is a module, or an object with the same attributes.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol, Self, TypeVar, cast

import numpy as np

from lossmith.errors import DtypeError, message

NumberKind = Literal["float", "integer", "bool", "other"]
Shape = tuple[int | None, ...]


class Array(Protocol):
    """What an array can do by itself: arithmetic, comparison (`NaN < 1` is False), and logic on booleans."""

    def __add__(self, other: Self | float, /) -> Self: ...
    def __radd__(self, other: float, /) -> Self: ...
    def __sub__(self, other: Self | float, /) -> Self: ...
    def __rsub__(self, other: float, /) -> Self: ...
    def __mul__(self, other: Self | float, /) -> Self: ...
    def __rmul__(self, other: float, /) -> Self: ...
    def __truediv__(self, other: Self | float, /) -> Self: ...
    def __rtruediv__(self, other: float, /) -> Self: ...
    def __neg__(self) -> Self: ...
    def __invert__(self) -> Self: ...
    def __and__(self, other: Self, /) -> Self: ...
    def __or__(self, other: Self, /) -> Self: ...
    def __lt__(self, other: Self | float, /) -> Self: ...
    def __le__(self, other: Self | float, /) -> Self: ...
    def __gt__(self, other: Self | float, /) -> Self: ...
    def __ge__(self, other: Self | float, /) -> Self: ...
    def __getitem__(self, key: Any, /) -> Self: ...  # `x[..., 0]` and `x[..., 1:-1]`: basic indexing behind `...`


A = TypeVar("A", bound=Array)


class Ops(Protocol[A]):
    """The set of operations. Unless a line says otherwise, NaN in gives NaN out.

    Outside the contract: subnormal numbers, which jax and tensorflow flush to 0, and the gradient where the value is
    NaN or where two arguments tie.
    """

    # one entry at a time
    def abs(self, x: A, /) -> A:
        """|x|, with gradient 0 at 0."""
        ...

    def exp(self, x: A, /) -> A:
        """e^x: 0 at -inf, inf where it overflows."""
        ...

    def expm1(self, x: A, /) -> A:
        """e^x - 1, accurate near 0: -1 at -inf. Its gradient may be rounded as value + 1 is."""
        ...

    def log(self, x: A, /) -> A:
        """The natural logarithm: -inf at 0, NaN below."""
        ...

    def log1p(self, x: A, /) -> A:
        """log(1 + x), accurate near 0: -inf at -1, NaN below."""
        ...

    def sqrt(self, x: A, /) -> A:
        """The square root: NaN below 0; its gradient at 0 is inf, so a formula keeps 0 out."""
        ...

    def square(self, x: A, /) -> A:
        """x * x."""
        ...

    def softplus(self, x: A, /) -> A:
        """log(1 + e^x) to full relative accuracy: 0 at -inf, inf at inf; gradient sigmoid(x), 0 and 1 there."""
        ...

    def minimum(self, x: A, y: A | float, /) -> A:
        """The smaller; NaN if either is."""
        ...

    def maximum(self, x: A, y: A | float, /) -> A:
        """The larger; NaN if either is."""
        ...

    def where(self, condition: A, x: A, y: A | float, /) -> A:
        """x where the condition holds, else y, broadcast; the branch not taken gets gradient 0 times its slope.

        A slope that is inf or NaN in the branch not taken therefore gives NaN: keep both branches finite.
        """
        ...

    def arctan(self, x: A, /) -> A:
        """The angle whose tangent is x, between -pi/2 and pi/2."""
        ...

    def equal(self, x: A, y: A | int, /) -> A:
        """True where x and y are the same number, broadcast; never for NaN."""
        ...

    def isfinite(self, x: A, /) -> A:
        """True where x is neither inf nor NaN."""
        ...

    # along an axis
    def sum(self, x: A, /, *, axis: int | None = None, keepdims: bool = False) -> A:
        """The sum over one axis, or over all (None); 0 of nothing."""
        ...

    def max(self, x: A, /, *, axis: int, keepdims: bool = False) -> A:
        """The largest entry along an axis that is not empty; NaN if one is NaN."""
        ...

    def argmax(self, x: A, /, *, axis: int) -> A:
        """Where the largest entry is, the first of equals; an integer array. With NaN it is the reader's."""
        ...

    def logsumexp(self, x: A, /, *, axis: int, keepdims: bool = False) -> A:
        """log(sum(e^x)) without overflow. An entry of -inf has gradient 0; all -inf gives -inf with gradient 0."""
        ...

    def cumulative_sum(self, x: A, /, *, axis: int) -> A:
        """The sum of the entries up to and with each one."""
        ...

    def argsort(self, x: A, /, *, axis: int) -> A:
        """The integers that put the entries in rising order, equal ones as they stand. With NaN it is the reader's."""
        ...

    def take_along_axis(self, x: A, indices: A, /, *, axis: int) -> A:
        """The entries of x at integer indices along the axis; the other axes are those of x."""
        ...

    def windows(self, x: A, size: int, /) -> A:
        """The stretches of `size` neighbours on the last axis, along one more axis: result[..., i, j] = x[..., i + j].

        Slices say the same, but each of them is an operation to compile and to store.
        """
        ...

    # matrices
    def matmul(self, x: A, y: A, /) -> A:
        """The matrix product over the last two axes; the axes before broadcast."""
        ...

    def matrix_transpose(self, x: A, /) -> A:
        """The last two axes exchanged."""
        ...

    # form
    def concat(self, arrays: Sequence[A], /, *, axis: int) -> A:
        """Arrays one after another along an axis."""
        ...

    def positions(self, x: A, /, *, axis: int) -> A:
        """0, 1, 2, ... along an axis of x, as one axis of integers."""
        ...

    def expand_dims(self, x: A, /, *, axis: int) -> A:
        """One more axis, of length 1."""
        ...

    def one_hot(self, labels: A, like: A, /) -> A:
        """Booleans of shape (labels, last axis of like): True at the label; no True for a label out of range."""
        ...

    def full_like(self, x: A, value: float, /) -> A:
        """An array with the shape and dtype of x, filled with one value."""
        ...

    def asarray(self, x: object, /, *, like: A | None = None) -> A:
        """A number, sequence or array as this reader's array; with `like`, in its dtype and on its device."""
        ...

    def astype(self, x: A, like: A, /) -> A:
        """x in the dtype of `like`."""
        ...

    def widen(self, x: A, /) -> A:
        """float16 and bfloat16 as float32, anything else unchanged."""
        ...

    def truth(self, x: A, /) -> A:
        """Booleans: True where x is not 0, NaN included."""
        ...

    def stop_gradient(self, x: A, /) -> A:
        """x, constant to differentiation."""
        ...

    # facts
    def shape(self, x: A, /) -> Shape | None:
        """The shape as a tuple; None for a length not yet known, None in all for an unknown number of axes."""
        ...

    def size(self, x: A, /) -> float | A:
        """How many entries there are: a number, or a scalar in the dtype of x where it is not yet known."""
        ...

    def count_nonzero(self, x: A, like: A, /) -> A:
        """How many entries are not 0 (NaN counts), counted as integers, as a scalar in the dtype of `like`."""
        ...

    def number_kind(self, x: A, /) -> NumberKind:
        """What the dtype holds."""
        ...


def across(ops: Ops[A], part: A) -> A:
    """The sum of what the processes have that share a batch; `part` itself where a reader knows of none.

    A sum over samples or pixels that interact goes through here: others may hold some of them.
    """
    added: Callable[[A], A] | None = getattr(ops, "across", None)
    return part if added is None else added(part)


def across_max(ops: Ops[A], part: A) -> A:
    """As `across`, the largest, without a gradient."""
    largest: Callable[[A], A] | None = getattr(ops, "across_max", None)
    return part if largest is None else largest(part)


_BY_TYPE: dict[type, Ops[Any]] = {}  # array type -> reader; a reader enters its types when it is loaded


def register(array_type: type, reader: object) -> None:
    """Make `reader_of` answer `reader` for arrays of this type and of its subclasses."""
    _BY_TYPE[array_type] = cast("Ops[Any]", reader)


def reader_of(array: object) -> Ops[Any]:
    """The reader of an array, by its type.

    Errors    DtypeError for anything that is not an array of a known framework, Python numbers and lists included
    """
    found = _BY_TYPE.get(type(array))
    return _find_reader(type(array)) if found is None else found


def _find_reader(array_type: type) -> Ops[Any]:
    """Walk the bases once: whoever holds an array has imported its framework, so loading the reader is cheap."""
    for base in array_type.__mro__:
        reader = _BY_TYPE.get(base) or _load(base.__module__.partition(".")[0])
        if reader is not None:
            if base is not array_type:
                register(array_type, reader)
            return reader
    raise DtypeError(
        message(
            f"{array_type.__module__}.{array_type.__qualname__} is not an array that lossmith reads",
            {"reads": "arrays of numpy, torch, jax, tensorflow and keras"},
            fix="numpy.asarray(x), for a number or a list of numbers" if array_type in (int, float, list) else None,
        )
    )


def _load(framework: str) -> Ops[Any] | None:
    """Import the reader of a framework. Import statements, unlike importlib, may run under `torch.compile`."""
    if framework == "numpy":
        from lossmith.ops import numpy as reader
    elif framework == "torch":
        from lossmith.ops import torch as reader
    elif framework in ("jax", "jaxlib"):
        from lossmith.ops import jax as reader
    elif framework == "tensorflow":
        from lossmith.ops import tensorflow as reader
    elif framework == "keras":
        from lossmith.ops import keras as reader
    else:
        return None
    return cast("Ops[Any]", reader)


def common_reader(*arrays: object) -> Ops[Any]:
    """The one reader for several arrays: plain numpy arrays may stand beside those of one other framework.

    Keras's own, symbolic tensors and variables, may stand beside those of its back end: keras reads both.

    Errors    DtypeError when two frameworks other than numpy meet
    """
    readers = [reader_of(array) for array in arrays]
    guests = [reader for array, reader in zip(arrays, readers, strict=True) if not _is_plain_numpy(array)]
    found = guests[0] if guests else readers[0]
    for reader in guests:
        back_end: Any = getattr(reader, "back_end", None)
        if back_end is not None:
            guests = [reader if guest is back_end() else guest for guest in guests]
            found = reader
            break
    if any(reader is not found for reader in guests):
        types = [f"{type(array).__module__}.{type(array).__qualname__}" for array in arrays]
        raise DtypeError(message("the arrays of one loss must come from one framework", {"given": ", ".join(types)}))
    return found


def _is_plain_numpy(array: object) -> bool:
    return type(array) is np.ndarray or isinstance(array, np.generic)
