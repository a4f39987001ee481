"""Tensors and modules that an `nn.Module` keeps where `to()`, `state_dict()` and `parameters()` do not look.

Plain attributes, and lists, tuples and dicts in them, of the module and of its children, are walked; each tensor or
module that is not registered gets a path such as `parts['dice']`. `carried` moves a module to another device with
everything hidden in it, but for what is to stay behind: that is how a hidden tensor is shown to be the cause.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lossmith.checker.cuts import changed
from lossmith.checker.watch import user_line

_OWN = frozenset(vars(nn.Module())) | {"_parameters", "_buffers", "_modules"}
_MAKES_COPIES = ("_to_copy", "copy_", "_copy_from")
_CPU_INDICES = ("index", "index_put_", "index_put")


@dataclass(frozen=True)
class Hidden:
    """`within` is the type of the innermost container, empty for a plain attribute."""

    path: str
    value: Any
    within: str

    @property
    def attribute(self) -> str:
        return self.path.partition("[")[0].rpartition(".")[2]

    @property
    def tensors(self) -> list[Tensor]:
        if isinstance(self.value, Tensor):
            return [self.value]
        return [*self.value.parameters(), *self.value.buffers()]

    @property
    def is_module(self) -> bool:
        return isinstance(self.value, nn.Module)


def hidden(module: nn.Module) -> list[Hidden]:
    """Everything that is hidden in a module and its children, in the order of definition."""
    known = _registered(module)
    return [
        entry
        for prefix, owner in module.named_modules()
        for name, value in vars(owner).items()
        if name not in _OWN
        for entry in _leaves(value, f"{prefix}.{name}" if prefix else name, "", known)
    ]


def _registered(module: nn.Module) -> set[int]:
    return {id(thing) for thing in (*module.modules(), *module.parameters())}


def _leaves(value: Any, path: str, within: str, known: Collection[int]) -> Iterator[Hidden]:
    if isinstance(value, (Tensor, nn.Module)):
        if id(value) not in known:
            yield Hidden(path, value, within)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{path}[{key!r}]", "dict", known)
    elif isinstance(value, (list, tuple)):
        for position, item in enumerate(value):
            yield from _leaves(item, f"{path}[{position}]", type(value).__name__, known)


def carried(module: nn.Module, device: str, stays: Collection[str] = ()) -> nn.Module:
    """Move a module in place, and what is hidden in it except the paths of `stays`."""
    known = _registered(module)

    def move(path: str, value: Any) -> Any:
        return value if path in stays and id(value) not in known else value.to(device)

    for prefix, owner in list(module.named_modules()):
        for name, value in list(vars(owner).items()):
            if name not in _OWN:
                vars(owner)[name] = _mapped(value, f"{prefix}.{name}" if prefix else name, move)
    return module.to(device)


def _mapped(value: Any, path: str, move: Callable[[str, Any], Any]) -> Any:
    if isinstance(value, (Tensor, nn.Module)):
        return move(path, value)
    if isinstance(value, dict):
        for key, item in list(value.items()):
            value[key] = _mapped(item, f"{path}[{key!r}]", move)
        return value
    if type(value) in (list, tuple):
        return type(value)(_mapped(item, f"{path}[{position}]", move) for position, item in enumerate(value))
    return value


class Mixed(TorchDispatchMode):
    """The first operation that meets tensors of two devices, as an accelerator would refuse it.

    Allowed, as there: copies from one device to another, single numbers, and indices that are on the CPU.
    """

    def __init__(self, file: str) -> None:
        super().__init__()
        self.file, self.operation, self.line = file, "", ""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.__name__.partition(".")[0]
        if not self.operation and name not in _MAKES_COPIES:
            given = args[:1] if name in _CPU_INDICES and _on_meta(args[0]) else (args, kwargs)
            tensors = [value for value in tree_leaves(given) if isinstance(value, Tensor) and value.ndim]
            if len({value.device.type for value in tensors}) > 1:
                self.operation, self.line = name.rstrip("_"), user_line(self.file)
        return func(*args, **(kwargs or {}))


def _on_meta(value: Any) -> bool:
    return isinstance(value, Tensor) and value.device.type == "meta"


def perturb(entry: Hidden) -> None:
    """Other values in every tensor of a hidden thing, in place."""
    with torch.no_grad():
        for tensor in entry.tensors:
            tensor.copy_(changed(tensor))
