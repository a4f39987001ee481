"""Entries that a mask leaves out, and that still count: in the divisor of a mean, or as an index."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from lossmith.checker.accelerators import name_of
from lossmith.checker.batch import near, no_batch, precise
from lossmith.checker.left_out import SELECTS
from lossmith.checker.sample import batched
from lossmith.checker.subject import Subject, Trial
from lossmith.checker.watch import user_line

COPIES = (1, 3)


@dataclass(frozen=True)
class Diluted:
    """A batch, and the same with as many samples again that are all left out: the value is a part of what it was."""

    by: int
    before: Trial
    after: Trial
    copies: int


def diluted(subject: Subject) -> Diluted | None:
    """For a mask that is called so: samples that it leaves out make a mean smaller, by their number exactly."""
    if subject.contract.draw is not None or no_batch(subject):
        return None
    inputs = subject.draw(1)
    rows = batched(subject.contract, inputs)
    for by, argument in enumerate(subject.contract.arguments):
        if argument.kind != "mask" or not rows[by] or not SELECTS.search(argument.name):
            continue
        found = [_diluted(subject, inputs, rows, by, out, copies) for out in (0, 1) for copies in COPIES]
        for pair in (found[:2], found[2:]):
            if all(pair):
                return pair[0]
    return None


def _diluted(
    subject: Subject, inputs: Sequence[Any], rows: Sequence[bool], by: int, out: int, copies: int
) -> Diluted | None:
    dtype = precise(subject, inputs)
    kept = torch.full_like(inputs[by], 1 - out)
    full = tuple(kept if i == by else value for i, value in enumerate(inputs))
    more = tuple(torch.cat([v] + [v] * copies) if row else v for v, row in zip(full, rows, strict=True))
    absent = torch.cat([kept] + [torch.full_like(kept, out)] * copies)
    given = tuple(absent if i == by else value for i, value in enumerate(more))
    before, repeated, after = (subject.run(each, dtype=dtype) for each in (full, more, given))
    if not (before.ok and repeated.ok and after.ok and after.finite_value) or abs(before.value) < 1e-9:
        return None
    n = len(kept)
    grad = after.grad
    silent = grad is not None and not bool((grad[n:] != 0).any()) and bool((grad[:n] != 0).any())
    mean = near(before.value, repeated.value, 1e-6) and near(after.value, before.value / (1 + copies), 1e-6)
    return Diluted(by, before, after, copies) if silent and mean else None


class _Looked(TorchFunctionMode):
    """The first place where numbers that are all 0 or 1, as many as there are rows, are used as row numbers."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self.file, self.line, self.index = file, "", None

    def __torch_function__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        if name_of(func) == "__getitem__" and len(args) == 2 and self.index is None:
            base, index = args
            if isinstance(index, Tensor) and index.dtype == torch.int64 and index.ndim == 1:
                whole = isinstance(base, Tensor) and len(base) == len(index) > 2
                if whole and bool(((index == 0) | (index == 1)).all()) and bool((index == 0).any()):
                    self.line, self.index = user_line(self.file), index.clone()
        return func(*args, **(kwargs or {}))


def looked_up(subject: Subject) -> tuple[int, str] | None:
    """The argument of 0 and 1 that is used as an index, and the line; None if none is."""
    if subject.bridged:
        return None
    inputs = subject.draw(1)
    watch = _Looked(subject.file)
    if not subject.run(inputs, grad=False, watch=watch).ok or watch.index is None:
        return None
    for index, argument in enumerate(subject.contract.arguments):
        value = inputs[index]
        flag = argument.kind in ("binary", "mask") and value.numel() == watch.index.numel()
        if flag and torch.equal(value.reshape(-1).long(), watch.index):
            return index, watch.line
    return None
