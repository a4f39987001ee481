"""Guards: a square root whose slope at 0 is infinite, and branches that are computed although they are not taken.

`where(c, a, b)` computes and differentiates both branches, and 0 times an infinite slope is NaN. What would be
outside the domain of a word in the branch that is not taken is moved inside: log(u) becomes log(where(c, u, 1)).
"""

from lossmith.forging.bounds import Bounds
from lossmith.forging.tree import ONE, ZERO, Call, Node, Number, call, is_array, where

Guard = tuple[Node, Node, str]
SQRT = "the slope of the root at 0 is infinite; it is taken as 0"
BRANCH = "computed where it is not taken, and 0 * inf is NaN in the gradient"
EXP_MAX = 80.0  # float32 holds e^88
# The argument that has to stay inside, a number that surely is, and what is already safe.
_INSIDE = {
    "log": (0, ONE, lambda low, high: low > 0),
    "sqrt": (0, ONE, lambda low, high: low > 0),
    "log1p": (0, ZERO, lambda low, high: low > -1),
    "div": (1, ONE, lambda low, high: low > 0 or high < 0),
    "pow": (0, ONE, lambda low, high: low > 0),
    "exp": (0, ZERO, lambda low, high: high <= EXP_MAX),
    "expm1": (0, ZERO, lambda low, high: high <= EXP_MAX),
    "cosh": (0, ZERO, lambda low, high: max(-low, high) <= EXP_MAX),
    "sinh": (0, ZERO, lambda low, high: max(-low, high) <= EXP_MAX),
}


def guarded(root: Node, bounds: Bounds) -> tuple[Node, list[Guard]]:
    """The tree with its guards, and what was guarded."""
    done: list[Guard] = []
    return _guard(root, bounds, done), done


def _guard(node: Node, bounds: Bounds, done: list[Guard]) -> Node:
    if not isinstance(node, Call):
        return node
    args = [_guard(arg, bounds, done) for arg in node.args]
    if node.word == "where":
        condition, yes, no = args
        return where(
            condition, _inside(yes, condition, True, bounds, done), _inside(no, condition, False, bounds, done)
        )
    made = call(node.word, *args)
    if node.word == "sqrt" and is_array(made) and not bounds.above(args[0], 0.0):
        zero = Call("eq", (args[0], ZERO))
        safe = where(zero, ZERO, Call("sqrt", (where(zero, ONE, args[0]),)))
        done.append((made, safe, SQRT))
        return safe
    return made


def _inside(node: Node, condition: Node, taken: bool, bounds: Bounds, done: list[Guard]) -> Node:
    """A branch whose dangerous arguments are exchanged where it is not taken."""
    if not isinstance(node, Call) or node.word == "where":  # an inner branch has its own guard
        return node
    args = [_inside(arg, condition, taken, bounds, done) for arg in node.args]
    if node.word in _INSIDE:
        place, safe, holds = _INSIDE[node.word]
        if is_array(args[place]) and not _harmless_power(node) and not holds(*bounds.of(node.args[place])):
            moved = where(condition, args[place], safe) if taken else where(condition, safe, args[place])
            after = call(node.word, *(moved if index == place else arg for index, arg in enumerate(args)))
            done.append((node, after, BRANCH))
            return after
    return call(node.word, *args)


def _harmless_power(node: Call) -> bool:
    exponent = node.args[-1]
    return node.word == "pow" and isinstance(exponent, Number) and exponent.value >= 1 and exponent.value % 1 == 0
