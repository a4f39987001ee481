"""The forms that code has for a loss of rows: a label is looked up, and the axis of the classes goes where it can."""

from lossmith.forging.rows import REDUCE, is_of_rows, is_row
from lossmith.forging.tree import ONE, TARGET, Call, Node, call, div, mul, neg, replace, walk
from lossmith.forging.words import TRUTHS


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
    """The tree with the axis of the classes gone: in its last sums where only arithmetic follows them, else at the end.

    Inside, what is one number for a row keeps an axis of length 1, so that it meets each entry.
    """
    if not is_of_rows(root) or is_row(root):
        return root
    last: set[Call] = set()
    if _is_flat(root, last):  # what stands inside of one of these stays as it is
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
