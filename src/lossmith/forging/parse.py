"""Text to a tree: Python's own parser, then a closed list of nodes and names. Nothing is evaluated.

Everything else is refused with its column marked. The text is short, ASCII and shallow before it is looked at
closely, so that a hostile one costs nothing.
"""

import ast
import difflib
import math
import warnings
from collections.abc import Collection

from lossmith.errors import SettingError, message
from lossmith.forging import tree
from lossmith.forging.rows import is_of_rows, is_row
from lossmith.forging.tree import ARRAYS, CLASSES, CONSTANTS, Call, Name, Node, Number, call, walk
from lossmith.forging.words import ELSEWHERE, INNER, ROWS, TRUTHS, WORDS

LONGEST = 1000  # characters
DEEPEST = 24  # levels
SMALLEST, LARGEST = 1e-30, 1e30  # constants that float32 holds with room to compute
_OPERATORS: dict[type, str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.Pow: "pow",
    ast.BitAnd: "and",
    ast.BitOr: "or",
    ast.And: "and",
    ast.Or: "or",
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Gt: "gt",
    ast.GtE: "ge",
    ast.Eq: "eq",
    ast.NotEq: "ne",
}
_ALREADY = "leave it out: an expression is the loss of one prediction, and what is written takes the mean of a batch"
# What a loss of rows is written with elsewhere, and what it is here.
_IN_WORDS = {
    "cross_entropy": "-sum(target * log_softmax(pred)): target is 1 at the label and 0 elsewhere",
    "gather": "sum(target * x): target is 1 at the label and 0 elsewhere",
    "one_hot": "target: it is 1 at the label and 0 elsewhere already",
    "norm": "sqrt(sum(square(x)))",
    "argmax": "softmax(x): a place has no gradient",
}
_REFUSED: dict[type, str] = {
    ast.Attribute: "an attribute",
    ast.Subscript: "a subscript",
    ast.Lambda: "a lambda",
    ast.IfExp: "`a if b else c`: write where(b, a, c)",
    ast.NamedExpr: "an assignment",
    ast.JoinedStr: "a string",
    ast.Starred: "a star",
    ast.keyword: "an argument by name",
}


