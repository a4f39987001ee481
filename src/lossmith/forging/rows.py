"""Losses of rows of classes: their gradient, and the forms that code has for them.

    -sum(target * log_softmax(pred))

A row of predictions and a row of the target give one number. Where the target is a label, `target` in an expression
is its row of 0 and 1; code looks the entry up instead, wherever the expression only sums with it.
"""

from lossmith.forging.differentiate import LONGEST, length, slope, slope_in, too_long
from lossmith.forging.tree import (
    CLASSES,
    ONE,
    REDUCE,
    SPREAD,
    TARGET,
    ZERO,
    Call,
    Name,
    Node,
    Number,
    add,
    args_of,
    call,
    div,
    is_array,
    is_of_rows,
    is_row,
    mul,
    neg,
    replace,
    sub,
    total,
    walk,
)
from lossmith.forging.words import TRUTHS


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
        slope = slope_in(node, arg)
        if slope != ZERO and not isinstance(arg, Number):
            share = mul(above, slope)
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


def coded(root: Node, by_label: bool) -> Node:
    """A tree as code computes it."""
    return flattened(looked_up(root) if by_label else root)


def looked_up(root: Node) -> Node:
    """The tree with the entry at the label in place of each sum with its row."""
    made: dict[Node, Node] = {}
    for node in walk(root):
        new = call(node.word, *(made[arg] for arg in node.args)) if isinstance(node, Call) else node
        rest = _without_target(new.args[0]) if isinstance(new, Call) and new.word == "sum" else None
        made[node] = new if rest is None else rest if not is_row(rest) else Call("pick", (rest,))
    return made[root]


def _without_target(node: Node) -> Node | None:
    """A product without its factor `target`."""
    if node == TARGET:
        return ONE
    if not isinstance(node, Call):
        return None
    if node.word == "xlogy":
        rest = _without_target(node.args[0])
        return None if rest is None else call("log", node.args[1]) if rest == ONE else call("xlogy", rest, node.args[1])
    if node.word == "mul":
        for one, other in (node.args, node.args[::-1]):
            rest = _without_target(one)
            if rest is not None:
                return mul(rest, other)
    if node.word in ("neg", "div"):
        rest = _without_target(node.args[0])
        return None if rest is None else neg(rest) if node.word == "neg" else div(rest, node.args[1])
    return None


def flattened(root: Node) -> Node:
    """The tree with the axis of the classes gone: in its last sums where nothing needs it after them, else at the end.

    Inside, what is one number for a row keeps an axis of length 1, so that it meets each entry.
    """
    if not is_of_rows(root) or is_row(root):
        return root
    last: set[Call] = set()
    if _is_flat(root, last):
        inside = [node for node in walk(root) if node not in last and not last & set(walk(node))]
        if not last & {arg for node in inside for arg in args_of(node)}:
            return replace(root, {node: Call(f"{node.word}_flat", node.args) for node in last})
    return Call("flat", (root,))


def _is_flat(node: Node, last: set[Call]) -> bool:
    if isinstance(node, Call) and node.word in REDUCE:
        last.add(node)
        return True
    if isinstance(node, Call):
        known = node.word in ("add", "sub", "mul", "div", "pow") or (len(node.args) == 1 and node.word not in TRUTHS)
        return known and all(_is_flat(arg, last) for arg in node.args)
    return not is_row(node)
