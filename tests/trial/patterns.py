"""Rewrite one place of a program: `A.sum() / B` before, `A.mean()` after. Capital letters (but F) stand for anything.

A letter that occurs twice stands for the same text twice. `P` and `Q` stand for names alone, `K` for a number alone,
`**R` for the remaining keywords of a call. A pattern that is a statement, or is replaced by
statements, stands for one statement.
"""

import ast
import copy
from collections.abc import Iterator

NAMES, NUMBER, KEYWORDS = "PQ", "K", "R"


def _is_letter(name: str) -> bool:
    return len(name) == 1 and name.isupper() and name != "F"


def parsed(text: str) -> list[ast.stmt] | ast.expr:
    """A pattern: an expression where it is one, statements otherwise."""
    body = ast.parse(text).body
    if len(body) == 1 and isinstance(body[0], ast.Expr):
        return body[0].value
    return body


def matches(pattern: object, found: object, bound: dict[str, object]) -> bool:
    """True if the two are alike; `bound` then holds what each letter stands for."""
    if isinstance(pattern, ast.Name) and _is_letter(pattern.id):
        return isinstance(found, ast.expr) and _binds(pattern.id, found, bound)
    if type(pattern) is not type(found):
        return False
    if isinstance(pattern, list):
        return len(pattern) == len(found) and all(matches(p, f, bound) for p, f in zip(pattern, found, strict=True))
    if isinstance(pattern, ast.AST):
        fields = [name for name in pattern._fields if name != "ctx"]
        if isinstance(pattern, ast.Call) and pattern.keywords and pattern.keywords[-1].arg is None:
            return _matches_call(pattern, found, bound)
        return all(matches(getattr(pattern, name, None), getattr(found, name, None), bound) for name in fields)
    return pattern == found


def _binds(letter: str, found: ast.expr, bound: dict[str, object]) -> bool:
    if letter in NAMES and not isinstance(found, ast.Name):
        return False
    if letter == NUMBER and not (isinstance(found, ast.Constant) and type(found.value) in (int, float)):
        return False
    if letter in bound:
        return ast.unparse(bound[letter]) == ast.unparse(found)
    bound[letter] = found
    return True


def _matches_call(pattern: ast.Call, found: ast.Call, bound: dict[str, object]) -> bool:
    """The keywords that the pattern names are there, and the others belong to `**R`."""
    named = {each.arg: each.value for each in pattern.keywords[:-1]}
    given = {each.arg: each.value for each in found.keywords}
    if not named.keys() <= given.keys() or not matches(pattern.func, found.func, bound):
        return False
    bound[KEYWORDS] = [each for each in found.keywords if each.arg not in named]
    return matches(pattern.args, found.args, bound) and all(matches(v, given[k], bound) for k, v in named.items())


class _Filled(ast.NodeTransformer):
    """The replacement, with what the letters stand for in their place."""

    def __init__(self, bound: dict[str, object]) -> None:
        self.bound = bound

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return copy.deepcopy(self.bound[node.id]) if node.id in self.bound else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if node.keywords and node.keywords[-1].arg is None:
            node.keywords[-1:] = self.bound.get(KEYWORDS, [])
        return node


class _Rewriter(ast.NodeTransformer):
    """Rewrites the place of number `wanted`, counting in the order of the text."""

    def __init__(self, before: str, after: str, wanted: int) -> None:
        self.after, self.wanted, self.seen = after, wanted, -1
        found = parsed(before)
        pattern = found[0] if isinstance(found, list) else found
        whole = isinstance(pattern, ast.expr) and isinstance(parsed(after), list)
        self.pattern = ast.Expr(pattern) if whole else pattern

    def visit(self, node: ast.AST) -> ast.AST | list[ast.stmt]:
        bound: dict[str, object] = {}
        assigned = isinstance(getattr(node, "ctx", None), ast.Store)  # what is read is replaced, not what is set
        if not assigned and matches(self.pattern, node, bound):
            self.seen += 1
            if self.seen == self.wanted:
                after = parsed(self.after)
                filler = _Filled(bound)
                if isinstance(after, list):
                    return [filler.visit(each) for each in after]
                filled = filler.visit(after)
                return ast.Expr(filled) if isinstance(node, ast.stmt) and not isinstance(node, ast.Expr) else filled
        return self.generic_visit(node)


def rewritings(source: str, before: str, after: str) -> Iterator[str]:
    """The source with one place after the other rewritten."""
    wanted = 0
    while True:
        rewriter = _Rewriter(before, after, wanted)
        tree = rewriter.visit(ast.parse(source))
        if rewriter.seen < wanted:
            return
        yield ast.unparse(ast.fix_missing_locations(tree))
        wanted += 1