def parse(text: str, params: Collection[str] = ()) -> Node:
    """The tree of an expression in pred, target and parameters.

    Errors    SettingError for anything outside the closed list, with its column marked
    """
    if not isinstance(text, str):
        raise SettingError(message("an expression is a text", {"given": type(text).__name__}))
    flat = text.replace("\n", " ").replace("\t", " ")
    if len(flat) > LONGEST:
        raise SettingError(message(f"an expression has at most {LONGEST} characters", {"given": len(flat)}))
    for column, letter in enumerate(flat):
        if not " " <= letter <= "~":
            raise _refusal(flat, column, 1, f"{letter!a} is not an ASCII letter", "write it with ASCII letters")
    if not flat.strip():
        raise SettingError(message("the expression is empty", fix='such as "square(pred - target)"'))
    blanks = len(flat) - len(flat.lstrip())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(flat[blanks:], mode="eval").body
    except SyntaxError as error:
        raise _refusal(flat, blanks + max((error.offset or 1) - 1, 0), 1, f"not an expression: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError):
        raise SettingError("the expression is nested too deeply, or holds too long a number") from None
    reader = _Reader(flat, blanks, frozenset(params))
    reader.require_shallow(body)
    found = reader.number(body)
    reader.require_meaning(found)
    reader.require_one(body, found)
    return found


def parse_form(text: str, holes: Collection[str]) -> Node:
    """A form of this library's own, with holes in place of pred and target."""
    return _Reader(text, 0, frozenset(holes), inner=True).number(ast.parse(text, mode="eval").body)


def _refusal(text: str, column: int, width: int, what: str, fix: str | None = None) -> SettingError:
    low = max(0, column - 60)
    shown = text[low : low + 110]
    mark = " " * (column - low) + "^" * max(1, min(width, len(shown) - (column - low)))
    rows = {"expression": ascii(shown)[1:-1] if not shown.isascii() else shown, "": mark}
    return SettingError(message(f"column {column + 1}: {what}", rows, fix=fix))


class _Reader:
    def __init__(self, text: str, blanks: int, params: frozenset[str], inner: bool = False) -> None:
        self.text, self.blanks, self.params = text, blanks, params
        self.words = WORDS | ROWS | INNER if inner else WORDS | ROWS
        self.inner = inner

    def refuse(self, node: ast.AST, what: str, fix: str | None = None) -> SettingError:
        start = getattr(node, "col_offset", 0)
        width = getattr(node, "end_col_offset", start + 1) - start
        return _refusal(self.text, self.blanks + start, width, what, fix)

    def require_shallow(self, root: ast.expr) -> None:
        level: list[ast.AST] = [root]
        for _ in range(DEEPEST):
            level = [child for node in level for child in ast.iter_child_nodes(node)]
            if not level:
                return
        deep = next((node for node in level if hasattr(node, "col_offset")), root)
        raise self.refuse(deep, f"nested more than {DEEPEST} levels deep")

    def number(self, node: ast.expr) -> Node:
        found = self.read(node)
        if isinstance(found, Call) and found.word in TRUTHS:
            raise self.refuse(node, "true or false stands where a number must", "where(condition, 1, 0)")
        return found

    def truth(self, node: ast.expr) -> Node:
        found = self.read(node)
        if not (isinstance(found, Call) and found.word in TRUTHS):
            raise self.refuse(node, "a number stands where a condition must", "compare it, such as pred > 0")
        return found

    def read(self, node: ast.expr) -> Node:
        if isinstance(node, ast.Constant):
            return self.constant(node)
        if isinstance(node, ast.Name):
            return self.name(node)
        if isinstance(node, ast.Call):
            return self.call(node)
        if isinstance(node, ast.UnaryOp):
            return self.unary(node)
        if isinstance(node, ast.Compare):
            return self.compare(node)
        if isinstance(node, ast.BoolOp):
            word = _OPERATORS[type(node.op)]
            first, *rest = (self.truth(value) for value in node.values)
            for one in rest:
                first = Call(word, (first, one))
            return first
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return self.binary(node, _OPERATORS[type(node.op)])
        what = _REFUSED.get(type(node), f"{type(node).__name__} is not part of an expression")
        raise self.refuse(node, what if type(node) not in _REFUSED else f"no place for {what}")

    def constant(self, node: ast.Constant) -> Node:
        if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
            raise self.refuse(node, f"{type(node.value).__name__} is not a number")
        return self.held(node, Number(_as_float(node.value)))

    def held(self, node: ast.expr, found: Node) -> Node:
        """A number that float32 can compute with."""
        if isinstance(found, Number) and found.value != 0 and not SMALLEST <= abs(found.value) <= LARGEST:
            raise self.refuse(node, "a constant that float32 cannot compute with", f"{SMALLEST:g} to {LARGEST:g}")
        return found

    def name(self, node: ast.Name) -> Node:
        known = {*ARRAYS, *CONSTANTS, CLASSES.name, *self.params}
        if node.id in known:
            return Name(node.id)
        if node.id in self.words:
            raise self.refuse(node, f"{node.id} takes arguments: {self.words[node.id].meaning}")
        near = _near(node.id, known)
        plain = node.id.isidentifier() and not node.id.startswith("_")
        fix = f"did you mean {near}?" if near else f"--param {node.id}=VALUE, if it is a parameter" if plain else None
        raise self.refuse(node, f"{node.id[:40]} is neither pred, target, a constant nor a parameter", fix)

    def call(self, node: ast.Call) -> Node:
        if not isinstance(node.func, ast.Name):
            raise self.refuse(node.func, f"no place for {_REFUSED.get(type(node.func), 'a call of this')}")
        word = node.func.id
        if word not in self.words:
            if word in _IN_WORDS:
                raise self.refuse(node.func, f"{word} is written in other words here", _IN_WORDS[word])
            near = _near(word, {*WORDS, *ROWS})
            fix = f"did you mean {near}?" if near else f"one of {', '.join((*WORDS, *ROWS))}"
            raise self.refuse(node.func, f"{word[:40]} is not a word that a loss may use", fix)
        for argument in (*node.args, *node.keywords):
            if isinstance(argument, (ast.Starred, ast.keyword)):
                raise self.refuse(argument, f"no place for {_REFUSED[type(argument)]}")
        if len(node.args) != self.words[word].arity:
            raise self.refuse(node, f"{word} takes {self.words[word].arity} arguments, not {len(node.args)}")
        if word == "where":
            condition, yes, no = node.args
            return tree.where(self.truth(condition), self.number(yes), self.number(no))
        args = [self.number(argument) for argument in node.args]
        if word in ROWS:
            if not self.inner and not is_row(args[0]):
                raise self.refuse(node.args[0], f"{word} is of the numbers of a row, and this is one for all")
            return Call(word, tuple(args))
        if word == "relu":
            return Call("maximum", (args[0], tree.ZERO))
        if word == "clip":
            return Call("minimum", (Call("maximum", (args[0], args[1])), args[2]))
        return call(word, *args)

    def unary(self, node: ast.UnaryOp) -> Node:
        if isinstance(node.op, (ast.Not, ast.Invert)):
            return Call("not", (self.truth(node.operand),))
        found = self.number(node.operand)
        return tree.neg(found) if isinstance(node.op, ast.USub) else found

    def compare(self, node: ast.Compare) -> Node:
        sides = [self.number(side) for side in (node.left, *node.comparators)]
        found: Node | None = None
        for operator, low, high in zip(node.ops, sides, sides[1:], strict=False):
            if type(operator) not in _OPERATORS:
                raise self.refuse(node, "compare with < <= > >= == !=")
            one = Call(_OPERATORS[type(operator)], (low, high))
            found = one if found is None else Call("and", (found, one))
        assert found is not None
        return found

    def binary(self, node: ast.BinOp, word: str) -> Node:
        if word in TRUTHS:
            return Call(word, (self.truth(node.left), self.truth(node.right)))
        left, right = self.number(node.left), self.number(node.right)
        if word == "div" and right == tree.ZERO:
            raise self.refuse(node, "a division by 0")
        try:
            found = call(word, left, right)
        except (OverflowError, ZeroDivisionError, TypeError, ValueError):
            raise self.refuse(node, "a constant that float32 cannot compute with") from None
        return self.held(node, found)

    def require_one(self, body: ast.expr, found: Node) -> None:
        """A loss is one number for what it takes: a number, or a row."""
        if not is_of_rows(found):
            if CLASSES in walk(found):
                text = {"expression": self.text.strip()}
                fix = f"one of {', '.join(ROWS)} makes it a loss of rows"
                raise SettingError(message("classes is the length of a row, and there is no row", text, fix=fix))
            return
        if isinstance(found, Call) and found.word == "mean" and not is_of_rows(found.args[0]):
            raise self.refuse(getattr(body, "func", body), "mean of numbers that are losses each", _ALREADY)
        if is_row(found):
            raise self.refuse(body, "this is a number for each class, and a loss is one for all", "sum(...) of it")

    def require_meaning(self, found: Node) -> None:
        names = tree.names_in(found)
        if "pred" not in names:
            raise SettingError(message("a loss depends on pred", {"expression": self.text.strip()}))
        if unused := sorted(self.params - names):
            raise SettingError(
                message(f"parameter {unused[0]} is not in the expression", {"expression": self.text.strip()})
            )
        if sum(1 for _ in walk(found)) > 300:
            raise SettingError("an expression has at most 300 parts")


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _near(name: str, known: Collection[str]) -> str | None:
    if name in ELSEWHERE and (ELSEWHERE[name] in known or ELSEWHERE[name] == "**"):
        return ELSEWHERE[name]
    return next(iter(difflib.get_close_matches(name[:40], sorted(known), 1, 0.7)), None)
