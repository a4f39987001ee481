"""The number that a loss divides what it returns by, if its code names one."""

import ast
import inspect
import re
from collections.abc import Iterator
from typing import Any

from lossmith.checker.signature import called, tree_of

SIZE_NAME = re.compile(r"^(?:n_?)?batch_?size$|^bs$|^b_?size$", re.I)
SIZES = frozenset(2**k for k in range(3, 13))  # of batches, as people write them


def divided_by_a_batch_size(loss: Any) -> str:
    """The divisor of what is returned, as written: a number that is a usual batch size, or a constant called so."""
    function = inspect.unwrap(called(loss))
    known = getattr(function, "__globals__", {})
    tree = tree_of(function)
    for divisor in _divisors(tree) if tree is not None else ():
        if isinstance(divisor, ast.Constant) and isinstance(divisor.value, int | float) and divisor.value in SIZES:
            return str(int(divisor.value))
        if isinstance(divisor, ast.Name) and SIZE_NAME.search(divisor.id) and type(known.get(divisor.id)) is int:
            return divisor.id
    return ""


def _divisors(tree: ast.Module) -> Iterator[ast.expr]:
    """Of `return x / n`, and of `x = y / n` and `x /= n` where x is returned as it is."""
    nodes = list(ast.walk(tree))
    returned = [node.value for node in nodes if isinstance(node, ast.Return) and node.value is not None]
    names = {value.id for value in returned if isinstance(value, ast.Name)}
    for node in nodes:
        if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Div) and _is_one_of(node.target, names):
            yield node.value
        elif isinstance(node, ast.Assign) and any(_is_one_of(target, names) for target in node.targets):
            returned.append(node.value)
    for value in returned:
        if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Div):
            yield value.right


def _is_one_of(node: ast.AST, names: set[str]) -> bool:
    return isinstance(node, ast.Name) and node.id in names
