"""What a loss carries from one call to the next: attributes, buffers, globals, closures, generators.

Each is a cell that can be read and set back. A cell is named as the memory of a loss only if setting it back brings
the first answer back.
"""

import copy
import functools
import inspect
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from lossmith.checker.writes import equal

_LEFT_OUT = (ModuleType, FunctionType, type, nn.Module)
_MACHINERY = ("_modules", "_parameters", "_buffers")


@dataclass(frozen=True)
class Cell:
    """One place that outlives a call."""

    label: str
    get: Callable[[], Any]
    set: Callable[[Any], None]


def cells(loss: Any) -> list[Cell]:
    """Attributes and buffers of an object and its modules; globals and closures that its code names."""
    while isinstance(loss, functools.partial):
        loss = loss.func
    found: list[Cell] = []
    modules = list(loss.named_modules()) if isinstance(loss, nn.Module) else [("", loss)]
    for prefix, owner in modules:
        if isinstance(owner, type) or not hasattr(owner, "__dict__"):
            continue
        dotted = f"{prefix}." if prefix else ""
        holders = [vars(owner)]
        if isinstance(owner, nn.Module):
            holders += [owner._buffers, owner._parameters]
        found += [cell for holder in holders for cell in _items(holder, dotted)]
        found += _around(owner if isinstance(owner, FunctionType) else _method(owner))
    return found


def _items(holder: MutableMapping[str, Any], prefix: str) -> Iterator[Cell]:
    for key, value in list(holder.items()):
        if key not in _MACHINERY and not key.startswith("__") and not isinstance(value, _LEFT_OUT):
            yield Cell(prefix + key, functools.partial(holder.__getitem__, key), functools.partial(_put, holder, key))


def _put(holder: MutableMapping[str, Any], key: str, value: Any) -> None:
    if isinstance(holder.get(key), nn.Parameter):  # its identity is what optimizers know
        holder[key].data.copy_(value)
    else:
        holder[key] = value


def _method(owner: Any) -> FunctionType | None:
    for name in ("forward", "call", "__call__"):
        method = inspect.unwrap(getattr(type(owner), name, None) or print)
        if isinstance(method, FunctionType):
            return method
    return None


def _around(function: FunctionType | None) -> Iterator[Cell]:
    """Globals that the function names, and what it closes over."""
    if function is None or function.__module__.partition(".")[0] in ("torch", "keras"):
        return
    spaces = function.__globals__
    for name in sorted(_names(function.__code__)):
        if name in spaces and not isinstance(spaces[name], _LEFT_OUT):
            yield Cell(name, functools.partial(spaces.__getitem__, name), functools.partial(_put, spaces, name))
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # a cell that is still empty
            if not isinstance(cell.cell_contents, _LEFT_OUT):
                yield Cell(name, functools.partial(_contents, cell), functools.partial(_fill, cell))


def _contents(cell: CellType) -> Any:
    return cell.cell_contents


def _fill(cell: CellType, value: Any) -> None:
    cell.cell_contents = value


def _names(code: CodeType) -> set[str]:
    inner = [_names(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*inner)


class Snapshot:
    """The cells of a loss at one moment; `changed` lists those that differ now, `restore` sets cells back."""

    def __init__(self, loss: Any) -> None:
        self.loss = loss
        self.kept: dict[str, tuple[Cell, Any]] = {}
        for cell in cells(loss):
            with suppress(Exception):  # what cannot be copied cannot be set back
                self.kept[cell.label] = (cell, copy.deepcopy(cell.get()))

    def changed(self) -> list[str]:
        return [label for label, (cell, value) in self.kept.items() if _differs(cell.get(), value)]

    def before(self, label: str) -> Any:
        return self.kept[label][1]

    def now(self, label: str) -> Any:
        return self.kept[label][0].get()

    def restore(self, *labels: str) -> None:
        for label in labels:
            cell, value = self.kept[label]
            cell.set(copy.deepcopy(value))


def _differs(now: Any, before: Any) -> bool:
    if isinstance(now, Tensor) and isinstance(before, Tensor):
        return not equal(now.detach(), before.detach())
    if isinstance(now, torch.Generator) and isinstance(before, torch.Generator):
        return not torch.equal(now.get_state(), before.get_state())
    try:
        return bool(now != before)
    except Exception:  # a list of tensors has no truth of its own: setting it back decides
        return True
