"""Trees as lines of code: what is needed twice gets a name, and no line is longer than a formatter likes.

A line that would be too long is cut at its largest part that fits, which gets a name of its own.
"""

from collections import Counter
from collections.abc import Sequence

from lossmith.forging.spell import Style, text_of
from lossmith.forging.tree import PRED, TARGET, Call, Name, Node, Number, args_of, call, is_array, walk, where

WIDTH = 88
RETURN = "return"  # in place of a name: the value is returned
_NOUNS = {
    "abs": "size",
    "square": "squared",
    "mul": "product",
    "div": "ratio",
    "add": "total",
    "sub": "difference",
    "where": "piece",
    "pow": "power",
    "minimum": "lower",
    "maximum": "upper",
    "neg": "negative",
    "lt": "is_below",
    "le": "is_below",
    "gt": "is_above",
    "ge": "is_above",
    "eq": "is_equal",
    "ne": "is_unequal",
    "and": "is_both",
    "or": "is_either",
    "not": "is_not",
    "sum_flat": "total",
    "sum": "total",
    "mean_flat": "mean",
    "logsumexp_flat": "logsumexp",
    "flat": "values",
}


def statements(
    outputs: Sequence[tuple[str, Node]], style: Style, indent: int = 4, taken: Sequence[str] = ()
) -> list[str]:
    """Lines that compute each output, an assignment to its name."""
    writer = _Writer(style, indent, {*taken, *(name for name, _ in outputs), "pred", "target", "y_pred", "y_true"})
    roots = [(name, spread(root)) for name, root in outputs]
    writer.choose([root for _, root in roots])
    for name, root in roots:
        writer.assign(name, root)
    return writer.lines


class _Writer:
    def __init__(self, style: Style, indent: int, taken: set[str]) -> None:
        self.style, self.blank, self.taken = style, " " * indent, taken
        self.lines: list[str] = []
        self.named: dict[Node, str] = {}  # what has a variable, written already
        self.shared: set[Node] = set()  # what will have one

    def choose(self, roots: Sequence[Node]) -> None:
        """What is used more than once, and is more than a trifle."""
        uses = Counter(arg for node in walk(*roots) for arg in args_of(node))
        uses.update(roots)
        for node in list(uses):
            if not (isinstance(node, Call) and node.word == "sub" and node.args[0] == PRED):
                continue
            mirror = Call("sub", node.args[::-1])
            if mirror in uses:
                uses[node] += uses.pop(mirror)
        self.shared = {node for node, count in uses.items() if count > 1 and _is_worth_a_name(node)}

    def assign(self, name: str, root: Node) -> None:
        for node in walk(root):
            if node in self.shared and node not in self.named and node != root:
                self.write(self.fresh(node), node)
        self.write(name, root)

    def write(self, name: str, node: Node) -> None:
        """One assignment; parts get variables until it is short enough."""
        while True:
            text = text_of(node, self.style, self.named)
            line = f"{self.blank}return {text}" if name == RETURN else f"{self.blank}{name} = {text}"
            if node not in self.named and len(line) <= WIDTH:
                break
            part = None if node in self.named else self.largest(node)
            if part is None:
                break
            self.write(self.fresh(part), part)
        if text != name:
            self.lines.append(line)
        self.named.setdefault(node, name)

    def largest(self, root: Node) -> Node | None:
        """The part with the longest text that still fits on a line."""
        parts: dict[Node, int] = {}
        stack = list(args_of(root))
        while stack:
            node = stack.pop()
            if node in self.named or not isinstance(node, Call):
                continue
            stack += node.args
            text = text_of(node, self.style, self.named)
            if len(text) > 10 and node.word != "neg":
                parts[node] = len(text)
        room = WIDTH - len(self.blank)  # the name of an entry at the label is short
        fitting = {node: n for node, n in parts.items() if n <= room - (12 if _is_picked(node) else 24)}
        return max(fitting, key=lambda node: fitting[node]) if fitting else None

    def fresh(self, node: Node) -> str:
        wanted = self._suggested(node)
        name, number = wanted, 1
        while name in self.taken:
            number += 1
            name = f"{wanted}_{number}"
        self.taken.add(name)
        return name

    def _suggested(self, node: Node) -> str:
        assert isinstance(node, Call)
        if set(node.args) == {PRED, TARGET} and node.word == "sub":
            return "residual"
        of = node.args[0]
        if isinstance(of, Call) and of.word == "neg" and of not in self.named:
            inner = of.args[0]
            of_name = f"minus_{self._name(inner)}" if self._name(inner) else ""
        else:
            of_name = self._name(of)
        if node.word in ("softmax", "log_softmax") and of == PRED:
            return node.word.replace("softmax", "probs")
        if _is_picked(node):
            return "picked"
        word = node.word.replace("log_sigmoid", "log_prob").replace("sigmoid", "prob")
        if len(node.args) == 1 and of_name and len(of_name) < 18:
            return f"{word}_{of_name}"
        return _NOUNS.get(node.word, word)

    def _name(self, node: Node) -> str:
        if node in self.named:
            return self.named[node]
        return node.name if isinstance(node, Name) else ""


def _is_picked(node: Node) -> bool:
    return isinstance(node, Call) and node.word in ("pick", "pick_flat")


def _is_worth_a_name(node: Node) -> bool:
    if not isinstance(node, Call) or not is_array(node) or node.word == "neg":
        return False
    return not (
        node.word in ("add", "sub", "mul", "div")
        and any(isinstance(arg, Number) for arg in node.args)
        and any(isinstance(arg, Name) for arg in node.args)
    )


def spread(root: Node) -> Node:
    """A choice between two plain numbers, moved out of the sums and products that it stands in.

    `where(c, 0.1, 0.9) * x` would be computed in the framework's default dtype, `where(c, 0.1 * x, 0.9 * x)` is in
    that of x.
    """
    made: dict[Node, Node] = {}
    for node in walk(root):
        if not isinstance(node, Call):
            made[node] = node
            continue
        new = call(node.word, *(made[arg] for arg in node.args))
        made[node] = _moved_out(new)
    return made[root]


def _moved_out(node: Node) -> Node:
    if not (isinstance(node, Call) and node.word in ("add", "sub", "mul", "div")):
        return node
    for place, arg in enumerate(node.args):
        if isinstance(arg, Call) and arg.word == "where" and _is_choice_of_numbers(arg):
            other = node.args[1 - place]
            if other == arg:
                return node
            sides = [(side, other) if place == 0 else (other, side) for side in arg.args[1:]]
            return where(arg.args[0], *(_moved_out(call(node.word, *side)) for side in sides))
    return node


def _is_choice_of_numbers(node: Call) -> bool:
    return is_array(node.args[0]) and not is_array(node.args[1]) and not is_array(node.args[2])
