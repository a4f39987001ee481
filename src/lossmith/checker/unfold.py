"""What the code of a loss takes apart: `outputs["boxes"]`, `recon, mu, logvar = outputs`, `for scale in preds`.

Only the source is read, that of the loss and of the methods and functions it hands an argument on to. An argument that
is also used whole, as an array is (`labels == labels[i]`, `pred.shape`), is no list.
"""

import ast
import functools
import inspect
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

from torch import Tensor

from lossmith.checker.fold import Fold, Holder
from lossmith.checker.side import side_of
from lossmith.checker.signature import called, required_parameters, tree_of
from lossmith.checker.subject import Subject

SCALES = 3  # entries of a list whose length the code leaves open
TASKS = ("a", "b")  # keys of a dictionary whose keys the code leaves open
DEPTH = 4
_WHOLE = ("len", "zip", "enumerate", "isinstance", "reversed", "list", "tuple", "type", "sorted")


@dataclass
class Uses:
    """How the code uses one argument."""

    keys: list[str] = field(default_factory=list[str])
    each: list[str] = field(default_factory=list[str])  # keys that a loop goes through
    mapped: bool = False
    attributes: list[str] = field(default_factory=list[str])
    unpacked: tuple[str, ...] = ()
    places: set[int] = field(default_factory=set[int])
    iterated: bool = False
    asked: bool = False  # isinstance(argument, list)
    whole: bool = False

    def holder(self, name: str, sure: bool) -> Holder:
        """`sure`: only what an array cannot be used for."""
        keys = tuple(dict.fromkeys(self.keys))
        if keys:
            return Holder(name, "dict", tuple(dict.fromkeys((*keys, *self.each))))
        if self.mapped:
            return Holder(name, "dict", tuple(dict.fromkeys(self.each)) or TASKS, alike=True)
        if self.attributes and not self.whole:
            return Holder(name, "names", tuple(dict.fromkeys(self.attributes)))
        if self.unpacked and not self.whole:
            return Holder(name, "tuple", self.unpacked)
        if not sure and ((self.iterated and not self.whole) or self.asked):
            return Holder(name, "list", tuple(str(i) for i in range(SCALES)), alike=True)
        if not sure and self.places and not self.whole:
            count = max(max(self.places) + 1, -min(self.places), 2)
            return Holder(name, "tuple", tuple(str(i) for i in range(count)), alike=True)
        return Holder(name)


def folds(subject: Subject) -> tuple[list[Fold], list[Fold]]:
    """What the arguments may be made of: where the code leaves no doubt, and where an array would do too."""
    names = required_parameters(subject.loss)
    uses = _uses(subject.loss, names)
    if uses is None:
        return [], []
    lists = {name for name, use in uses.items() if use.iterated and not use.whole and side_of(name) is None}
    # A loop over the rows of a batch goes through all arguments; one over scales leaves the target whole.
    scales = lists if len(lists) < len(names) else set[str]()
    sure = [uses[name].holder(name, sure=name not in scales) for name in names]
    perhaps = [uses[name].holder(name, sure=False) for name in names]
    found = [Fold(tuple(sure))] if any(holder.how != "plain" for holder in sure) else []
    if any(holder.how != "plain" for holder in perhaps) and perhaps != sure:
        return found, [Fold(tuple(perhaps))]
    return found, []


def _uses(loss: Any, names: tuple[str, ...]) -> dict[str, Uses] | None:
    owner = loss
    while isinstance(owner, functools.partial):
        owner = owner.func
    function = called(owner)
    if not inspect.isroutine(function):
        function = type(function).__call__
    tree = _tree(function)
    if tree is None:
        return None
    reader = _Reader(owner, getattr(inspect.unwrap(function), "__globals__", {}), {name: Uses() for name in names})
    reader.read(tree, {name: name for name in names}, 0)
    return reader.uses


def _tree(function: Any) -> ast.FunctionDef | None:
    tree = tree_of(inspect.unwrap(function))
    first = tree.body[0] if tree is not None and tree.body else None
    return first if isinstance(first, ast.FunctionDef) else None


