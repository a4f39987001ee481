"""An expression as a tree, and constructors that write it in its shortest form.

Three kinds of node: a number, a name (`pred`, `target`, a parameter, `pi`, `e`), and a word applied to nodes. The
constructors fold numbers and drop what does nothing (x + 0, 1 * x, --x); they never change a value.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

ARRAYS = ("pred", "target")
CONSTANTS = {"pi": math.pi, "e": math.e}


@dataclass(frozen=True)
class Number:
    value: float


@dataclass(frozen=True)
class Name:
    name: str


@dataclass(frozen=True)
class Call:
    word: str
    args: tuple["Node", ...]
    _hash: int = field(default=0, compare=False, repr=False)  # a derivative shares its parts: they are hashed once

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.word, self.args)))

    def __hash__(self) -> int:
        return self._hash


Node = Number | Name | Call
ZERO, ONE, TWO = Number(0.0), Number(1.0), Number(2.0)
PRED, TARGET = Name("pred"), Name("target")
CLASSES = Name("classes")  # how many entries a row has


def walk(*roots: Node) -> Iterator[Node]:
    """Every different node below the roots, each once, children before parents."""
    seen: set[Node] = set()
    stack: list[tuple[Node, bool]] = [(root, False) for root in reversed(roots)]
    while stack:
        node, done = stack.pop()
        if done:
            yield node
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack += [(arg, False) for arg in reversed(args_of(node))]


def args_of(node: Node) -> tuple[Node, ...]:
    return node.args if isinstance(node, Call) else ()


def names_in(*roots: Node) -> set[str]:
    return {node.name for node in walk(*roots) if isinstance(node, Name)}


def is_array(node: Node) -> bool:
    """Whether a node has an entry for each prediction; otherwise it is one number for all."""
    return bool(names_in(node) & set(ARRAYS))


def replace(node: Node, by: Mapping[Node, Node]) -> Node:
    """The tree with nodes exchanged; the result is put together by the constructors."""
    made: dict[Node, Node] = {}
    for one in walk(node):
        if one in by:
            made[one] = by[one]
        elif isinstance(one, Call):
            made[one] = call(one.word, *(made[arg] for arg in one.args))
        else:
            made[one] = one
    return made[node]


def call(word: str, *args: Node) -> Node:
    """A word applied to nodes, in its shortest form."""
    short = _SHORT.get(word)
    return short(*args) if short is not None else Call(word, args)


def add(x: Node, y: Node) -> Node:
    if isinstance(x, Number) and isinstance(y, Number):
        return Number(x.value + y.value)
    if x == ZERO:
        return y
    if y == ZERO:
        return x
    if isinstance(x, Call) and x.word == "sub" and x.args[1] == y:
        return x.args[0]
    if isinstance(y, Call) and y.word == "neg":
        return sub(x, y.args[0])
    if isinstance(x, Call) and x.word == "neg":
        return sub(y, x.args[0])
    if isinstance(y, Number) and y.value < 0:
        return sub(x, Number(-y.value))
    if isinstance(y, Number) and isinstance(x, Call) and x.word in ("add", "sub") and isinstance(x.args[1], Number):
        return add(x.args[0], Number(y.value + x.args[1].value * (1 if x.word == "add" else -1)))
    return Call("add", (x, y))


def sub(x: Node, y: Node) -> Node:
    if isinstance(x, Number) and isinstance(y, Number):
        return Number(x.value - y.value)
    if x == y:
        return ZERO
    if y == ZERO:
        return x
    if x == ZERO:
        return neg(y)
    if isinstance(x, Call) and x.word == "sub" and x.args[0] == y:
        return neg(x.args[1])
    if isinstance(y, Call) and y.word == "neg":
        return add(x, y.args[0])
    if isinstance(y, Number) and y.value < 0:
        return add(x, Number(-y.value))
    if isinstance(y, Number) and isinstance(x, Call) and x.word in ("add", "sub") and isinstance(x.args[1], Number):
        return add(x.args[0], Number(x.args[1].value * (1 if x.word == "add" else -1) - y.value))
    return Call("sub", (x, y))


def mul(x: Node, y: Node) -> Node:
    if isinstance(x, Number) and isinstance(y, Number):
        return Number(x.value * y.value)
    if isinstance(y, Number):
        x, y = y, x
    if x == ZERO:
        return ZERO
    if x == ONE:
        return y
    if isinstance(x, Call) and x.word == "neg":
        return neg(mul(x.args[0], y))
    if isinstance(y, Call) and y.word == "neg":
        return neg(mul(x, y.args[0]))
    if isinstance(y, Call) and y.word == "mul" and isinstance(y.args[0], Number):
        return mul(mul(x, y.args[0]), y.args[1])
    if isinstance(x, Call) and x.word == "mul" and isinstance(x.args[0], Number):
        return mul(x.args[0], mul(x.args[1], y))
    for one, other in ((x, y), (y, x)):
        if isinstance(one, Call) and one.word == "div" and isinstance(one.args[0], Number):
            return div(mul(one.args[0], other), one.args[1])
    if isinstance(x, Number) and x.value < 0:
        turned = _turned(y)
        if turned is not None:
            return mul(Number(-x.value), turned)
        if x.value == -1:
            return Call("neg", (y,))
    return Call("mul", (x, y))


def div(x: Node, y: Node) -> Node:
    if isinstance(x, Number) and isinstance(y, Number) and y.value:
        return Number(x.value / y.value)
    if x == ZERO:
        return ZERO
    if y == ONE:
        return x
    if x == y:
        return ONE
    if isinstance(x, Call) and x.word == "neg":
        return neg(div(x.args[0], y))
    if isinstance(y, Call) and y.word == "neg":
        return neg(div(x, y.args[0]))
    return Call("div", (x, y))


def neg(x: Node) -> Node:
    if isinstance(x, Number):
        return Number(0.0 - x.value)
    turned = _turned(x)
    return Call("neg", (x,)) if turned is None else turned


def _turned(x: Node) -> Node | None:
    """-x where it can be written without a sign of its own."""
    if isinstance(x, Number):
        return Number(0.0 - x.value)
    if not isinstance(x, Call):
        return None
    if x.word == "neg":
        return x.args[0]
    if x.word == "sub":
        return sub(x.args[1], x.args[0])
    if x.word == "mul":
        first = _turned(x.args[0])
        if first is not None:
            return mul(first, x.args[1])
        second = _turned(x.args[1])
        return None if second is None else mul(x.args[0], second)
    if x.word == "where":
        yes, no = _turned(x.args[1]), _turned(x.args[2])
        return None if yes is None or no is None else where(x.args[0], yes, no)
    return None


def power(x: Node, y: Node) -> Node:
    if y == ZERO:
        return ONE
    if y == ONE:
        return x
    if isinstance(x, Number) and isinstance(y, Number):
        return Number(float(x.value**y.value))
    if y == TWO:
        return square(x)
    if y == Number(0.5):
        return Call("sqrt", (x,))
    return Call("pow", (x, y))


def square(x: Node) -> Node:
    return Number(x.value * x.value) if isinstance(x, Number) else Call("square", (_without_sign(x),))


def where(condition: Node, x: Node, y: Node) -> Node:
    if x == y:
        return x
    signed = [isinstance(side, Call) and side.word == "neg" for side in (x, y)]
    if any(signed) and all(sign or side == ZERO for sign, side in zip(signed, (x, y), strict=True)):
        return Call("neg", (Call("where", (condition, neg(x), neg(y))),))
    return Call("where", (condition, x, y))


def equal(x: Node, y: Node) -> Node:
    """A comparison with a number, where it can be: 1 - x == 0 is x == 1."""
    if isinstance(y, Number) and isinstance(x, Call):
        if x.word == "neg":
            return equal(x.args[0], neg(y))
        if x.word == "sub" and isinstance(x.args[0], Number):
            return equal(x.args[1], sub(x.args[0], y))
    return Call("eq", (x, y))


def _number_last(word: str, x: Node, y: Node) -> Node:
    return Call(word, (y, x) if isinstance(x, Number) else (x, y))


def _without_sign(x: Node) -> Node:
    return x.args[0] if isinstance(x, Call) and x.word == "neg" else x


_SHORT = {
    "add": add,
    "sub": sub,
    "mul": mul,
    "div": div,
    "neg": neg,
    "pow": power,
    "square": square,
    "where": where,
    "eq": equal,
    "minimum": lambda x, y: _number_last("minimum", x, y),
    "maximum": lambda x, y: _number_last("maximum", x, y),
    "abs": lambda x: Call("abs", (_without_sign(x),)),
}
