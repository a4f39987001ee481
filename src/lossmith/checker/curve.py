"""The curve of a loss: value and gradient as the predictions move together from one end of their domain to the other.

For a class index the moving number is how far the right logit leads; for other targets it is the prediction itself.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from lossmith.checker.contract import Contract
from lossmith.checker.finding import Curve, Series
from lossmith.checker.sample import class_axis, one_hot_like
from lossmith.checker.subject import Subject

POINTS = 121


def curve_of(subject: Subject) -> Curve | None:
    """The curve for one sample, or None where a single moving number says nothing (embeddings, boxes)."""
    try:
        inputs = subject.draw(1, 1) if subject.contract.draw is None else subject.draw(1)
        made = _moves(subject.contract, inputs)
        if made is None:
            return None
        xlabel, xs, moves = made
        return Curve(xlabel, [_series(subject, label, xs, move) for label, move in moves.items()])
    except Exception:  # a picture is no verdict: a loss that cannot be drawn is reported without one
        return None


Move = Callable[[float], tuple[Tensor, ...]]


def _moves(contract: Contract, inputs: tuple[Tensor, ...]) -> tuple[str, list[float], dict[str, Move]] | None:
    kind, target_kind = contract.pred.kind, contract.target_kind()
    where, goal = contract.preds[0], contract.target
    if goal is None or len(contract.preds) > 1:
        return None
    pred, target = inputs[where], inputs[goal]

    def put(new_pred: Tensor, new_target: Tensor) -> tuple[Tensor, ...]:
        changed = list(inputs)
        changed[where], changed[goal] = new_pred.to(pred.dtype), new_target.to(target.dtype)
        return tuple(changed)

    def constant(number: float) -> Callable[[float], tuple[Tensor, ...]]:
        fixed = torch.full_like(target, number)
        return lambda x: put(torch.full_like(pred, x), fixed)

    if target_kind == "index" and kind in ("logits", "logprob", "simplex"):
        hot = one_hot_like(target, pred, class_axis(contract.pred.domain.axes))
        axis = class_axis(contract.pred.domain.axes)
        links = {"logits": lambda z: z, "logprob": lambda z: z.log_softmax(axis), "simplex": lambda z: z.softmax(axis)}
        link = links[kind]
        return "lead of the right logit", _span(-8, 8), {"the right class": lambda x: put(link(x * hot), target)}
    if target.shape != pred.shape:
        return None
    if kind in ("real", "logits") and target_kind == "real":
        return "prediction - target", _span(-4, 4), {"target 0": constant(0.0)}
    ends = {"binary": (0.0, 1.0), "soft": (0.0, 1.0), "pm1": (-1.0, 1.0)}.get(target_kind)
    if ends and kind in ("logits", "real", "prob"):
        span = _span(0.005, 0.995) if kind == "prob" else _span(-8, 8)
        return "prediction", span, {f"target {end:g}": constant(end) for end in ends}
    if kind == "positive" or target_kind == "count":
        return "prediction", _span(0.05, 5) if kind == "positive" else _span(-3, 3), {"target 1": constant(1.0)}
    return None


def _span(low: float, high: float) -> list[float]:
    return torch.linspace(low, high, POINTS).tolist()


def _series(subject: Subject, label: str, xs: list[float], move: Move) -> Series:
    values: list[float] = []
    slopes: list[float] = []
    for x in xs:
        trial = subject.run(move(x))
        values.append(trial.value)
        slopes.append(_slope(subject, trial.grad, move, x))
    return Series(label, xs, values, slopes)


def _slope(subject: Subject, grad: Tensor | None, move: Move, x: float) -> float:
    """The gradient along the curve: the gradient of the loss times the direction in which the prediction moves."""
    if grad is None:
        return math.nan
    where = subject.contract.preds[0]
    step = 1e-2
    direction = (move(x + step)[where].double() - move(x - step)[where].double()) / (2 * step)
    return float((grad.double() * direction).sum())
