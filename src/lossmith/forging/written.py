"""Trees as one more system of numbers: a trace that is replayed on them is the expression that it computes.

An "array" here is one node: a single number, or a row of classes, with the shape that it has in the trace. Comparisons
give truths, which count as 1 and 0 where a number is asked for.
"""

import math
from typing import Any

import numpy as np

from lossmith.forging import tree
from lossmith.forging.tree import Call, Node, Number
from lossmith.forging.words import TRUTHS, WORDS


class Written:
    """A node with the arithmetic of a number."""

    dtype = np.dtype(object)

    def __init__(self, node: Node, shape: tuple[int, ...] = ()) -> None:
        self.node, self.shape = node, shape

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def number(self) -> Node:
        """The node as a number: a truth is 1 or 0."""
        return tree.where(self.node, tree.ONE, tree.ZERO) if _is_truth(self.node) else self.node

    @property
    def truth(self) -> Node:
        return self.node if _is_truth(self.node) else Call("ne", (self.node, tree.ZERO))

    def __add__(self, other: Any) -> "Written":
        return _made("add", self, other)

    def __radd__(self, other: Any) -> "Written":
        return _made("add", other, self)

    def __sub__(self, other: Any) -> "Written":
        return _made("sub", self, other)

    def __rsub__(self, other: Any) -> "Written":
        return _made("sub", other, self)

    def __mul__(self, other: Any) -> "Written":
        return _made("mul", self, other)

    def __rmul__(self, other: Any) -> "Written":
        return _made("mul", other, self)

    def __truediv__(self, other: Any) -> "Written":
        return _made("div", self, other)

    def __rtruediv__(self, other: Any) -> "Written":
        return _made("div", other, self)

    def __neg__(self) -> "Written":
        return Written(tree.neg(self.number), self.shape)

    def __lt__(self, other: Any) -> "Written":
        return _made("lt", self, other)

    def __le__(self, other: Any) -> "Written":
        return _made("le", self, other)

    def __gt__(self, other: Any) -> "Written":
        return _made("gt", self, other)

    def __ge__(self, other: Any) -> "Written":
        return _made("ge", self, other)

    def __and__(self, other: Any) -> "Written":
        return Written(Call("and", (self.truth, _lifted(other).truth)), _met(self, other))

    def __or__(self, other: Any) -> "Written":
        return Written(Call("or", (self.truth, _lifted(other).truth)), _met(self, other))

    def __invert__(self) -> "Written":
        return Written(Call("not", (self.truth,)), self.shape)

    def __bool__(self) -> bool:
        raise NotImplementedError("what is computed depends on the numbers")

    def __float__(self) -> float:
        raise NotImplementedError("a setting stands where only a number can")


def _is_truth(node: Node) -> bool:
    return isinstance(node, Call) and node.word in TRUTHS


def _lifted(x: Any) -> Written:
    return x if isinstance(x, Written) else Written(Number(float(x)))


def _met(*args: Any) -> tuple[int, ...]:
    """The shape that arguments broadcast to."""
    shape = np.broadcast_shapes(*(arg.shape for arg in args if isinstance(arg, Written)))
    if sum(length > 1 for length in shape) > 1:
        raise NotImplementedError("the classes of a row meet each other, and an expression has one axis of them")
    return shape


def _made(word: str, *args: Any) -> Written:
    return Written(tree.call(word, *(_lifted(arg).number for arg in args)), _met(*args))


class NoWord(NotImplementedError, AttributeError):
    """A word that an expression does not have; a rule of the replay may ask first, with `hasattr`."""


class Words:
    """The reader: the operations that a trace may ask for. What is no word of an expression does not exist."""

    def __getattr__(self, word: str) -> Any:
        if word not in WORDS or WORDS[word].arity > 2:
            raise NoWord(f"{word} is not among the words of an expression")
        return lambda *args: _made(word, *args)

    def exp(self, x: Any) -> Written:
        """e^(y log x) is x^y, and e^-log(1 + e^x) is a sigmoid: what they were before they were taken apart."""
        node = _lifted(x).number
        if isinstance(node, Call) and node.word == "neg" and _is(node.args[0], "softplus"):
            return _made("sigmoid", Written(tree.neg(_first(node.args[0])), x.shape))
        if isinstance(node, Call) and node.word == "mul" and _is(node.args[1], "log"):
            return Written(tree.power(_first(node.args[1]), node.args[0]), x.shape)
        return _made("exp", x)

    def equal(self, x: Any, y: Any) -> Written:
        return Written(tree.equal(_lifted(x).number, _lifted(y).number), _met(x, y))

    def where(self, condition: Any, x: Any, y: Any) -> Written:
        if not isinstance(condition, Written):  # it was computed while the loss was traced
            return _lifted(x if condition else y)
        return Written(tree.where(condition.truth, _lifted(x).number, _lifted(y).number), _met(condition, x, y))

    def full_like(self, x: Any, value: float) -> Written:
        return _lifted(value)

    def asarray(self, x: Any, *, like: Any = None) -> Written:
        return _lifted(np.asarray(x).item() if not isinstance(x, Written) else x)

    def truth(self, x: Any) -> Any:
        node = _lifted(x).node
        return np.bool_(node.value != 0) if isinstance(node, Number) else Written(_lifted(x).truth, x.shape)


def _is(node: Node, word: str) -> bool:
    return isinstance(node, Call) and node.word == word


def _first(node: Node) -> Node:
    assert isinstance(node, Call)
    return node.args[0]
