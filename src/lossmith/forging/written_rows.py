"""Rows of classes as trees: what a trace of one row of three classes, with the label 0, says of any row.

    gather(log_softmax(x), 1, [[0]])    sum(target * log_softmax(pred))
    a constant (0.9, 0.05, 0.05)        0.05 + 0.85 * target

An axis of length 3 is that of the classes, every other one has length 1. What holds for the label 0 of three classes
alone, or with 0 in place of the largest entry, is found out afterwards: the loss itself is compared at other labels,
among more classes.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lossmith.forging import tree
from lossmith.forging.rows import is_row, total
from lossmith.forging.tree import TARGET, Call, Node, Number
from lossmith.forging.written import Words, Written
from lossmith.trace.graph import Reading
from lossmith.trace.rows import CLASSES


class RowWords(Words):
    """The words of an expression on rows; `rules` replace those of the replay that look into an array."""

    rules: Mapping[str, Callable[..., Any]]

    def where(self, condition: Any, x: Any, y: Any) -> Written:
        condition, x, y = map(self.asarray, (condition, x, y))
        if isinstance(condition.node, Number):
            return x if condition.node.value else y
        return super().where(condition, x, y)

    def truth(self, x: Any) -> Any:
        x = self.asarray(x)
        return Written(x.truth, x.shape)

    def full_like(self, x: Any, value: float) -> Written:
        return Written(Number(float(value)), x.shape)

    def asarray(self, x: Any, *, like: Any = None) -> Written:
        if isinstance(x, Written):
            return x
        found = np.asarray(x, dtype=float)
        return Written(_constant(found.ravel()), found.shape)

    def expand_dims(self, x: Written, *, axis: int) -> Written:
        return Written(x.node, np.expand_dims(np.empty(x.shape), axis).shape)


def _constant(values: np.ndarray) -> Node:
    """One number, or a row that has another one at the label."""
    if (values == values[0]).all():
        return Number(float(values[0]))
    first, rest = float(values[0]), float(values[1])
    if len(values) != CLASSES or (values[1:] != rest).any():
        raise NotImplementedError("each class has a number of its own, and an expression has one for all of them")
    return tree.add(Number(rest), tree.mul(Number(first - rest), TARGET))


def _number(on: Reading, x: Any) -> Written:
    return on.ops.asarray(x)


def _formed(on: Reading, x: Any, shape: tuple[int, ...]) -> Written:
    return Written(_number(on, x).node, shape)


def _by_form(of: Callable[..., np.ndarray]) -> Callable[..., Written]:
    """A rule that only changes the form."""
    return lambda on, x, *args, **_: _formed(on, x, of(np.empty(_number(on, x).shape), *args).shape)


def _squeezed(x: np.ndarray, dim: Any = None) -> np.ndarray:
    axes = range(x.ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    return np.squeeze(x, tuple(axis for axis in axes if x.shape[axis] == 1))


def _expanded(x: np.ndarray, shape: Any) -> np.ndarray:
    own = (1,) * (len(shape) - x.ndim) + x.shape
    return np.broadcast_to(x, tuple(length if want == -1 else want for want, length in zip(shape, own, strict=True)))


def _along(word: str) -> Callable[..., Written]:
    """A rule that makes one number of a row, or of several numbers that are one."""

    def reduce(on: Reading, x: Any, dim: Any = None, keepdim: bool = False, **_: Any) -> Written:
        x = _number(on, x)
        axes = [axis % x.ndim for axis in ([dim] if isinstance(dim, int) else dim or range(x.ndim))]
        shape = np.sum(np.empty(x.shape), axis=tuple(axes), keepdims=bool(keepdim)).shape
        if not any(x.shape[axis] > 1 for axis in axes):
            return Written(x.number, shape)
        if word == "sum":
            return Written(total(x.number), shape)
        if word == "mean" and not is_row(x.number):
            return Written(x.number, shape)
        return Written(Call(word, (x.number,)), shape)

    return reduce


def _largest(on: Reading, x: Any, dim: Any = (), keepdim: bool = False) -> Written:
    """0: what is taken from a row before its exponentials changes nothing but their size.

    Where the largest entry does more than that, the comparison with the loss itself tells.
    """
    x = _number(on, x)
    axes = [axis % x.ndim for axis in ([dim] if isinstance(dim, int) else dim or range(x.ndim))]
    shape = np.sum(np.empty(x.shape), axis=tuple(axes), keepdims=bool(keepdim)).shape
    return Written(tree.ZERO if any(x.shape[axis] > 1 for axis in axes) else x.number, shape)


def _shares(word: str) -> Callable[..., Written]:
    def apply(on: Reading, x: Any, dim: int, *_: Any, **__: Any) -> Written:
        x = _number(on, x)
        if x.shape[dim] == 1:
            raise NotImplementedError("a softmax over one number")
        return Written(Call(word, (x.number,)), x.shape)

    return apply


def _at_label(on: Reading, x: Any, places: Any, shape: tuple[int, ...]) -> Written:
    """The entry at the label, which was 0 while the loss was traced."""
    x = _number(on, x)
    if not is_row(x.number):
        return Written(x.number, shape)
    if np.any(places):
        raise NotImplementedError("it takes a class that is not the label")
    return Written(total(tree.mul(TARGET, x.number)), shape)


def _gather(on: Reading, x: Any, dim: int, index: Any, **_: Any) -> Written:
    index = np.asarray(index)
    return _at_label(on, x, index, index.shape) if _number(on, x).shape[dim] > 1 else _formed(on, x, index.shape)


def _index(on: Reading, x: Any, indices: Any) -> Written:
    x = _number(on, x)
    given = tuple(slice(None) if one is None else np.asarray(one) for one in indices)
    shape = np.empty(x.shape)[given].shape
    over = [np.asarray(one) for one, length in zip(indices, x.shape, strict=False) if one is not None and length > 1]
    return _at_label(on, x, over[0], shape) if over else _formed(on, x, shape)


def _positions(on: Reading, x: Any, places: Any) -> Written:
    x, places = _number(on, x), np.asarray(places)
    whole = places.size == x.size and (places.ravel() == np.arange(x.size)).all()
    return Written(x.node, places.shape) if whole else _at_label(on, x, places, places.shape)


def _scatter(on: Reading, x: Any, dim: int, index: Any, value: Any, **_: Any) -> Written:
    """A value at the label."""
    x, value = _number(on, x), _number(on, value)
    if np.any(np.asarray(index)):
        raise NotImplementedError("it writes to a class that is not the label")
    return x + (value - x) * Written(TARGET, x.shape)


def _norm(on: Reading, x: Any, ord: float = 2, dim: Any = None, keepdim: bool = False, **_: Any) -> Written:
    if ord not in (1, 2):
        raise NotImplementedError(f"a norm of order {ord}")
    size = (on.ops.abs if ord == 1 else on.ops.square)(_number(on, x))
    found = _along("sum")(on, size, dim, keepdim)
    return found if ord == 1 else on.ops.sqrt(found)


def _select(on: Reading, x: Any, dim: int, index: int) -> Written:
    x = _number(on, x)
    return _formed(on, x, np.take(np.empty(x.shape), index, dim).shape) if x.shape[dim] == 1 else _refused()


def _slice(on: Reading, x: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Written:
    x = _number(on, x)
    left = range(x.shape[dim])[start:end:step]
    return x if len(left) == x.shape[dim] else _refused()


def _refused(*_: Any, **__: Any) -> Written:
    raise NotImplementedError("it takes classes by their number, and an expression treats all of them alike")


_FORMS: dict[str, Callable[..., np.ndarray]] = {
    "view reshape _unsafe_view view_copy": lambda x, shape: x.reshape(tuple(shape)),
    "unsqueeze unsqueeze_copy": np.expand_dims,
    "squeeze squeeze_copy": _squeezed,
    "expand expand_copy": _expanded,
    "permute permute_copy": np.transpose,
    "transpose transpose_copy t": lambda x, first=0, second=1: np.swapaxes(x, first, second),
}
RowWords.rules = {
    **{name: _by_form(of) for names, of in _FORMS.items() for name in names.split()},
    **{word: _along(word) for word in ("sum", "mean", "logsumexp")},
    **dict.fromkeys(("_log_softmax", "log_softmax"), _shares("log_softmax")),
    **dict.fromkeys(("_softmax", "softmax"), _shares("softmax")),
    "amax": _largest,
    "max": lambda on, x, dim, keepdim=False: (_largest(on, x, dim, keepdim), None),
    "gather": _gather,
    "index": _index,
    "positions": _positions,
    "scatter": _scatter,
    "linalg_vector_norm": _norm,
    **dict.fromkeys(("select", "select_copy"), _select),
    **dict.fromkeys(("slice", "slice_copy"), _slice),
    **dict.fromkeys(("index_select", "cat", "flip"), _refused),
}
