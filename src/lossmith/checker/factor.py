"""What a wrong gradient has in common everywhere: one factor, and the size of the inputs that it follows.

A factor is called the batch size (or another size) only if it follows that size to inputs of other sizes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.sample import SIZES
from lossmith.checker.slopes import DIFFERS, Point, look
from lossmith.checker.subject import Subject

STEADY = 5e-3


@dataclass(frozen=True)
class Factor:
    """What all ratios of autograd to the derivative have in common; `tested` names a size that they follow."""

    ratio: float
    tested: str = ""
    inverse: bool = False
    example: str = ""


def _ratio(points: Sequence[Point]) -> float | None:
    """The one ratio of autograd to the derivative at all sure elements, None if they differ."""
    ratios = [sample.ratio for point in points for sample in point.sure if sample.slope.value]
    if not ratios:
        return None
    middle = median(ratios)
    return middle if all(abs(r - middle) <= STEADY * max(abs(middle), DIFFERS) for r in ratios) else None


def factor_of(subject: Subject, wrong: Sequence[Point], dtype: torch.dtype) -> Factor | None:
    ratio = _ratio(wrong)
    if ratio is None:
        return None
    for other in _resized(subject):
        point = look(subject, other, dtype, 8)
        second = _ratio([point]) if point is not None else None
        if point is None or second is None:
            continue
        here, there = (_sizes(subject, inputs) for inputs in (wrong[0].trial.inputs, other))
        for name, size in here.items():
            for inverse in (False, True):
                wanted = [1 / n if inverse else n for n in (size, there[name])]
                if size != there[name] and near(ratio, wanted[0]) and near(second, wanted[1]):
                    return Factor(ratio, name, inverse, f"{size} here, {there[name]} in another draw")
        if not near(second, ratio):
            return None
    return Factor(ratio)


def near(a: float, b: float) -> bool:
    return abs(a - b) <= 2 * STEADY * abs(b)


def _sizes(subject: Subject, inputs: Sequence[Any]) -> Mapping[str, int]:
    pred: Tensor = inputs[subject.contract.preds[0]]
    n = len(pred) if pred.ndim else 1
    return {"batch size": n, "number of elements of a sample": pred.numel() // n, "number of elements": pred.numel()}


def _resized(subject: Subject) -> Iterator[tuple[Any, ...]]:
    """Inputs of other sizes: other axes, another batch. Those that the loss refuses are passed over later."""
    contract = subject.contract
    if contract.draw is not None:
        first = subject.draw(1)
        pred: Tensor = first[contract.preds[0]]
        if pred.ndim and len(pred) > 2:
            yield subject.draw(1, len(pred) - 1)
        return
    sizes = {**SIZES, **(contract.sizes or {})}
    wider = {name: size + 2 for name, size in sizes.items()} | {"N": sizes["N"]}
    yield subject.with_contract(replace(contract, sizes=wider)).draw(1)
    yield subject.draw(1, sizes["N"] - 2)
