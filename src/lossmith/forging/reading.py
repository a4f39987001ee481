"""A tree as the body of a formula: the same tree on torch, numpy, jax, fifty digits and symbols.

Words that are not operations of `lossmith.ops` are written in them here, each in a form that keeps its digits.
"""

import math
from collections.abc import Mapping, Sequence
from inspect import Parameter, Signature
from typing import Any

import numpy as np

from lossmith.forging.rows import SPREAD, is_of_rows, is_row
from lossmith.forging.tree import CLASSES, CONSTANTS, Call, Name, Node, Number, walk
from lossmith.ops import Ops, digits
from lossmith.spec import Formula

LOG_2 = math.log(2.0)
LARGEST = 1e12  # beyond it an exponential is inf or 0: exp(exp(exp(9))) would never end with all its digits


class _Numbers(digits.Numbers):
    def exp(self, x: Any) -> Any:
        if abs(x) > LARGEST:
            return digits.context.inf if x > 0 else digits.context.zero
        return super().exp(x)

    def expm1(self, x: Any) -> Any:
        return self.exp(x) - 1 if abs(x) > LARGEST else super().expm1(x)

    def softplus(self, x: Any) -> Any:
        return max(x, digits.context.zero) if abs(x) > LARGEST else super().softplus(x)


_DIGITS = digits.Objects(_Numbers(), digits.Digits)


def value_of(root: Node, ops: Ops[Any], arrays: Mapping[str, Any], params: Mapping[str, Any]) -> Any:
    """The value of a tree; `arrays` and `params` by name. A number that belongs to no entry is spread over all.

    Of a loss of rows the last axis is that of the classes: it stays for what is a row, and has length 1 inside.
    """
    like = whole = next(iter(arrays.values()))
    known: dict[Node, Any] = {CLASSES: float(like.shape[-1])} if like.ndim else {}
    if is_of_rows(root):
        like = like[..., :1]

    def lifted(x: Any) -> Any:
        return x if isinstance(x, type(like)) else ops.asarray(x, like=like) + like * 0.0

    for node in walk(root):
        if isinstance(node, Number):
            known[node] = node.value
        elif isinstance(node, Name) and node not in known:
            known[node] = arrays[node.name] if node.name in arrays else {**CONSTANTS, **params}[node.name]
        elif isinstance(node, Call) and node.word == SPREAD:
            known[node] = known[node.args[0]] + whole * 0.0
        elif isinstance(node, Call):
            known[node] = _apply(ops, node, [known[arg] for arg in node.args], lifted)
    found = lifted(known[root])
    return found[..., 0] if is_of_rows(root) and not is_row(root, arrays) else found


def _apply(ops: Ops[Any], node: Call, args: Sequence[Any], lifted: Any) -> Any:
    word = node.word
    if word == "neg":
        return -args[0]
    if word == "pow":
        return _power(ops, args[0], args[1], node.args[1], lifted)
    if word == "div" and ops is _DIGITS:
        return digits.array(_quotient(*args))  # mpmath raises where every framework gives inf or NaN
    if word in _INFIX:
        return _INFIX[word](*args)
    if word in _COMPARE:
        return _COMPARE[word](lifted(args[0]), lifted(args[1]))
    if word == "eq":
        return ops.equal(lifted(args[0]), lifted(args[1]))
    if word == "ne":
        return ~ops.equal(lifted(args[0]), lifted(args[1]))
    if word == "not":
        return ~args[0]
    if word == "where":
        return ops.where(args[0], lifted(args[1]), lifted(args[2]))
    own = _OWN.get(word)
    arrays = [lifted(arg) for arg in args]
    return own(ops, *arrays) if own is not None else getattr(ops, word)(*arrays)


_INFIX: dict[str, Any] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "and": lambda x, y: x & y,
    "or": lambda x, y: x | y,
}
_COMPARE: dict[str, Any] = {
    "lt": lambda x, y: x < y,
    "le": lambda x, y: x <= y,
    "gt": lambda x, y: x > y,
    "ge": lambda x, y: x >= y,
}


def _divided(x: Any, y: Any) -> Any:
    if y != 0:
        return digits.context.mpf(x) / y
    return digits.context.nan if x == 0 or x != x else digits.context.inf * (1 if x > 0 else -1)


_quotient = np.frompyfunc(_divided, 2, 1)


def _power(ops: Ops[Any], x: Any, y: Any, exponent: Node, lifted: Any) -> Any:
    if isinstance(exponent, Number) and exponent.value == int(exponent.value) and 0 < exponent.value <= 8:
        x = lifted(x)
        made = x
        for _ in range(int(exponent.value) - 1):
            made = made * x
        return made
    x, y = lifted(x), lifted(y)
    # 0^y is 0, and 1 for y = 0, without a logarithm of 0
    zero = ops.equal(x, 0)
    at_zero = ops.where(ops.equal(y, 0), ops.full_like(x, 1.0), 0.0)
    if isinstance(exponent, Number) and exponent.value == int(exponent.value):
        positive = ops.exp(y * ops.log(ops.where(zero, ops.full_like(x, 1.0), ops.abs(x))))
        odd = int(exponent.value) % 2 == 1
        signed = ops.where(x < 0, -positive, positive) if odd else positive
        ends = ops.full_like(x, math.inf) if exponent.value < 0 else at_zero
        return ops.where(zero, ends, signed)
    return ops.where(zero, at_zero, ops.exp(y * ops.log(ops.where(zero, ops.full_like(x, 1.0), x))))