class _Reader:
    """Goes through a function; `alias` maps its local names to the arguments that they stand for."""

    def __init__(self, owner: Any, names: Mapping[str, Any], uses: dict[str, Uses]) -> None:
        self.owner, self.names, self.uses = owner, names, uses

    def read(self, tree: ast.FunctionDef, alias: dict[str, str], depth: int) -> None:
        loops: dict[str, list[str] | None] = {}  # loop variables that are keys: which, None for a number
        taken: set[int] = set()  # nodes whose meaning is known
        for node in ast.walk(tree):
            if isinstance(node, (ast.For, ast.comprehension)):
                self._loop(node.target, node.iter, alias, loops, taken)
        for node in ast.walk(tree):
            self._one(node, alias, loops, taken, depth)
        for node in ast.walk(tree):
            known = not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load) or id(node) in taken
            if not known and (use := self._argument(node, alias)):
                use.whole = True

    def _argument(self, node: ast.AST, alias: dict[str, str]) -> Uses | None:
        return self.uses.get(alias.get(node.id, "")) if isinstance(node, ast.Name) else None

    def _loop(
        self,
        target: ast.AST,
        over: ast.AST,
        alias: dict[str, str],
        loops: dict[str, list[str] | None],
        taken: set[int],
    ) -> None:
        if use := self._argument(over, alias):
            use.iterated = True
            taken.add(id(over))
            if isinstance(target, ast.Name):
                loops.setdefault(target.id, [])
            return
        if isinstance(over, ast.Call):
            self._over_a_call(target, over, alias, loops, taken)
        elif isinstance(target, ast.Name) and (keys := self._strings(over)):
            loops[target.id] = keys

    def _over_a_call(
        self,
        target: ast.AST,
        over: ast.Call,
        alias: dict[str, str],
        loops: dict[str, list[str] | None],
        taken: set[int],
    ) -> None:
        parts = target.elts if isinstance(target, ast.Tuple) else [target]
        name = over.func.id if isinstance(over.func, ast.Name) else ""
        if name == "range" and isinstance(target, ast.Name):
            loops[target.id] = None
        elif name == "enumerate" and over.args and len(parts) == 2:
            if isinstance(parts[0], ast.Name):
                loops[parts[0].id] = None
            self._loop(parts[1], over.args[0], alias, loops, taken)
        elif name in ("zip", "reversed"):
            for part, each in zip([*parts, *[ast.Pass()] * len(over.args)], over.args, strict=False):
                self._loop(part, each, alias, loops, taken)
        elif isinstance(over.func, ast.Attribute) and over.func.attr in ("items", "keys", "values"):
            keyed = parts[0] if over.func.attr != "values" else None
            use = self._argument(over.func.value, alias)
            if use is not None:
                use.mapped = True
                taken.add(id(over.func.value))
            if isinstance(keyed, ast.Name):
                loops[keyed.id] = self._strings(over.func.value)

    def _strings(self, node: ast.AST) -> list[str]:
        """The strings of a tuple, a list or a dictionary that the code or the loss holds."""
        if isinstance(node, (ast.Tuple, ast.List)):
            return [each.value for each in node.elts if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        held: Any = None
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            held = getattr(self.owner, node.attr, None)
        elif isinstance(node, ast.Name):
            held = self.names.get(node.id)
        return [each for each in held if isinstance(each, str)] if isinstance(held, (list, tuple, dict)) else []

    def _one(
        self, node: ast.AST, alias: dict[str, str], loops: dict[str, list[str] | None], taken: set[int], depth: int
    ) -> None:
        if isinstance(node, ast.Subscript) and (use := self._argument(node.value, alias)):
            if self._entry(node.slice, use, loops):
                taken.add(id(node.value))
        elif isinstance(node, ast.Attribute) and (use := self._argument(node.value, alias)):
            if not hasattr(Tensor, node.attr) and node.attr not in ("items", "keys", "values", "get", "at", "astype"):
                use.attributes.append(node.attr)
                taken.add(id(node.value))
        elif isinstance(node, ast.Assign) and (use := self._argument(node.value, alias)):
            if isinstance(node.targets[0], (ast.Tuple, ast.List)):
                parts = node.targets[0].elts
                if all(isinstance(part, ast.Name) for part in parts):
                    use.unpacked = tuple(part.id for part in parts if isinstance(part, ast.Name))
                    taken.add(id(node.value))
        elif isinstance(node, ast.Call):
            self._call(node, alias, taken, depth)

    def _entry(self, place: ast.AST, use: Uses, loops: dict[str, list[str] | None]) -> bool:
        """Note which entry `argument[place]` is; False for what only an array has (slices, masks)."""
        if (
            isinstance(place, ast.UnaryOp)
            and isinstance(place.op, ast.USub)
            and isinstance(place.operand, ast.Constant)
        ):
            place = ast.Constant(-place.operand.value)  # type: ignore[operator]
        if isinstance(place, ast.Constant) and isinstance(place.value, str):
            use.keys.append(place.value)
        elif isinstance(place, ast.Constant) and isinstance(place.value, int):
            use.places.add(place.value)
        elif isinstance(place, ast.Name) and place.id in loops:
            keys = loops[place.id]
            if keys is None:
                use.iterated = True
            else:
                use.mapped = True
                use.each += keys
        else:
            return False
        return True

    def _call(self, node: ast.Call, alias: dict[str, str], taken: set[int], depth: int) -> None:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        given = {index: argument for index, argument in enumerate(node.args) if self._argument(argument, alias)}
        if name in _WHOLE:
            taken |= {id(argument) for argument in given.values()}
            if (
                name == "isinstance"
                and given
                and any(word in ast.dump(node.args[-1]) for word in ("'list'", "'tuple'"))
            ):
                for argument in given.values():
                    if use := self._argument(argument, alias):
                        use.asked = True
            return
        function = self._own(node.func)
        if function is None or not given or depth >= DEPTH or (tree := _tree(function)) is None:
            return
        takes = [argument.arg for argument in tree.args.args]
        takes = takes[1:] if takes[:1] == ["self"] else takes
        inner = {takes[i]: alias[argument.id] for i, argument in given.items() if i < len(takes)}  # type: ignore[attr-defined]
        taken |= {id(argument) for i, argument in given.items() if i < len(takes)}
        self.read(tree, inner, depth + 1)

    def _own(self, function: ast.AST) -> FunctionType | None:
        """A method of the loss, or a function of its own module."""
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "self":
            found = getattr(type(self.owner), function.attr, None)
        else:
            found = self.names.get(function.id) if isinstance(function, ast.Name) else None
        return found if isinstance(found, FunctionType) and _is_users(found) else None


def _is_users(function: FunctionType) -> bool:
    root = function.__module__.partition(".")[0]
    return root not in ("torch", "keras", "jax", "tensorflow") and function.__module__ in sys.modules


def described(fold: Fold) -> Iterator[str]:
    """Words for what each argument was taken to be."""
    for holder in fold.holders:
        if holder.how != "plain":
            yield f"{holder.name} as {holder.source()}"
