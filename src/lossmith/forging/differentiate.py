"""The derivative of a tree, as a tree.

`prove.derive` gives a derivative to read: it splits by region, simplifies, and may take its time or give up. Code
needs another one: total, in one expression for all regions, made of stable words (the slope of softplus is sigmoid,
not e^x / (1 + e^x)), and itself differentiable. The table below is small because the list of words is closed.

At a kink the slope is that of one side: abs has 0 at 0, minimum and maximum the slope of their second argument where
both are equal, `where` that of the branch it takes.
"""

from lossmith.errors import SettingError, message
from lossmith.forging.tree import (
    ONE,
    PRED,
    TWO,
    ZERO,
    Call,
    Name,
    Node,
    Number,
    add,
    args_of,
    call,
    div,
    equal,
    mul,
    neg,
    power,
    sub,
    walk,
    where,
)
from lossmith.forging.words import TRUTHS

HALF = Number(0.5)
LONGEST = 1500  # parts of a derivative; the second one of the focal loss has a quarter of them


def derivative(root: Node, by: Name) -> Node:
    """d root / d by."""
    slopes: dict[Node, Node] = {}
    lengths: dict[Node, int] = {}
    for node in walk(root):
        slopes[node] = slope(node, by, slopes)
        if length(slopes[node], lengths) > LONGEST:
            raise too_long()
    return slopes[root]


def slope_in(node: Call, arg: Node) -> Node:
    """d node / d arg, of one word."""
    return slope(node, PRED, {one: ONE if one == arg else ZERO for one in node.args})


def too_long() -> SettingError:
    return SettingError(
        message(
            "the derivative of this expression is too long to be written",
            {"parts": f"more than {LONGEST}"},
            why="each level of nesting multiplies it",
            fix="a simpler expression",
        )
    )


def length(root: Node, known: dict[Node, int]) -> int:
    """How many parts a tree has when it is written out, shared ones counted each time."""
    for node in walk(root):
        if node not in known:
            known[node] = 1 + sum(known[arg] for arg in args_of(node))
    return known[root]


def slope(node: Node, by: Name, slopes: dict[Node, Node]) -> Node:
    """d node / d by, with the slopes of its arguments."""
    if not isinstance(node, Call):
        return ONE if node == by else ZERO
    if node.word in TRUTHS:
        return ZERO
    inner = [slopes[arg] for arg in node.args]
    if all(slope == ZERO for slope in inner):
        return ZERO
    if node.word == "where":
        return where(node.args[0], inner[1], inner[2])
    if node.word == "pow" and inner[1] == ZERO and _is_sigmoid(node.args[0]) and args_of(node.args[0])[0] in slopes:
        # p^c has slope c p^c (1 - p), which p^(c - 1) p (1 - p) is not where p rounds to 0
        (x,) = args_of(node.args[0])
        return mul(mul(node.args[1], mul(node, call("sigmoid", neg(x)))), slopes[x])
    if len(node.args) == 1:
        return mul(_unary(node.word, node.args[0]), inner[0])
    return _binary(node, inner)


def _is_sigmoid(node: Node) -> bool:
    return isinstance(node, Call) and node.word == "sigmoid"


def _unary(word: str, x: Node) -> Node:
    """The slope of a word of one argument."""
    if word == "neg":
        return Number(-1.0)
    if word in ("exp", "expm1"):
        return call("exp", x)
    if word == "log":
        return div(ONE, x)
    if word == "log1p":
        return div(ONE, add(ONE, x))
    if word == "sqrt":
        return div(HALF, call("sqrt", x))
    if word == "square":
        return mul(TWO, x)
    if word == "sigmoid":
        first = x.args[0] if isinstance(x, Call) and x.word == "neg" else x
        return mul(call("sigmoid", first), call("sigmoid", neg(first)))
    if word == "log_sigmoid":
        return call("sigmoid", neg(x))
    if word == "tanh":  # 1 - tanh^2, which keeps its digits where tanh rounds to 1
        return mul(Number(4.0), mul(call("sigmoid", mul(TWO, x)), call("sigmoid", neg(mul(TWO, x)))))
    if word == "arctan":
        return div(ONE, add(ONE, call("square", x)))
    if word == "sign":
        return ZERO
    return call(
        {"abs": "sign", "softplus": "sigmoid", "cosh": "sinh", "sinh": "cosh", "log_cosh": "tanh"}[word],
        x,
    )


def _binary(node: Call, inner: list[Node]) -> Node:
    (x, y), (dx, dy) = node.args, inner
    word = node.word
    if word == "add":
        return add(dx, dy)
    if word == "sub":
        return sub(dx, dy)
    if word == "mul":
        return add(mul(dx, y), mul(x, dy))
    if word == "div":
        if dy == ZERO:
            return div(dx, y)
        return sub(div(dx, y), mul(div(div(x, y), y), dy))
    if word == "pow":
        if dy == ZERO:
            return mul(mul(y, power(x, sub(y, ONE))), dx)
        return mul(node, add(mul(dy, call("log", x)), mul(div(y, x), dx)))
    if word == "minimum":
        return where(Call("lt", (x, y)), dx, dy)
    if word == "maximum":
        return where(Call("gt", (x, y)), dx, dy)
    if word == "logaddexp":
        return add(mul(call("sigmoid", sub(x, y)), dx), mul(call("sigmoid", sub(y, x)), dy))
    if word == "hypot":
        return add(mul(div(x, node), dx), mul(div(y, node), dy))
    return _of_logarithm(node, dx, dy)


def _of_logarithm(node: Call, dx: Node, dy: Node) -> Node:
    """The slope of x log y or x log(1 + y), which is 0 in y where x is 0, even where the logarithm ends."""
    x, y = node.args
    end, inside = (ZERO, ONE) if node.word == "xlogy" else (Number(-1.0), ZERO)
    kept = where(Call("and", (equal(x, ZERO), equal(y, end))), inside, y)
    by_y = mul(div(x, kept if node.word == "xlogy" else add(ONE, kept)), dy)
    if dx == ZERO:
        return by_y
    return add(mul(call("log" if node.word == "xlogy" else "log1p", kept), dx), by_y)
