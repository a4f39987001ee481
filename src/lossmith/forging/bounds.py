"""Where a tree's values can lie: intervals, followed from the inputs to the root.

They decide which square roots, logarithms and branches need a guard, and what a docstring may say of the range. A
bound may be wider than the truth, never narrower but for rounding. A parameter is known by its sign.
"""

import math
from collections.abc import Callable, Mapping
from math import inf

from lossmith.domains import KINDS
from lossmith.forging.tree import CLASSES, CONSTANTS, Call, Name, Node, Number, walk

Interval = tuple[float, float]
ANY: Interval = (-inf, inf)
ABOVE = math.nextafter(0.0, 1.0)  # the least that is above 0


class Bounds:
    """The intervals of every node of some trees."""

    def __init__(self, kinds: tuple[str, str], params: Mapping[str, float]) -> None:
        self.inputs: dict[str, Interval] = {name: (value, value) for name, value in CONSTANTS.items()}
        for name, kind in zip(("pred", "target"), kinds, strict=True):
            self.inputs[name] = (ABOVE if kind == "positive" else KINDS[kind].low, KINDS[kind].high)
            if kind == "index":  # a label is its row of 0 and 1
                self.inputs[name] = (0.0, 1.0)
        self.inputs[CLASSES.name] = (1.0, inf)
        for name, value in params.items():
            self.inputs[name] = (ABOVE, inf) if value > 0 else (-inf, -ABOVE) if value < 0 else ANY
        self._known: dict[Node, Interval] = {}

    def of(self, root: Node) -> Interval:
        for node in walk(root):
            if node not in self._known:
                found = self._find(node)
                self._known[node] = ANY if math.isnan(found[0]) or math.isnan(found[1]) else found
        return self._known[root]

    def above(self, node: Node, low: float) -> bool:
        """Whether a node is surely above a number."""
        return self.of(node)[0] > low

    def _find(self, node: Node) -> Interval:
        if isinstance(node, Number):
            return node.value, node.value
        if isinstance(node, Name):
            return self.inputs.get(node.name, ANY)
        return _of_call(node, [self._known[arg] for arg in node.args])


def _of_call(node: Call, given: list[Interval]) -> Interval:
    word, (low, high) = node.word, given[0]
    if word in _OF_ROWS:
        return _OF_ROWS[word]
    if word in _RISING:
        return _RISING[word](low), _RISING[word](high)
    if word in ("square", "abs", "cosh", "log_cosh"):
        ends = sorted(_EVEN[word](end) for end in (low, high))
        return (_EVEN[word](0.0) if low <= 0 <= high else ends[0]), ends[1]
    if word == "neg":
        return -high, -low
    if word == "sum":
        return (low if low >= 0 else -inf), (high if high <= 0 else inf)
    if word == "sign":
        return (-1.0 if low < 0 else 0.0 if low == 0 else 1.0), (1.0 if high > 0 else 0.0 if high == 0 else -1.0)
    if word == "where":
        return min(given[1][0], given[2][0]), max(given[1][1], given[2][1])
    if word == "pow":
        return _power(node, given)
    return _BINARY[word](*given) if word in _BINARY else ANY


def _power(node: Call, given: list[Interval]) -> Interval:
    (low, high), exponent = given[0], node.args[1]
    if isinstance(exponent, Number) and exponent.value % 2 == 0:
        return 0.0, inf
    if low < 0:
        return ANY
    return (0.0, 1.0) if high <= 1 and given[1][0] >= 0 else (0.0, inf)


_OF_ROWS: dict[str, Interval] = {"softmax": (0.0, 1.0), "log_softmax": (-inf, 0.0), "logsumexp": ANY}


def _exp(x: float) -> float:
    return math.exp(x) if x < 700 else inf


def _log(x: float) -> float:
    return -inf if x <= ABOVE else math.log(x)


def _sigmoid(x: float) -> float:
    return 1 / (1 + _exp(-x))


# A limit that is not reached is rounded outwards; softplus and exp stay above 0.
_RISING: dict[str, Callable[[float], float]] = {
    "exp": lambda x: max(_exp(x), ABOVE),
    "expm1": lambda x: _exp(x) - 1,
    "log": _log,
    "log1p": lambda x: _log(1 + x),
    "sqrt": lambda x: math.sqrt(max(x, 0.0)),
    "softplus": lambda x: max(_log(1 + _exp(x)), ABOVE),
    "sigmoid": _sigmoid,
    "log_sigmoid": lambda x: -_log(1 + _exp(-x)),
    "tanh": math.tanh,
    "sinh": lambda x: x if abs(x) == inf else (_exp(x) - _exp(-x)) / 2,
    "arctan": math.atan,
    "mean": lambda x: x,
    "pick": lambda x: x,
}
_EVEN: dict[str, Callable[[float], float]] = {
    "square": lambda x: max(x * x, ABOVE) if x else 0.0,
    "abs": abs,
    "cosh": lambda x: (_exp(x) + _exp(-x)) / 2,
    "log_cosh": lambda x: max(abs(x) - 0.7, 0.0),
}


def _product(x: Interval, y: Interval) -> Interval:
    ends = [0.0 if a == 0 or b == 0 else a * b or math.copysign(ABOVE, a) * math.copysign(1, b) for a in x for b in y]
    return min(ends), max(ends)


def _quotient(x: Interval, y: Interval) -> Interval:
    if y[0] <= 0 <= y[1]:
        return ANY
    return _product(x, (0.0 if y[1] == inf else 1 / y[1], 0.0 if y[0] == -inf else inf if y[0] == ABOVE else 1 / y[0]))


_BINARY: dict[str, Callable[[Interval, Interval], Interval]] = {
    "add": lambda x, y: (x[0] + y[0], x[1] + y[1]),
    "sub": lambda x, y: (x[0] - y[1], x[1] - y[0]),
    "mul": _product,
    "div": _quotient,
    "minimum": lambda x, y: (min(x[0], y[0]), min(x[1], y[1])),
    "maximum": lambda x, y: (max(x[0], y[0]), max(x[1], y[1])),
    "hypot": lambda x, y: (max(_least(x), _least(y)), inf),
    "logaddexp": lambda x, y: (max(x[0], y[0]), inf),
}


def _least(x: Interval) -> float:
    return 0.0 if x[0] <= 0 <= x[1] else min(abs(x[0]), abs(x[1]))
