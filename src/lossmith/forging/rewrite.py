"""Forms that lose their digits or overflow, and the forms that take their place.

Each line of the table is mathematics that holds wherever the left side has a value; `measure.py` says what it was
worth on the inputs at hand. The table is tried from the top of the tree down, the longest form first.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from lossmith.forging.bounds import Bounds
from lossmith.forging.guard import guarded
from lossmith.forging.parse import parse_form
from lossmith.forging.tree import Call, Name, Node, Number, call, is_array, neg

HOLES = ("x", "y")
Bound = Mapping[str, Node]
Condition = Callable[[Bound, Bounds], bool]


def _may_vanish(bound: Bound, bounds: Bounds) -> bool:
    """x can be 0 where y is at the end of its logarithm: 0 * inf."""
    low, high = bounds.of(bound["x"])
    return low <= 0 <= high and is_array(bound["y"]) and not bounds.above(bound["y"], 0.0)


def _never_zero(bound: Bound, bounds: Bounds) -> bool:
    low, high = bounds.of(bound["y"])
    return (low > 0 or high < 0) and not is_array(bound["y"])


def _moves(bound: Bound, _: Bounds) -> bool:
    return is_array(bound["x"])


# First of all: words that stand for a whole form, whose slopes are stable words again.
_WORDS: tuple[tuple[str, str, Condition], ...] = (
    ("log(sigmoid(x))", "log_sigmoid(x)", _moves),
    ("log(1 - sigmoid(x))", "log_sigmoid(-x)", _moves),
    ("log(1 / (1 + exp(x)))", "log_sigmoid(-x)", _moves),
    ("log(1 + exp(x))", "softplus(x)", _moves),
    ("log1p(exp(x))", "softplus(x)", _moves),
    ("log(exp(x) + exp(y))", "logaddexp(x, y)", _moves),
    ("log(exp(x))", "x", _moves),
    ("log(cosh(x))", "log_cosh(x)", _moves),
    ("1 / (1 + exp(x))", "sigmoid(-x)", _moves),
    ("exp(x) / (1 + exp(x))", "sigmoid(x)", _moves),
    ("1 - sigmoid(x)", "sigmoid(-x)", _moves),
    ("sqrt(square(x))", "abs(x)", _moves),
    ("log(sum(exp(x)))", "logsumexp(x)", _moves),
    ("exp(x) / sum(exp(x))", "softmax(x)", _moves),
    ("log(softmax(x))", "log_softmax(x)", _moves),
    ("x - logsumexp(x)", "log_softmax(x)", _moves),
)
_LOGARITHMS: tuple[tuple[str, str, Condition], ...] = (
    ("x * log(x)", "xlogy(x, x)", _moves),
    ("x * log(y)", "xlogy(x, y)", _may_vanish),
    ("xlogy(x, 1 - y)", "xlog1py(x, -y)", _moves),
    ("xlogy(x, 1 + y)", "xlog1py(x, y)", _moves),
    ("log(1 - x)", "log1p(-x)", _moves),
    ("log(1 + x)", "log1p(x)", _moves),
)
# Last: sums that cancel. Their slopes are those of the plain form, so a derivative is taken before and treated alike.
_SUMS: tuple[tuple[str, str, Condition], ...] = (
    ("1 - exp(x)", "-expm1(x)", _moves),
    ("exp(x) - 1", "expm1(x)", _moves),
    ("exp(x) - y - 1", "expm1(x) - y", _moves),
    ("sqrt(1 + square(x)) - 1", "x * (x / (1 + hypot(1, x)))", _moves),
    ("sqrt(1 + square(x))", "hypot(1, x)", _moves),
    ("sqrt(square(x) + square(y))", "hypot(x, y)", _never_zero),
)


@dataclass(frozen=True)
class Rule:
    """A dangerous form and its replacement, with holes x and y."""

    before: Node
    after: Node
    holds: Condition


def _rules(table: tuple[tuple[str, str, Condition], ...]) -> tuple[Rule, ...]:
    return tuple(Rule(parse_form(before, HOLES), parse_form(after, HOLES), holds) for before, after, holds in table)


WORDS, LOGARITHMS, SUMS = _rules(_WORDS), _rules(_LOGARITHMS), _rules(_SUMS)


@dataclass(frozen=True)
class Rewrite:
    """One form that was exchanged. `bound` says what stood in the holes; a guard has none."""

    before: Node
    after: Node
    bound: Bound
    reason: str = ""


def in_stable_words(root: Node, bounds: Bounds) -> tuple[Node, list[Rewrite]]:
    """The tree in words that keep their digits: what a derivative is taken of."""
    done: list[Rewrite] = []
    for rules in (WORDS, LOGARITHMS):
        root = _descend(root, rules, bounds, done)
    return root, _once(done)


def finished(root: Node, bounds: Bounds) -> tuple[Node, list[Rewrite]]:
    """The tree, or a derivative of it, as it is computed: cancelling sums exchanged, roots and branches guarded."""
    done: list[Rewrite] = []
    root = _descend(root, SUMS, bounds, done)
    root, guards = guarded(root, bounds)
    done += [Rewrite(before, after, {}, reason) for before, after, reason in guards]
    return root, _once(done)


def _once(done: list[Rewrite]) -> list[Rewrite]:
    return list({(one.before, one.after): one for one in done}.values())


def _descend(node: Node, rules: tuple[Rule, ...], bounds: Bounds, done: list[Rewrite]) -> Node:
    node = _exchange(node, rules, bounds, done)
    if not isinstance(node, Call):
        return node
    made = call(node.word, *(_descend(arg, rules, bounds, done) for arg in node.args))
    again = _exchange(made, rules, bounds, done)
    return made if again == made else _descend(again, rules, bounds, done)


def _exchange(node: Node, rules: tuple[Rule, ...], bounds: Bounds, done: list[Rewrite]) -> Node:
    for rule in rules:
        for bound in _matches(rule.before, node, {}):
            if rule.holds(bound, bounds):
                done.append(Rewrite(rule.before, rule.after, bound))
                return _filled(rule.after, bound)
    return node


def _matches(form: Node, node: Node, bound: Bound) -> Iterator[Bound]:
    """Every way in which a node has a form; sums and products in either order."""
    if isinstance(form, Name):
        if bound.get(form.name, node) == node:
            yield {**bound, form.name: node}
    elif isinstance(form, Number):
        if form == node:
            yield bound
    elif isinstance(node, Call) and node.word == form.word:
        orders = [node.args]
        if form.word in ("add", "mul"):
            orders.append(node.args[::-1])
        for order in orders:
            found = [bound]
            for part, arg in zip(form.args, order, strict=True):
                found = [more for one in found for more in _matches(part, arg, one)]
            yield from found


def _filled(form: Node, bound: Bound) -> Node:
    if isinstance(form, Name):
        return bound[form.name]
    if isinstance(form, Number):
        return form
    if form.word == "neg":
        return neg(_filled(form.args[0], bound))
    return call(form.word, *(_filled(arg, bound) for arg in form.args))
