"""Entries that a loss is told to leave out: where a mask is 0, a label is ignored, or a sequence has ended."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.ignored import ignored_label, with_ignored
from lossmith.checker.sample import class_axis
from lossmith.checker.signature import source_of
from lossmith.checker.subject import Subject

SELECTS = re.compile(r"mask|valid|pad|ignore|keep|present|observed", re.IGNORECASE)
OF_TARGET = re.compile(r"target|label|tgt|trg|text|transcript|^y_", re.IGNORECASE)
SAID = ("command line", "declared", "decorator", "annotation", "pyproject.toml")


@dataclass(frozen=True)
class LeftOut:
    """`where` is True at the entries, in the shape of the argument that says so; `by` is that argument."""

    name: str
    inputs: tuple[Any, ...]
    where: Tensor
    by: int
    label: int | None = None
    ahead: int = 0  # a prediction is for the label so many steps on

    def at(self, value: Tensor, axis: int = 1) -> Tensor | None:
        """`where` in the shape of another argument; None if the two do not line up."""
        where = self.where
        if self.ahead and where.ndim == value.ndim - 1:  # what has classes is a prediction
            where = where.roll(-self.ahead, 1)
        return lined_up(where, value, axis)


def lined_up(where: Tensor, value: Tensor, axis: int = 1) -> Tensor | None:
    """The leading axes fit, or all but the class axis, or the same number of axes with some of length 1."""
    if where.shape == value.shape:
        return where
    if where.ndim == value.ndim and all(a in (1, b) for a, b in zip(where.shape, value.shape, strict=True)):
        return where.expand_as(value)
    if where.ndim < value.ndim and where.shape == value.shape[: where.ndim]:
        return where.reshape(*where.shape, *[1] * (value.ndim - where.ndim)).expand_as(value)
    if where.ndim == value.ndim - 1:
        wide = where.unsqueeze(axis)
        if all(a in (1, b) for a, b in zip(wide.shape, value.shape, strict=True)):
            return wide.expand_as(value)
    return None


def left_out(subject: Subject) -> Iterator[LeftOut]:
    """Each way in which this loss can be told to leave entries out, with inputs that do so for some of them."""
    contract = subject.contract
    inputs = subject.draw(1)
    for index, argument in enumerate(contract.arguments):
        value = inputs[index]
        if not isinstance(value, Tensor):
            continue
        if argument.kind == "mask" and _is_a_mask(subject, index):
            mixed = _mixed(value)
            given = tuple(mixed if i == index else old for i, old in enumerate(inputs))
            yield LeftOut(f"where {argument.name} is 0", given, mixed == 0, index, ahead=contract.ahead)
        elif argument.kind == "lengths" and contract.kinds().count("lengths") == 1 and "T" in contract.pred.domain.axes:
            yield from _ended(subject, inputs, index)
    yield from _unknown(subject, inputs)
    label = ignored_label(subject)
    if label is not None and contract.target is not None:
        given = with_ignored(subject, inputs, label, 1)
        where = given[contract.target] == label
        if bool(where.any()) and not bool(where.all()):
            name = contract.arguments[contract.target].name
            yield LeftOut(f"where {name} is {label}", given, where, contract.target, label, contract.ahead)


def unlike(subject: Subject) -> list[float]:
    """Numbers that the code tells from all others in its target: target != -1, target.ne(-1), not_equal(target, -1)."""
    goal = subject.contract.target
    if goal is None:
        return []
    word, number = re.escape(subject.contract.arguments[goal].name), r"(-?\d+(?:\.\d+)?)"
    written = rf"\b{word}\s*!=\s*{number}|\b{word}\.ne\(\s*{number}|not_equal\(\s*{word}\s*,\s*{number}"
    return [float("".join(each)) for each in re.findall(written, source_of(subject.loss))]


def _unknown(subject: Subject, inputs: Sequence[Any]) -> Iterator[LeftOut]:
    """Targets of a negative number that no ordinary one is, and that the code tells from all others."""
    goal = subject.contract.target
    if goal is None or subject.contract.target_kind() not in ("real", "positive", "count", "soft", "binary"):
        return
    target, name = inputs[goal], subject.contract.arguments[goal].name
    for number in (each for each in unlike(subject) if each < 0):
        where = (torch.arange(target.numel()) % 3 == 1).reshape(target.shape)
        given = tuple(old.masked_fill(where, number) if i == goal else old for i, old in enumerate(inputs))
        if bool(where.any()):
            yield LeftOut(f"where {name} is {number:g}", given, where, goal)


def _is_a_mask(subject: Subject, index: int) -> bool:
    """A declared mask is one; a guessed one must be called so."""
    contract = subject.contract
    return contract.origin in SAID or SELECTS.search(contract.arguments[index].name) is not None


def _mixed(mask: Tensor) -> Tensor:
    """The mask as drawn, or one with holes if it has none (an example may count every entry)."""
    if bool((mask == 0).any()) and bool((mask != 0).any()):
        return mask
    turn = (torch.arange(mask.numel()) % 3 != 1).reshape(mask.shape)
    return turn.to(mask.dtype)


def _ended(subject: Subject, inputs: Sequence[Any], index: int) -> Iterator[LeftOut]:
    pred = inputs[subject.contract.preds[0]]
    axis = subject.contract.pred.domain.axes.index("T")
    if axis not in (1, 2) or pred.ndim < 2 or inputs[index].shape != pred.shape[:1]:
        return
    lengths = inputs[index].clone().clamp(max=pred.shape[axis])
    lengths[0] = max(1, pred.shape[axis] // 2)
    where = torch.arange(pred.shape[axis])[None] >= lengths[:, None]
    if _end_the_target(subject, inputs, index, where):
        return
    given = tuple(lengths if i == index else old for i, old in enumerate(inputs))
    yield LeftOut(f"beyond {subject.contract.arguments[index].name}", given, where, index)


def _end_the_target(subject: Subject, inputs: Sequence[Any], index: int, where: Tensor) -> bool:
    """True if these are called the lengths of the target, and are: its entries beyond them have no effect."""
    goal = subject.contract.target
    if (
        goal is None
        or not OF_TARGET.search(subject.contract.arguments[index].name)
        or inputs[goal].shape != where.shape
    ):
        return False
    ended = [where.shape[1] - where.sum(1) if i == index else old for i, old in enumerate(inputs)]
    other = [torch.where(where, subject.draw(101)[goal], old) if i == goal else old for i, old in enumerate(ended)]
    before, after = subject.run(ended, grad=False), subject.run(other, grad=False)
    return before.ok and after.ok and before.value == after.value


def takes_part(subject: Subject, name: str) -> bool:
    """True if the code also counts what the mask leaves out, as in `hole * (1 - mask) + valid * mask`."""
    word = re.escape(name)
    return (
        re.search(rf"1(\.0?)?\s*-\s*{word}\b|\(~\s*{word}\)\s*\.\s*(float|to|type)", source_of(subject.loss))
        is not None
    )


def speaks_of_nan(subject: Subject) -> bool:
    """True if the code does something about NaN: a comparison with NaN is False by itself, and means nothing."""
    return re.search(r"nan_to_num|nanmean|nansum|is_?nan|isfinite|nan\b", source_of(subject.loss)) is not None


def asks_for_nan(subject: Subject, name: str) -> bool:
    """True if the code asks where this argument is NaN, and not only whether any of it is."""
    word, test = re.escape(name), r"(?:is_?nan|isfinite|nan_to_num)"
    asked = rf"{test}\(\s*{word}\s*\)|\b{word}\.{test}\(\)|\b{word}\s*[!=]=\s*{word}\b"
    asked += rf"|nanmean|nansum|torch\.nan_to_num\((?![^\n]*/)[^\n]*\b{word}\b"  # of a quotient it guards 0 / 0
    return re.search(rf"(?:{asked})(?!\s*\.\s*(?:any|all))", source_of(subject.loss)) is not None


def channel(subject: Subject) -> int:
    return class_axis(subject.contract.pred.domain.axes) % max(len(subject.contract.pred.domain.axes), 1)
