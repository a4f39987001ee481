"""ATen on the set of operations: one short rule for each operation that is left after core decompositions.

A rule takes the reading, then what ATen takes. An option that changes the meaning and is not handled is refused.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from lossmith.ops import numpy as doubles
from lossmith.trace.graph import Reading

Rule = Callable[..., Any]
RULES: dict[str, Rule] = {}
# What says nothing about a single number: axes, and sums and largest entries of one.
FORM = frozenset(
    "sum mean amax amin view reshape _unsafe_view view_copy unsqueeze unsqueeze_copy squeeze squeeze_copy expand "
    "expand_copy permute permute_copy positions".split()
)


def rule(*names: str) -> Callable[[Rule], Rule]:
    def enter(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return enter


def _unary(name: str, of: Callable[[Any, Any], Any]) -> None:
    RULES[name] = lambda on, x: of(on, on.array(x))


def sigmoid(on: Reading, x: Any) -> Any:
    return on.ops.exp(-on.ops.softplus(-x))


def tanh(on: Reading, x: Any) -> Any:
    own = getattr(on.ops, "tanh", None)
    return own(x) if own is not None else 2.0 * sigmoid(on, 2.0 * x) - 1.0


def _hyperbolic(name: str, sign: float) -> Callable[[Reading, Any], Any]:
    """cosh or sinh: what has the word keeps it, so that log(cosh x) is still seen for what it is."""

    def apply(on: Reading, x: Any) -> Any:
        own = getattr(on.ops, name, None)
        return own(x) if own is not None else 0.5 * (on.ops.exp(x) + sign * on.ops.exp(-x))

    return apply


def _beyond(name: str, plain: Callable[[float], float]) -> Callable[[Reading, Any], Any]:
    """A function that readers of objects have beyond the set."""

    def apply(on: Reading, x: Any) -> Any:
        if on.ops is doubles:
            return np.vectorize(plain, otypes=[float])(x)
        own = getattr(on.ops, name, None)
        if own is None:
            raise NotImplementedError(f"this number system has no {name}")
        return own(x)

    return apply


def _asinh(on: Reading, x: Any) -> Any:
    far = abs(x)
    return _sign(on, x) * on.ops.log1p(far + on.ops.square(x) / (1.0 + on.ops.sqrt(1.0 + on.ops.square(x))))


def _sign(on: Reading, x: Any) -> Any:
    one = on.ops.full_like(x, 1.0)
    return on.ops.where(x > 0.0, one, on.ops.where(x < 0.0, -one, 0.0))


for _name in ("exp", "expm1", "log", "log1p", "sqrt", "abs"):
    _unary(_name, lambda on, x, name=_name: getattr(on.ops, name)(x))
_unary("neg", lambda on, x: -x)
_unary("atan", lambda on, x: on.ops.arctan(x))
_unary("sigmoid", sigmoid)
_unary("tanh", tanh)
_unary("log2", lambda on, x: on.ops.log(x) / math.log(2.0))
_unary("log10", lambda on, x: on.ops.log(x) / math.log(10.0))
_unary("exp2", lambda on, x: on.ops.exp(x * math.log(2.0)))
_unary("square", lambda on, x: on.ops.square(x))
_unary("rsqrt", lambda on, x: 1.0 / on.ops.sqrt(x))
_unary("reciprocal", lambda on, x: 1.0 / x)
_unary("cosh", _hyperbolic("cosh", 1.0))
_unary("sinh", _hyperbolic("sinh", -1.0))
_unary("erf", _beyond("erf", math.erf))
_unary("sin", _beyond("sin", math.sin))
_unary("cos", _beyond("cos", math.cos))
_unary("gelu", lambda on, x: 0.5 * x * (1.0 + RULES["erf"](on, x * math.sqrt(0.5))))
_unary("relu", lambda on, x: on.ops.maximum(x, 0.0))
_unary("sign", _sign)
_unary("asinh", _asinh)
_unary("atanh", lambda on, x: 0.5 * (on.ops.log1p(x) - on.ops.log1p(-x)))
_unary("log_sigmoid_forward", lambda on, x: (-on.ops.softplus(-x), None))
_unary("isnan", lambda on, x: ~on.ops.equal(x, x))
_unary("isfinite", lambda on, x: on.ops.isfinite(x))
_unary("isinf", lambda on, x: ~on.ops.isfinite(x) & on.ops.equal(x, x))
_unary("logical_not", lambda on, x: ~_truth(on, x))
_unary("bitwise_not", lambda on, x: ~_truth(on, x))


@rule("clone", "alias", "detach", "detach_copy", "alias_copy", "lift_fresh_copy", "contiguous")
def _same(on: Reading, x: Any, **_: Any) -> Any:
    return on.array(x)


def number(on: Reading, x: Any) -> Any:
    """Booleans as 0 and 1."""
    x = on.array(x)
    if x.dtype.kind != "b":
        return x
    return on.ops.asarray(np.asarray(x, dtype=np.float64), like=on.like)


def _truth(on: Reading, x: Any) -> Any:
    x = on.array(x)
    return x if x.dtype.kind == "b" else on.ops.truth(x)


def _binary(operate: Callable[[Any, Any], Any]) -> Rule:
    return lambda on, x, y: operate(number(on, x), number(on, y))


@rule("add")
def _add(on: Reading, x: Any, y: Any, alpha: Any = 1) -> Any:
    return number(on, x) + (number(on, y) if alpha == 1 else number(on, y) * float(alpha))


@rule("sub")
def _sub(on: Reading, x: Any, y: Any, alpha: Any = 1) -> Any:
    return number(on, x) - (number(on, y) if alpha == 1 else number(on, y) * float(alpha))


@rule("mul")
def _mul(on: Reading, x: Any, y: Any) -> Any:
    if x is y:
        return on.ops.square(on.array(x))
    return number(on, x) * number(on, y)


@rule("div")
def _div(on: Reading, x: Any, y: Any, rounding_mode: str | None = None) -> Any:
    if rounding_mode is not None:
        raise NotImplementedError(f"rounding_mode={rounding_mode!r}")
    return number(on, x) / number(on, y)


RULES["rsub"] = lambda on, x, y: number(on, y) - number(on, x)
RULES["maximum"] = lambda on, x, y: on.ops.maximum(number(on, x), number(on, y))
RULES["minimum"] = lambda on, x, y: on.ops.minimum(number(on, x), number(on, y))
RULES["lt"] = _binary(lambda x, y: x < y)
RULES["le"] = _binary(lambda x, y: x <= y)
RULES["gt"] = _binary(lambda x, y: x > y)
RULES["ge"] = _binary(lambda x, y: x >= y)
RULES["eq"] = lambda on, x, y: on.ops.equal(number(on, x), number(on, y))
RULES["ne"] = lambda on, x, y: ~on.ops.equal(number(on, x), number(on, y))
RULES["logical_and"] = RULES["bitwise_and"] = lambda on, x, y: _truth(on, x) & _truth(on, y)
RULES["logical_or"] = RULES["bitwise_or"] = lambda on, x, y: _truth(on, x) | _truth(on, y)


@rule("pow")
def _pow(on: Reading, x: Any, y: Any) -> Any:
    ops = on.ops
    if isinstance(x, (int, float)):
        return ops.exp(on.array(y) * math.log(x))
    x = number(on, x)
    if not isinstance(y, (int, float)):
        return ops.exp(on.array(y) * ops.log(x))
    if hasattr(ops, "power"):
        return ops.power(x, float(y))
    if y < 0:
        return 1.0 / _pow(on, x, -y)
    if y == int(y) and y <= 64:
        return _whole_power(ops, x, int(y))
    if y == 0.5:
        return ops.sqrt(x)
    return ops.real_power(x, float(y)) if hasattr(ops, "real_power") else ops.exp(float(y) * ops.log(x))


def _whole_power(ops: Any, x: Any, n: int) -> Any:
    if n == 0:
        return ops.full_like(x, 1.0)
    if n % 2:
        return x if n == 1 else x * _whole_power(ops, x, n - 1)
    return ops.square(_whole_power(ops, x, n // 2))


@rule("clamp", "hardtanh")
def _clamp(on: Reading, x: Any, min: Any = None, max: Any = None) -> Any:
    x = number(on, x)
    x = x if min is None else on.ops.maximum(x, number(on, min))
    return x if max is None else on.ops.minimum(x, number(on, max))


@rule("softplus")
def _softplus(on: Reading, x: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    of = on.array(x) * float(beta) if beta != 1 else on.array(x)
    found = on.ops.softplus(of) / float(beta) if beta != 1 else on.ops.softplus(of)
    # beyond the threshold torch returns x itself: 2e-9 less at its default, which is taken for rounding
    return found if threshold >= 20 else on.ops.where(of > float(threshold), on.array(x), found)


@rule("elu")
def _elu(on: Reading, x: Any, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Any:
    x = on.array(x)
    below = float(scale * alpha) * on.ops.expm1(on.ops.minimum(x, 0.0) * float(input_scale))
    return on.ops.where(x > 0.0, float(scale) * x, below)


@rule("leaky_relu")
def _leaky_relu(on: Reading, x: Any, negative_slope: float = 0.01) -> Any:
    x = on.array(x)
    return on.ops.where(x > 0.0, x, float(negative_slope) * x)


@rule("where")
def _where(on: Reading, condition: Any, x: Any, y: Any) -> Any:
    return on.ops.where(_truth(on, condition), number(on, x), number(on, y))


@rule("full_like")
def _full_like(on: Reading, x: Any, value: Any, **_: Any) -> Any:
    shaped = np.broadcast_to(np.asarray(float(value)), np.shape(x))
    return on.ops.asarray(shaped, like=on.like)


@rule("_to_copy")
def _to_copy(on: Reading, x: Any, dtype: Any = None, **_: Any) -> Any:
    kind = str(dtype).removeprefix("torch.")
    if kind == "bool":
        return _truth(on, x)
    if dtype is None or kind.startswith(("float", "bfloat")):
        return number(on, x)
    if on.array(x).dtype.kind == "b":
        return number(on, x)
    raise NotImplementedError(f"numbers become {kind}, which has steps")


def _over(mean: bool) -> Rule:
    def reduce(on: Reading, x: Any, dim: Any = None, keepdim: bool = False, **_: Any) -> Any:
        x = number(on, x)
        axes = range(x.ndim) if dim is None or dim == [] else [dim] if isinstance(dim, int) else dim
        count = 1
        for axis in sorted((axis % x.ndim for axis in axes), reverse=True):
            count *= x.shape[axis]
            x = on.ops.sum(x, axis=axis, keepdims=keepdim)
        return x / float(count) if mean and count != 1 else x

    return reduce


RULES["sum"], RULES["mean"] = _over(mean=False), _over(mean=True)


def _largest(sign: int) -> Rule:
    def reduce(on: Reading, x: Any, dim: Any = (), keepdim: bool = False) -> Any:
        x = sign * number(on, x)
        axes = range(x.ndim) if not dim and dim != 0 else [dim] if isinstance(dim, int) else dim
        for axis in sorted((axis % x.ndim for axis in axes), reverse=True):
            x = on.ops.max(x, axis=axis, keepdims=keepdim)
        return sign * x

    return reduce


RULES["amax"], RULES["amin"] = _largest(1), _largest(-1)


@rule("getitem")
def _getitem(on: Reading, x: Any, index: int) -> Any:
    return x[index]


@rule("view", "reshape", "_unsafe_view", "view_copy")
def _view(on: Reading, x: Any, shape: Any) -> Any:
    return on.array(x).reshape(tuple(shape))


@rule("unsqueeze", "unsqueeze_copy")
def _unsqueeze(on: Reading, x: Any, dim: int) -> Any:
    return on.ops.expand_dims(on.array(x), axis=dim)


@rule("squeeze", "squeeze_copy")
def _squeeze(on: Reading, x: Any, dim: Any = None) -> Any:
    x = on.array(x)
    axes = range(x.ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    keep = [length for axis, length in enumerate(x.shape) if length != 1 or axis not in {a % x.ndim for a in axes}]
    return x.reshape(tuple(keep))


@rule("expand", "expand_copy")
def _expand(on: Reading, x: Any, shape: Any, **_: Any) -> Any:
    x = on.array(x)
    own = (1,) * (len(shape) - x.ndim) + x.shape
    target = tuple(length if wanted == -1 else wanted for wanted, length in zip(shape, own, strict=True))
    return np.broadcast_to(np.asarray(x), target).view(type(on.like))


@rule("permute", "permute_copy")
def _permute(on: Reading, x: Any, dims: Any) -> Any:
    return np.transpose(on.array(x), dims)
