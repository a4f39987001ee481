"""Rows of classes: which words go along them, and what has an entry for each.

    -sum(target * log_softmax(pred))

A row of predictions and a row of the target give one number. The row of a label is 1 there and 0 elsewhere.
"""

from collections.abc import Collection

from lossmith.forging.tree import (
    ARRAYS,
    CLASSES,
    ONE,
    TARGET,
    Call,
    Name,
    Node,
    args_of,
    call,
    div,
    mul,
    neg,
    replace,
    walk,
)

# Of a row one number; "pick" is the entry at the label, "flat" and "..._flat" are without the axis of the classes.
REDUCE = ("sum", "mean", "logsumexp", "pick", "flat", "sum_flat", "mean_flat", "logsumexp_flat", "pick_flat")
ALONG = (*REDUCE, "softmax", "log_softmax")
SPREAD = "spread"  # one number of a row, as a row of equal ones


def is_of_rows(*roots: Node) -> bool:
    """Whether trees have a word along the classes: pred and target are rows then, and the value one number of each."""
    return any(isinstance(node, Call) and node.word in ALONG for node in walk(*roots))


def is_row(root: Node, rows: Collection[str] = ARRAYS) -> bool:
    """Whether a node of a loss of rows has an entry for each class; `rows` are the names of what is given by row."""
    found: dict[Node, bool] = {}
    for node in walk(root):
        reduced = isinstance(node, Call) and node.word in REDUCE
        named = node.name in rows if isinstance(node, Name) else isinstance(node, Call) and node.word == SPREAD
        found[node] = not reduced and (named or any(found[arg] for arg in args_of(node)))
    return found[root]


def total(x: Node) -> Node:
    """The sum of a row, with what is no row moved out of it."""
    if not is_row(x):
        return x.args[0] if isinstance(x, Call) and x.word == "div" and x.args[1] == CLASSES else mul(CLASSES, x)
    if isinstance(x, Call) and x.word in ("add", "sub") and any(map(_is_simple, x.args)):
        return call(x.word, *map(total, x.args))
    if isinstance(x, Call) and x.word == "neg":
        return neg(total(x.args[0]))
    if isinstance(x, Call) and x.word == "mul":
        for one, other in (x.args, x.args[::-1]):
            if not is_row(one):
                return mul(one, total(other))
    if isinstance(x, Call) and x.word == "div" and not is_row(x.args[1]):
        return div(total(x.args[0]), x.args[1])
    return Call("sum", (x,))


def _is_simple(x: Node) -> bool:
    """Whether the sum of a row is a plain number: of what is no row, or of a multiple of the target."""
    found = total(x) if not isinstance(x, Call) or x.word not in ("add", "sub") else None
    return found is not None and not (is_of_rows(replace(found, {Call("sum", (TARGET,)): ONE})))
