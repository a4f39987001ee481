"""More padding at the end of each sequence: steps that the mask or the lengths say are not there."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.contract import Contract
from lossmith.checker.ignored import ignored_label
from lossmith.checker.spoken import WORTH
from lossmith.checker.subject import Subject

MORE = 3  # steps that are added
SEQUENCE = re.compile(r"pad|attention|(?:^|_)seq|token|(?:^|_)steps?(?:_|$)|length|(?:^|_)lens?(?:_|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Padded:
    """The same samples with more padding. `before`: without it. `kept`: the steps that were there before."""

    name: str
    before: tuple[Any, ...]
    inputs: tuple[Any, ...]
    axes: tuple[int | None, ...]
    steps: int

    def kept(self, index: int, value: Tensor) -> Tensor:
        axis = self.axes[index]
        return value if axis is None else value.narrow(axis, 0, self.steps)


def padded(subject: Subject, inputs: tuple[Any, ...], junk: int) -> Iterator[Padded]:
    """Each way to say that the added steps are none: a mask of 0, a mask of 1, lengths, labels that are ignored."""
    axes = _axes(subject, inputs)
    where = subject.contract.preds[0]
    if axes[where] is None:
        return
    steps = inputs[where].shape[axes[where] or 0]
    kinds = subject.contract.kinds()
    inputs = tuple(v.clamp(max=steps) if kind == "lengths" else v for v, kind in zip(inputs, kinds, strict=True))
    other = subject.draw(junk, len(inputs[where]))
    longer = [_longer(a, b, axis) for a, b, axis in zip(inputs, other, axes, strict=True)]
    masks = [i for i, kind in enumerate(kinds) if kind == "mask" and axes[i] is not None]
    if masks:
        for absent in (0, 1):
            row = list(longer)
            for i in masks:
                row[i] = _end(longer[i], axes[i] or 0, absent)
            yield Padded(f"where the mask is {absent}", inputs, tuple(row), axes, steps)
    elif "lengths" in kinds:
        yield Padded("beyond the lengths", inputs, tuple(longer), axes, steps)
    elif (label := ignored_label(subject)) is not None and subject.contract.target_kind() == "index":
        target = subject.contract.target or 0
        if axes[target] is not None:
            longer[target] = _end(longer[target], axes[target] or 0, label)
            yield Padded(f"where the label is {label}", inputs, tuple(longer), axes, steps)


def _axes(subject: Subject, inputs: tuple[Any, ...]) -> tuple[int | None, ...]:
    """The axis of time of each argument: the one that is called T, or the second beside lengths or a padding mask."""
    contract = subject.contract
    named = _of_lists(contract) or any(
        SEQUENCE.search(one.name) and one.kind in ("mask", "lengths") for one in contract.arguments
    )
    found: list[int | None] = []
    steps = inputs[contract.preds[0]].shape[1] if inputs[contract.preds[0]].ndim > 1 else -1
    for argument, value in zip(contract.arguments, inputs, strict=True):
        if "T" in argument.domain.axes:
            found.append(argument.domain.axes.index("T"))
        elif named and isinstance(value, Tensor) and value.ndim > 1 and value.shape[1] == steps:
            found.append(1)
        else:
            found.append(None)
    return tuple(found)


def _of_lists(contract: Contract) -> bool:
    """Scores of a list, what each is worth, and a mask: a list may be padded as a sequence is."""
    return any(WORTH.search(one.name.lower()) for one in contract.arguments) and any(
        one.kind == "mask" and one.domain.axes == contract.pred.domain.axes for one in contract.arguments
    )


def _longer(value: Any, other: Any, axis: int | None) -> Any:
    if axis is None or not isinstance(value, Tensor) or other.shape != value.shape:
        return value
    return torch.cat([value, other.narrow(axis, 0, min(MORE, value.shape[axis]))], axis)


def _end(value: Tensor, axis: int, number: int) -> Tensor:
    value = value.clone()
    value.narrow(axis, value.shape[axis] - MORE, MORE).fill_(number)
    return value
