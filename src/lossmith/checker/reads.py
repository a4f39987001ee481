"""How a loss's own code reads one of its settings: never, on every call, or only in a branch that may not be taken."""

import ast
from collections.abc import Iterator
from typing import Any, Literal

from lossmith.checker.signature import tree_of

Reads = Literal["never", "always", "in a branch", "passed on", "unknown"]
_BRANCHES = (ast.If, ast.IfExp, ast.Match, ast.For, ast.While, ast.Try, ast.comprehension, ast.BoolOp)


def reads(thing: Any, name: str) -> Reads:
    """From the source of a class or a function; `self.name = name` alone is no reading."""
    tree = tree_of(thing)
    if tree is None:
        return "unknown"
    found = list(_found(tree, name, "always"))
    if "**" in found:
        return "unknown"
    for weakest in ("in a branch", "passed on", "always"):
        if weakest in found:
            return weakest
    return "never"


def _is_local(node: ast.AST, name: str) -> bool:
    """True for a method with a variable of its own by that name: `beta = 0.95` in `forward` is not the setting."""
    if not isinstance(node, ast.FunctionDef) or any(
        each.arg == name for each in ast.walk(node.args) if isinstance(each, ast.arg)
    ):
        return False
    names = (each for each in ast.walk(node) if isinstance(each, ast.Name))
    return any(each.id == name and isinstance(each.ctx, ast.Store) for each in names)


def _found(node: ast.AST, name: str, where: str, local: bool = False) -> Iterator[str]:
    local = local or _is_local(node, name)
    if isinstance(node, ast.Assign) and _keeps(node, name):
        return
    if _is(node, name) and not (local and isinstance(node, ast.Name)):
        yield where
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("locals", "vars", "getattr"):
        yield "**"
    for child in ast.iter_child_nodes(node):
        if isinstance(node, _BRANCHES):
            yield from _found(child, name, "in a branch", local)
        elif isinstance(node, ast.Call) and child is not node.func and where == "always" and not _of_torch(node.func):
            yield from _found(child, name, "passed on", local)
        else:
            yield from _found(child, name, where, local)


def _keeps(node: ast.Assign, name: str) -> bool:
    """`self.gamma = gamma`, and `self.a, self.b = a, b`."""
    values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
    targets = node.targets[0].elts if isinstance(node.targets[0], ast.Tuple) else node.targets
    if len(values) != len(targets) or not all(isinstance(value, (ast.Name, ast.Constant)) for value in values):
        return False
    return any(
        isinstance(value, ast.Name) and value.id == name and isinstance(target, ast.Attribute) and target.attr == name
        for value, target in zip(values, targets, strict=True)
    )


def _is(node: ast.AST, name: str) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr == name and isinstance(node.ctx, ast.Load)
    return isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)


def _of_torch(function: ast.AST) -> bool:
    root = function
    while isinstance(root, ast.Attribute):
        root = root.value
    return isinstance(root, ast.Name) and root.id in (
        "torch",
        "F",
        "math",
        "np",
        "tf",
        "jnp",
        "float",
        "int",
        "ops",
        "K",
    )
