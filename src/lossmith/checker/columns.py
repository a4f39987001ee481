"""Predictions that pack several numbers into their last axis: `mean, log_var = y_pred[..., 0], y_pred[..., 1]`."""

import ast
import inspect
import operator
from collections.abc import Iterator, Mapping
from typing import Any

from lossmith.checker.signature import called, tree_of
from lossmith.checker.subject import Subject
from lossmith.checker.templates import Template

MOST = 12
_WAYS = {ast.Mult: operator.mul, ast.Add: operator.add, ast.Sub: operator.sub}


def templates_of(subject: Subject) -> tuple[Template, ...]:
    """As many columns as the code takes apart, for the one of two arguments that it does so with."""
    names = subject.parameters
    packed = {name: count for name in names if (count := _columns(subject.loss, name) or _parts(subject.loss, name))}
    if len(names) != 2 or len(packed) != 1:
        return ()
    ((name, count),) = packed.items()
    first = name == names[0]
    shapes = ("N,1",) if _parts(subject.loss, name) else ("N", "N,1")  # each part keeps the axis
    pair = [(f"real[N,{count}]", f"real[{axes}]") for axes in shapes]
    return tuple(
        Template(9.0, both if first else both[::-1], ("pred", "target") if first else ("target", "pred"))
        for both in pair
    )


def _parts(loss: Any, name: str) -> int:
    """Into how many equal parts the code cuts its last axis: `split(pred, 2, axis=-1)`, `pred.chunk(2, dim=-1)`."""
    tree = tree_of(inspect.unwrap(called(loss)))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)] if tree is not None else []
    for call in calls:
        if not isinstance(call.func, ast.Attribute) or call.func.attr not in ("split", "chunk"):
            continue
        of = [ast.unparse(each) for each in (call.func.value, *call.args)]
        of = of if of[0] == name else of[1:]
        named = {each.arg: ast.unparse(each.value) for each in call.keywords}
        # `torch.split` takes the length of a part, and calls the axis dim.
        axis = named.get("axis") or (
            named.get("dim", of[2] if len(of) > 2 else "") if call.func.attr == "chunk" else ""
        )
        if of[:1] == [name] and of[1:2] and of[1].isdigit() and axis == "-1":
            return int(of[1])
    return 0


def _columns(loss: Any, name: str) -> int:
    """How many columns are named one by one; 0 if it is fewer than two, or another axis."""
    tree = tree_of(inspect.unwrap(called(loss)))
    if tree is None:
        return 0
    seen: set[int] = set()
    known = _settings(loss)
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == name:
            seen.update(_named(node.slice, known))
    return max(seen) + 1 if seen == set(range(max(seen, default=0) + 1)) and 1 < len(seen) <= MOST else 0


def _settings(loss: Any) -> dict[str, int]:
    """Whole numbers that the code may count with: defaults of its parameters, and what the loss holds."""
    try:
        parameters = inspect.signature(called(loss)).parameters.values()
    except (TypeError, ValueError):
        return {}
    found = {p.name: p.default for p in parameters} | {f"self.{k}": v for k, v in getattr(loss, "__dict__", {}).items()}
    return {name: value for name, value in found.items() if type(value) is int}


def _named(index: ast.expr, known: Mapping[str, int]) -> Iterator[int]:
    """Of `[..., 0]`, `[:, 1]`, `[:, :1]` and `[:, 1:]`: the columns that are surely there."""
    if not isinstance(index, ast.Tuple) or len(index.elts) != 2 or not _is_all(index.elts[0]):
        return
    last = index.elts[1]
    if isinstance(last, ast.Constant) and type(last.value) is int:
        yield last.value
    elif isinstance(last, ast.Slice) and last.step is None:
        lower, upper = (_number(bound, known) for bound in (last.lower, last.upper))
        if upper is not None:
            yield from range(lower or 0, upper)
        elif lower is not None:
            yield lower


def _is_all(index: ast.expr) -> bool:
    if isinstance(index, ast.Slice):
        return index.lower is index.upper is None
    return isinstance(index, ast.Constant) and index.value is ...


def _number(bound: ast.expr | None, known: Mapping[str, int]) -> int | None:
    """`3`, `k`, `self.k` and products and sums of them."""
    if isinstance(bound, ast.Constant) and type(bound.value) is int:
        return bound.value
    if isinstance(bound, (ast.Name, ast.Attribute)):
        return known.get(ast.unparse(bound))
    if isinstance(bound, ast.BinOp) and type(bound.op) in _WAYS:
        left, right = _number(bound.left, known), _number(bound.right, known)
        return None if left is None or right is None else _WAYS[type(bound.op)](left, right)
    return None
