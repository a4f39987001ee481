"""Ways on which a loss might fall for ever: straight lines from ordinary inputs to the far ends of the domain.

A loss has no bound on a line if a hundred times more distance buys about as much again, or if a pole lies on it. A
way that leads to the perfect prediction is none: a loss may well be the logarithm of an error.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.ends import right_side
from lossmith.checker.sample import class_axis, generator, perfect
from lossmith.checker.subject import Subject

FAR = (1e2, 1e4, 1e6)
LOGITS = (8.0, 16.0, 24.0)  # of a probability: beyond, float64 holds no more of 1 - p
POLE = 1e6  # times the ordinary value
GRID = 40
LARGE = 2000  # entries beyond which no pole is looked for: it takes hundreds of calls
LINES = ("real", "logits", "positive", "embedding")


@dataclass(frozen=True)
class Line:
    """The argument `index` moves along `away`; `at(t)` gives the inputs."""

    index: int
    away: Tensor
    at: Callable[[float], tuple[Any, ...]]


@dataclass(frozen=True)
class Descent:
    """A line with the distances at which the loss was asked, and its values there; `pole` if it is one."""

    line: Line
    distances: tuple[float, ...]
    values: tuple[float, ...]
    pole: bool = False


def descent(subject: Subject, inputs: tuple[Any, ...]) -> Descent | None:
    """The first line on which the loss has no lower bound."""
    ordinary = subject.values(inputs, dtype=torch.float64)
    best = perfect(subject.contract, inputs)
    floor = subject.values(best, dtype=torch.float64) if best is not None else ordinary
    if not isfinite(ordinary) or floor == -inf:
        return None
    lines = list(_lines(subject, inputs))
    for line in lines:
        distances = LOGITS if subject.contract.pred.kind in ("prob", "simplex") else FAR
        values = tuple(subject.values(line.at(t), dtype=torch.float64) for t in distances)
        if _falls(values, ordinary, floor):
            return Descent(line, distances, values)
    if subject.contract.pred.kind in ("real", "logits") and inputs[subject.contract.preds[0]].numel() <= LARGE:
        for line in lines:
            if (found := _pole(subject, line, ordinary)) is not None:
                return found
    return None


def _falls(values: Sequence[float], ordinary: float, floor: float) -> bool:
    if not all(isfinite(value) for value in values):
        return False
    first, second = values[0] - values[1], values[1] - values[2]
    below = min(ordinary, floor) if isfinite(floor) else ordinary
    return first > 0.1 * (1 + abs(ordinary)) and second > 0.5 * first and values[2] < below - 1.0


def _lines(subject: Subject, inputs: tuple[Any, ...]) -> Iterator[Line]:
    contract = subject.contract
    grads = subject.run(inputs, dtype=torch.float64).grads
    moving = contract.preds if contract.pred.kind in ("embedding", "real") else contract.preds[:1]
    for index in moving:
        pred = inputs[index]
        for away in _directions(subject, inputs, index, grads[index] if grads else None):
            yield Line(index, away, _way(contract.pred.kind, contract.pred.domain.axes, inputs, index, pred, away))


def _directions(subject: Subject, inputs: tuple[Any, ...], index: int, grad: Tensor | None) -> Iterator[Tensor]:
    pred, kind = inputs[index], subject.contract.pred.kind
    if kind == "positive":
        yield torch.ones_like(pred)
        return
    if grad is not None and bool(torch.isfinite(grad).all()) and bool((grad != 0).any()):
        yield (-grad / grad.abs().max()).to(pred.dtype)
    right = right_side(subject.contract, inputs)
    if right is not None and right.shape == pred.shape:
        yield -right
    yield torch.ones_like(pred)
    yield -torch.ones_like(pred)
    yield torch.randn(pred.shape, generator=generator(5)).sign()


def _way(
    kind: str, axes: Sequence[str], inputs: tuple[Any, ...], index: int, pred: Tensor, away: Tensor
) -> Callable[[float], tuple[Any, ...]]:
    def moved(t: float) -> Tensor:
        if kind == "prob":
            return torch.sigmoid(t * away.double())
        if kind == "simplex":
            return (t * away.double()).softmax(class_axis(axes))
        if kind == "logprob":
            return (t * away.double()).log_softmax(class_axis(axes))
        return pred.double() + t * away.double()

    return lambda t: tuple(moved(t) if i == index else value for i, value in enumerate(inputs))


def _pole(subject: Subject, line: Line, ordinary: float) -> Descent | None:
    """Look along the line for the lowest value, and closer and closer around it."""

    def value(t: float) -> float:
        found = subject.values(line.at(t), dtype=torch.float64)
        return found if isfinite(found) else inf

    low, high = -12.0, 12.0
    seen: list[tuple[float, float]] = []
    for turn in range(16):
        points = torch.linspace(low, high, GRID if turn == 0 else 9, dtype=torch.float64).tolist()
        values = [value(t) for t in points]
        lowest = min(range(len(points)), key=values.__getitem__)
        seen.append((points[lowest], values[lowest]))
        if values[lowest] < -POLE * (1 + abs(ordinary)):
            kept = seen[-3:]
            return Descent(line, tuple(t for t, _ in kept), tuple(v for _, v in kept), True)
        if turn >= 2 and values[lowest] > min(2 * seen[-3][1], -1.0 - abs(ordinary)):
            return None  # a minimum, or nothing
        low, high = points[max(lowest - 1, 0)], points[min(lowest + 1, len(points) - 1)]
    return None
