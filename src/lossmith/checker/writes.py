"""What a loss writes into its own arguments, and at which line.

The loss is called on tensors that are kept, and value, shape and version counter of each are compared before and
after, and around each call that the loss makes. The version counter sees a write that left the values as they were;
the values see one that went around the counter (through .data or numpy).
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from lossmith.checker.cuts import name_of
from lossmith.checker.subject import Subject
from lossmith.checker.watch import user_line

_SHOWN = {"__setitem__": "an assignment", "__set__": "an assignment"}


@dataclass(frozen=True)
class Write:
    """One argument that a call changed. `moved`: its values differ, not only its version counter."""

    argument: int
    before: Tensor
    after: Tensor
    moved: bool
    operation: str = ""
    line: str = ""


@dataclass(frozen=True)
class _State:
    value: Tensor
    version: int

    @classmethod
    def of(cls, tensor: Tensor) -> "_State":
        return cls(tensor.detach().clone(), tensor._version)

    def moved(self, tensor: Tensor) -> bool:
        return not equal(self.value, tensor.detach())

    def touched(self, tensor: Tensor) -> bool:
        return tensor._version != self.version or self.moved(tensor)


def equal(a: Tensor, b: Tensor) -> bool:
    """True if shape and values are the same, a NaN being the same as a NaN."""
    return a.shape == b.shape and bool(((a == b) | ((a != a) & (b != b))).all())


class _Watch(TorchFunctionMode):
    """The first call after which a kept tensor is not what it was before that call."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self.file = file
        self.kept: dict[int, Tensor] = {}
        self.found: dict[int, tuple[str, str]] = {}

    def keep(self, inputs: Sequence[Any]) -> None:
        self.kept = {index: value for index, value in enumerate(inputs) if isinstance(value, Tensor)}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = {index: _State.of(value) for index, value in self.kept.items() if index not in self.found}
        result = func(*args, **(kwargs or {}))
        for index, state in before.items():
            if state.touched(self.kept[index]):
                name = name_of(func)
                self.found[index] = (_SHOWN.get(name, f"{name}()"), user_line(self.file))
        return result


def written(subject: Subject, inputs: Sequence[Any], grad: bool = False) -> list[Write]:
    """Every argument that one call writes into. With `grad` the predictions require a gradient and are no leaves."""
    found = _compared(subject, inputs, grad, nullcontext())
    if not found:
        return []
    watch = _Watch(subject.file)  # asked only now: around every operation it takes longer than the call
    return [
        replace(write, operation=watch.found[write.argument][0], line=watch.found[write.argument][1])
        if write.argument in watch.found
        else write
        for write in _compared(subject, inputs, grad, watch) or found
    ]


def _compared(
    subject: Subject, inputs: Sequence[Any], grad: bool, watch: "_Watch | AbstractContextManager[None]"
) -> list[Write]:
    live = [_own(value, grad and index in subject.contract.preds) for index, value in enumerate(inputs)]
    before = {index: _State.of(value) for index, value in enumerate(live) if isinstance(value, Tensor)}
    floats = [value.dtype for value in live if isinstance(value, Tensor) and value.is_floating_point()]
    if isinstance(watch, _Watch):
        watch.keep(live)
    torch.default_generator.manual_seed(0)  # torch.manual_seed asks every device, and keeps a traceback
    with suppress(Exception), watch:  # what it wrote before it raised was written all the same
        subject.call(subject.twin(floats[0] if floats else torch.float32), live)
    return [
        Write(index, state.value, live[index].detach(), state.moved(live[index]))
        for index, state in before.items()
        if state.touched(live[index])
    ]


def _own(value: Any, grad: bool) -> Any:
    if not isinstance(value, Tensor):
        return value
    copy = value.detach().clone()
    return copy.requires_grad_().clone() if grad and copy.is_floating_point() else copy


@dataclass
class _InPlace(TorchDispatchMode):
    """The lines of the operations that write into a tensor of float type."""

    file: str
    lines: dict[str, None] = field(default_factory=dict[str, None])

    def __post_init__(self) -> None:
        super().__init__()

    def __hash__(self) -> int:
        return id(self)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        writes = [a.alias_info is not None and a.alias_info.is_write for a in func._schema.arguments]
        if any(flag and isinstance(value, Tensor) for flag, value in zip(writes, args, strict=False)):
            self.lines[user_line(self.file)] = None
        return func(*args, **(kwargs or {}))


def in_place_lines(subject: Subject, inputs: Sequence[Any]) -> list[str]:
    """The user's lines that write in place, in their order."""
    watch = _InPlace(subject.file)
    subject.run(inputs, grad=False, watch=watch)
    return [line for line in watch.lines if line]
