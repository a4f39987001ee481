"""The gradient of a loss of rows, from the root down, and of its Hessian the diagonal."""

from lossmith.forging.differentiate import LONGEST, length, slope, slope_in, too_long
from lossmith.forging.rows import SPREAD, is_row, total
from lossmith.forging.tree import (
    CLASSES,
    ONE,
    TARGET,
    ZERO,
    Call,
    Name,
    Node,
    Number,
    add,
    call,
    div,
    is_array,
    mul,
    replace,
    sub,
    walk,
)


def gradient(root: Node, by: Name, target: str) -> Node:
    """The derivative of the number of a row by each entry of `by`, from the root down; `target` is its kind."""
    reached: dict[Node, Node] = {root: ONE}
    lengths: dict[Node, int] = {}
    for node in reversed(list(walk(root))):
        if node not in reached or not isinstance(node, Call):
            continue
        for arg, share in _shares(node, reached[node]):
            reached[arg] = add(reached[arg], share) if arg in reached else share
            if length(reached[arg], lengths) > LONGEST:
                raise too_long()
    found = reached.get(by, ZERO)
    found = found if is_row(found) or not is_array(found) else Call(SPREAD, (found,))
    return replace(found, {Call("sum", (TARGET,)): ONE}) if target == "index" else found


def _shares(node: Call, above: Node) -> list[tuple[Node, Node]]:
    """What each argument contributes, where a unit of the node is worth `above`."""
    x = node.args[0]
    if node.word == "sum":
        return [(x, above)]
    if node.word == "mean":
        return [(x, div(above, CLASSES))]
    if node.word == "logsumexp":
        return [(x, mul(above, call("softmax", x)))]
    if node.word == "log_softmax":
        return [(x, sub(above, mul(call("softmax", x), total(above))))]
    if node.word == "softmax":
        return [(x, mul(node, sub(above, total(mul(node, above)))))]
    made: list[tuple[Node, Node]] = []
    for arg in dict.fromkeys(node.args):
        rise = slope_in(node, arg)
        if rise != ZERO and not isinstance(arg, Number):
            share = mul(above, rise)
            made.append((arg, total(share) if is_row(node) and not is_row(arg) else share))
    return made


def diagonal(root: Node, by: Name, target: str) -> Node:
    """The derivative of each entry of a row by the same entry of `by`: of a gradient, the diagonal of the Hessian."""
    slopes: dict[Node, Node] = {}
    lengths: dict[Node, int] = {}
    for node in walk(root):
        if not is_row(node):
            slopes[node] = gradient(node, by, target) if by in walk(node) else ZERO
        elif isinstance(node, Call) and node.word == SPREAD:
            slopes[node] = slopes[node.args[0]]
        elif isinstance(node, Call) and node.word in ("softmax", "log_softmax"):
            x = node.args[0]
            rise = sub(slopes[x], gradient(Call("logsumexp", (x,)), by, target))
            slopes[node] = rise if node.word == "log_softmax" else mul(node, rise)
        else:
            slopes[node] = slope(node, by, slopes)
        if length(slopes[node], lengths) > LONGEST:
            raise too_long()
    return slopes[root]