def _sigmoid(ops: Ops[Any], x: Any) -> Any:
    small = ops.exp(-ops.abs(x))
    return ops.where(x >= 0, ops.full_like(x, 1.0), small) / (1.0 + small)


def _tanh(ops: Ops[Any], x: Any) -> Any:
    small = ops.expm1(-2.0 * ops.abs(x))
    size = -small / (2.0 + small)
    return ops.where(x < 0, -size, size)


def _log_cosh(ops: Ops[Any], x: Any) -> Any:
    size = ops.abs(x)
    near = ops.minimum(size, 1.0)
    small = ops.log1p(0.5 * ops.exp(near) * ops.square(ops.expm1(-near)))
    return ops.where(size < 1.0, small, size + ops.log1p(ops.exp(-2.0 * size)) - LOG_2)


def _hypot(ops: Ops[Any], x: Any, y: Any) -> Any:
    x, y = ops.abs(x), ops.abs(y)
    large, small = ops.maximum(x, y), ops.minimum(x, y)
    ratio = small / ops.where(ops.equal(large, 0), ops.full_like(x, 1.0), large)
    return large * ops.sqrt(1.0 + ops.square(ratio))


def _xlogy(ops: Ops[Any], x: Any, y: Any) -> Any:
    none = ops.equal(x, 0) & ops.equal(y, 0)
    return x * ops.log(ops.where(none, ops.full_like(x, 1.0), y))


def _xlog1py(ops: Ops[Any], x: Any, y: Any) -> Any:
    none = ops.equal(x, 0) & ops.equal(y, -1)
    return x * ops.log1p(ops.where(none, ops.full_like(x, 0.0), y))


def _sign(ops: Ops[Any], x: Any) -> Any:
    one = ops.full_like(x, 1.0)
    return ops.where(x > 0, one, ops.where(x < 0, -one, 0.0))


def _log_softmax(ops: Ops[Any], x: Any) -> Any:
    return x - ops.logsumexp(x, axis=-1, keepdims=True)


_OWN: dict[str, Any] = {
    "sum": lambda ops, x: ops.sum(x, axis=-1, keepdims=True),
    "mean": lambda ops, x: ops.sum(x, axis=-1, keepdims=True) * (1.0 / x.shape[-1]),
    "logsumexp": lambda ops, x: ops.logsumexp(x, axis=-1, keepdims=True),
    "log_softmax": _log_softmax,
    "softmax": lambda ops, x: ops.exp(_log_softmax(ops, x)),
    "sigmoid": _sigmoid,
    "log_sigmoid": lambda ops, x: -ops.softplus(-x),
    "tanh": _tanh,
    "cosh": lambda ops, x: 0.5 * ops.exp(x) + 0.5 * ops.exp(-x),
    "sinh": lambda ops, x: 0.5 * (ops.expm1(x) - ops.expm1(-x)),
    "log_cosh": _log_cosh,
    "logaddexp": lambda ops, x, y: ops.maximum(x, y) + ops.log1p(ops.exp(-ops.abs(x - y))),
    "hypot": _hypot,
    "xlogy": _xlogy,
    "xlog1py": _xlog1py,
    "sign": _sign,
}


def formula_of(name: str, root: Node, params: Mapping[str, float], kinds: tuple[str, str]) -> Formula:
    """The tree as a formula, callable on any framework's arrays; it enters no catalogue."""
    of_rows, by_label = is_of_rows(root), kinds[1] == "index"

    def body(ops: Any, pred: Any, target: Any, **settings: Any) -> Any:
        if by_label:
            target = ops.where(ops.one_hot(target, pred), ops.full_like(pred, 1.0), 0.0)
        return value_of(root, ops, {"pred": pred, "target": target}, {**params, **settings})

    by_name = [Parameter(one, Parameter.KEYWORD_ONLY, default=value) for one, value in params.items()]
    arrays = [Parameter(one, Parameter.POSITIONAL_OR_KEYWORD) for one in ("ops", "pred", "target")]
    body.__signature__ = Signature([*arrays, *by_name])
    body.__name__ = body.__qualname__ = name
    body.__annotations__ = dict.fromkeys(params, float)
    shapes = f"... C, {'...' if by_label else '... C'} -> ..." if of_rows else "..., ... -> ..."
    return Formula(body, shapes=shapes, kinds=kinds, source="forged from an expression")


def in_digits(root: Node, arrays: Mapping[str, Any], params: Mapping[str, float]) -> np.ndarray:
    """The value at fifty digits, an array of mpmath numbers; `arrays` may hold floats or such numbers."""
    lifted = {name: digits.array(np.asarray(array, dtype=object)) for name, array in arrays.items()}
    return np.asarray(value_of(root, _DIGITS, lifted, params))
