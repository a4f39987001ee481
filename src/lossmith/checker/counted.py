"""Entries that a mask or a label leaves out, and that still count: in the divisor of a mean, or as an index."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from lossmith.checker.accelerators import name_of
from lossmith.checker.batch import near, no_batch, precise
from lossmith.checker.ignored import ignored_label
from lossmith.checker.left_out import SELECTS, unlike
from lossmith.checker.sample import batched, sizes_for
from lossmith.checker.signature import source_of
from lossmith.checker.subject import Subject, Trial
from lossmith.checker.watch import user_line

COPIES = (1, 3)
NUMBERS = ("real", "positive")
CLOSE = 1e-3


@dataclass(frozen=True)
class Diluted:
    """A batch, and the same with as many entries again that are all left out: the value is a part of what it was.

    `axis` is the one along which they are added, `length` how many entries it had.
    """

    by: int
    before: Trial
    after: Trial
    copies: int
    axis: str
    length: int
    out: float  # what says that an entry is left out


@dataclass(frozen=True)
class _Way:
    """An argument that can say "all of these count" (`kept`), and the number that says "this one does not" (`out`)."""

    by: int
    kept: Tensor
    out: float
    close: float | None = None  # the nearest number to `out` that counts, where `out` is one of many


def diluted(subject: Subject) -> Diluted | None:
    """Entries that are left out make a mean smaller, by their number exactly.

    Along the innermost axis of what leaves them out: a mean over samples of the sums of their steps may well count a
    sample that has no step.
    """
    if subject.contract.draw is not None or no_batch(subject):
        return None
    inputs = subject.draw(1)
    for way in _ways(subject, inputs):
        axis = _innermost(subject, way.by)
        found = [_diluted(subject, inputs, way, axis, copies) for copies in COPIES] if axis else []
        if found and all(found):
            return found[0]
    return None


def _ways(subject: Subject, inputs: Sequence[Any]) -> Iterator[_Way]:
    rows = batched(subject.contract, inputs)
    for by, argument in enumerate(subject.contract.arguments):
        if argument.kind == "mask" and rows[by] and SELECTS.search(argument.name):
            for out in (0, 1):
                yield _Way(by, torch.full_like(inputs[by], 1 - out), out)
    label, goal = ignored_label(subject), subject.contract.target
    if goal is None or not rows[goal]:
        return
    if label is not None:
        yield _Way(goal, inputs[goal], label)
    for number, close in missing_is(subject):
        yield _Way(goal, inputs[goal].abs() + 0.1 if number <= 0 else inputs[goal], number, close)
    for label in left_out_classes(subject):
        another = (inputs[goal] + 1) % sizes_for(subject.contract)["C"]
        yield _Way(goal, torch.where(inputs[goal] == label, another, inputs[goal]), label)


def left_out_classes(subject: Subject) -> list[int]:
    """Classes that the code tells from all others, as a padding of 0: labels != 0, equal(labels, 0), labels.ne(0)."""
    goal = subject.contract.target
    if goal is None or subject.contract.target_kind() != "index":
        return []
    name = re.escape(subject.contract.arguments[goal].name)
    found = re.findall(
        rf"\b{name}\s*!=\s*(\d+)|equal\(\s*{name}\s*,\s*(\d+)|\b{name}\.ne\((\d+)", source_of(subject.loss)
    )
    return [number for each in found if (number := int("".join(each))) < sizes_for(subject.contract)["C"]]


def missing_is(subject: Subject) -> list[tuple[float, float]]:
    """Numbers that mean "not known" in a target, as the code compares them: target != -1, target >= 0, target > 0.

    Each with the nearest number that is known.
    """
    goal = subject.contract.target
    if goal is None or subject.contract.target_kind() not in NUMBERS:
        return []
    name = subject.contract.arguments[goal].name
    found = re.findall(rf"\b{re.escape(name)}\s*(>=|>)\s*(-?\d+(?:\.\d+)?)", source_of(subject.loss))
    numbers = [("!=", number) for number in unlike(subject)] + [(sign, float(number)) for sign, number in found]
    return [(number - 1, number) if sign == ">=" else (number, number + CLOSE) for sign, number in numbers]


def _innermost(subject: Subject, by: int) -> str:
    contract = subject.contract
    axes = [axis for axis in contract.arguments[by].domain.axes if axis in contract.pred.domain.axes and axis.isalpha()]
    return "" if not axes else axes[0] if contract.ahead else axes[-1]


def _diluted(subject: Subject, inputs: Sequence[Any], way: _Way, axis: str, copies: int) -> Diluted | None:
    dtype = precise(subject, inputs)
    places = [one.domain.axes.index(axis) if axis in one.domain.axes else None for one in subject.contract.arguments]
    full = tuple(way.kept if i == way.by else value for i, value in enumerate(inputs))
    more = tuple(
        v if place is None else torch.cat([v] * (1 + copies), place) for v, place in zip(full, places, strict=True)
    )
    absent = torch.cat([way.kept] + [torch.full_like(way.kept, way.out)] * copies, places[way.by] or 0)
    given = tuple(absent if i == way.by else value for i, value in enumerate(more))
    before, repeated, after = (subject.run(each, dtype=dtype) for each in (full, more, given))
    if not (before.ok and repeated.ok and after.ok and after.finite_value) or abs(before.value) < 1e-9:
        return None
    place = places[after.where] or 0
    length = full[after.where].shape[place]
    mean = near(before.value, repeated.value, 1e-6) and near(after.value, before.value / (1 + copies), 1e-6)
    if not mean or after.grad is None:
        return None
    counted = after.grad.narrow(place, 0, length)
    others = after.grad.narrow(place, length, copies * length)
    if bool((others != 0).any()) or not bool((counted != 0).any()):
        return None
    if way.close is not None:

        def steepest(number: float) -> tuple[float, float]:
            """The largest slope of the entries that were added, with this number in their target; and of all."""
            there = torch.cat([way.kept] + [torch.full_like(way.kept, number)] * copies, places[way.by] or 0)
            grad = subject.run(tuple(there if i == way.by else v for i, v in enumerate(more)), dtype=dtype).grad
            if grad is None:
                return 0.0, 0.0
            return float(grad.narrow(place, length, copies * length).abs().max()), float(grad.abs().max())

        added, of_all = steepest(way.close)
        if not added > 0.01 * of_all:
            return None  # 0 * log(0) is 0 by itself: nothing was left out
        if way.close - way.out <= CLOSE and steepest(way.out + 0.02)[0] > 4 * steepest(way.out + 0.2)[0]:
            return None  # what divides by the target has no value at 0: a guard of the quotient leaves out nothing
    return Diluted(way.by, before, after, copies, axis, length, way.out)


class _Looked(TorchFunctionMode):
    """The first places where whole numbers are used as row numbers, and as the columns of every row; and what chooses
    entries by yes and no."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self.file, self.rows, self.columns = file, list[_Place](), list[_Place]()
        self.chosen: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if name_of(func) == "__getitem__" and len(args) == 2 and isinstance(args[0], Tensor):
            base, index = args
            if isinstance(index, Tensor) and index.dtype == torch.bool:
                self.chosen.append(index.clone())
            column = index[1] if isinstance(index, tuple) and len(index) == 2 and index[0] == slice(None) else None
            if _is_a_row_of_numbers(index) and len(index) > 2:
                self.rows.append(_Place(base.detach(), index.clone(), user_line(self.file)))
            elif _is_a_row_of_numbers(column) and len(column) == len(base) > 2 and result.requires_grad:
                self.columns.append(_Place(base.detach(), column.clone(), user_line(self.file)))
        return result


@dataclass(frozen=True)
class _Place:
    base: Tensor
    index: Tensor
    line: str


def _is_a_row_of_numbers(index: Any) -> TypeGuard[Tensor]:
    return isinstance(index, Tensor) and index.dtype == torch.int64 and index.ndim == 1


def looked_up(subject: Subject) -> tuple[int, str] | None:
    """The argument of 0 and 1 that is used as an index, and the line; None if none is."""
    for place in _watched(subject).rows:
        for index, argument in enumerate(subject.contract.arguments):
            value = subject.draw(1)[index]
            whole = len(place.base) == len(place.index) if argument.kind == "binary" else argument.kind == "mask"
            if whole and _is_of(place.index, value, anyhow=argument.kind == "binary"):
                return index, place.line
    return None


def _is_of(index: Tensor, value: Tensor, anyhow: bool) -> bool:
    """True if these are the numbers of the argument; `anyhow`: in any order, as after a sort by another argument."""
    given = value.reshape(-1).long()
    return given.numel() == index.numel() and torch.equal(
        *((one.sort()[0] if anyhow else one) for one in (given, index))
    )


def selects(subject: Subject, index: int) -> bool:
    """True if entries of a prediction or of what is made of it are chosen where this argument is not 0."""
    inputs = subject.draw(1)
    value = inputs[index]
    if subject.bridged or value.numel() < 2:
        return False
    some = value * (torch.arange(value.numel()) % 3 != 1).reshape(value.shape)
    watch = _Looked(subject.file)
    subject.run(tuple(some if i == index else old for i, old in enumerate(inputs)), watch=watch)
    return any(each.shape == some.shape and torch.equal(each, some != 0) for each in watch.chosen)


def picked_for_all(subject: Subject) -> tuple[int, str] | None:
    """The argument whose entries, one for each sample, are used as columns of every sample, and the line."""
    inputs = subject.draw(1)
    for place in _watched(subject).columns:
        for index, argument in enumerate(subject.contract.arguments):
            own = argument.kind == "index" and torch.equal(inputs[index], place.index)
            if own and any(torch.equal(inputs[pred], place.base) for pred in subject.contract.preds):
                return index, place.line
    return None


def _watched(subject: Subject) -> _Looked:
    watch = _Looked(subject.file)
    if not subject.bridged and not subject.run(subject.draw(1), watch=watch).ok:
        return _Looked(subject.file)
    return watch
