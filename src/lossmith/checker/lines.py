"""Along what a loss is looked at: one or two numbers that move its predictions through their domain.

For a class index the number is how far the right logit leads; for other targets it is the prediction itself; for two
embeddings the angle between them, for a box how far it has slid away. Each move is differentiable and made of tensor
operations alone, so that a thousand of them are one call.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import pi
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.contract import Contract
from lossmith.checker.sample import class_axis, one_hot_like

Move = Callable[..., tuple[Any, ...]]  # the numbers, as scalar tensors -> the arguments of the loss


@dataclass(frozen=True)
class Path:
    """A line, or a plane, through the arguments of a loss.

    span     the ends of each number, for a picture
    moves    by label: one for each kind of target
    wide     numbers over the whole domain, for errors; `scale` spaces them
    target   the numbers at which the prediction is perfect, by label of the move, where they are finite
    """

    names: tuple[str, ...]
    span: tuple[float, float]
    moves: Mapping[str, Move]
    wide: tuple[float, ...] = ()
    scale: str = "linear"
    target: tuple[float, ...] = field(default=())


def line(contract: Contract, inputs: tuple[Any, ...]) -> Path | None:
    """The line for one sample, or None where a single moving number says nothing."""
    kinds = [contract.arguments[index].kind for index in contract.preds]
    if len(kinds) > 1 and "positive" not in kinds[1:]:
        return _angle(contract, inputs)
    inputs = _at_one(contract, inputs)
    where, goal = contract.preds[0], contract.target
    if goal is None:
        return None
    pred, target = inputs[where], inputs[goal]
    kind, target_kind = contract.pred.kind, contract.target_kind()
    put = _putter(inputs, where, goal)
    if target_kind == "index" and (link := _links(contract).get(kind)):
        hot = one_hot_like(target, pred, class_axis(contract.pred.domain.axes)).double()
        return Path(
            ("lead of the right logit",), (-8, 8), {"the right class": lambda x: put(link(x * hot))}, LEADS, "symlog"
        )
    if target.shape != pred.shape:
        return None
    if kind in ("boxes", "cxcywh"):
        return _slide(inputs, where, goal, put)

    def to(number: float) -> Move:
        return lambda x: put(_all(pred, x), torch.full_like(target, number))

    if kind in ("real", "logits") and target_kind == "real":
        return Path(("prediction - target",), (-4, 4), {"target 0": to(0.0)}, RESIDUALS, "symlog")
    ends = {"binary": (0.0, 1.0), "soft": (0.0, 1.0), "pm1": (-1.0, 1.0)}.get(target_kind)
    if ends and kind in ("logits", "real", "prob"):
        moves = {f"target {end:g}": to(end) for end in ends}
        if kind == "prob":
            return Path(("prediction",), (0.005, 0.995), moves, PROBABILITIES, "logit")
        return Path(("prediction",), (-8, 8), moves, LEADS, "symlog")
    if kind == "positive":
        return Path(("prediction",), (0.05, 5), {"target 1": to(1.0)}, POSITIVE, "log")
    if target_kind == "count":
        return Path(("prediction",), (-3, 3), {"target 1": to(1.0)}, tuple(torch.linspace(-8, 8, 65).tolist()))
    return None


def plane(contract: Contract, inputs: tuple[Any, ...]) -> Path | None:
    """Two predictions of one batch, or the two logits of a row: `inputs` hold two samples."""
    where, goal = contract.preds[0], contract.target
    if len(contract.preds) > 1 or goal is None:
        return None
    pred, target = inputs[where], inputs[goal]
    kind, target_kind = contract.pred.kind, contract.target_kind()
    put = _putter(inputs, where, goal)
    if target_kind == "index" and (link := _links(contract).get(kind)):
        axis = class_axis(contract.pred.domain.axes)
        right = one_hot_like(target, pred, axis).double()
        other = right.roll(1, axis)
        names = ("logit of the right class", "logit of another class")
        return Path(names, (-6, 6), {"": lambda x, y: put(link(x * right + y * other))})
    if target.shape != pred.shape or not pred.ndim:
        return None
    if kind in ("boxes", "cxcywh"):
        return _slide(inputs, where, goal, put, two=True)
    first = torch.zeros_like(pred, dtype=torch.float64)
    first[..., 0::2] = 1.0
    second = 1.0 - first
    if not bool(second.any()):  # a single column: two samples
        first = torch.zeros_like(first)
        first[0::2] = 1.0
        second = 1.0 - first

    def to(one: float, other: float) -> dict[str, Move]:
        goals = one * first + other * second
        return {"": lambda x, y: put(x * first + y * second, goals)}

    names = ("prediction 1", "prediction 2")
    if kind in ("real", "logits") and target_kind == "real":
        return Path(names, (-4, 4), to(1.0, -1.0), target=(1.0, -1.0))
    if target_kind in ("binary", "soft", "pm1") and kind in ("logits", "real", "prob"):
        low = -1.0 if target_kind == "pm1" else 0.0
        if kind == "prob":
            return Path(names, (0.005, 0.995), to(1.0, low))
        return Path(names, (-6, 6), to(1.0, low))
    if kind == "positive":
        return Path(names, (0.05, 4), to(1.0, 2.0), target=(1.0, 2.0))
    return None


def _signed(low: float, high: float, count: int) -> tuple[float, ...]:
    sizes = torch.logspace(low, high, count, dtype=torch.float64)
    return tuple(torch.cat([-sizes.flip(0), sizes]).tolist())


RESIDUALS = _signed(-5, 4, 46)
LEADS = _signed(-2, 3, 41)
PROBABILITIES = tuple(torch.linspace(-14, 14, 85, dtype=torch.float64).sigmoid().tolist())
POSITIVE = tuple(torch.logspace(-5, 5, 81, dtype=torch.float64).tolist())
ANGLES = tuple(torch.linspace(0.01, pi - 0.01, 65, dtype=torch.float64).tolist())


def _at_one(contract: Contract, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments with every further prediction (a variance) at 1."""
    further = contract.preds[1:]
    return tuple(torch.ones_like(value) if index in further else value for index, value in enumerate(inputs))


def _all(like: Tensor, x: Tensor) -> Tensor:
    return torch.zeros_like(like, dtype=torch.float64) + x


def _links(contract: Contract) -> dict[str, Callable[[Tensor], Tensor]]:
    axis = class_axis(contract.pred.domain.axes)
    return {"logits": lambda z: z, "logprob": lambda z: z.log_softmax(axis), "simplex": lambda z: z.softmax(axis)}


def _putter(inputs: tuple[Any, ...], where: int, goal: int) -> Callable[..., tuple[Any, ...]]:
    def put(pred: Tensor, target: Tensor | None = None) -> tuple[Any, ...]:
        changed = list(inputs)
        changed[where] = pred
        if target is not None:
            changed[goal] = target.to(inputs[goal].dtype)
        return tuple(changed)

    return put


def _slide(inputs: tuple[Any, ...], where: int, goal: int, put: Move, two: bool = False) -> Path:
    """A box of the target's size slides away from it, in widths (and heights)."""
    target = inputs[goal].double()
    corners = inputs[where].shape[-1] == 4 and bool((target[..., 2:] > target[..., :2]).all())
    size = target[..., 2:] - target[..., :2] if corners else target[..., 2:]
    none = torch.zeros_like(size[..., :1])
    right = torch.cat([size[..., :1], none], -1)
    down = torch.cat([none, size[..., 1:]], -1)
    spread = (lambda step: torch.cat([step, step], -1)) if corners else lambda step: torch.cat([step, 0 * step], -1)
    across, along = spread(right), spread(down)
    if two:
        names = ("offset to the right, in widths", "offset downwards, in heights")
        return Path(names, (-1.5, 1.5), {"": lambda x, y: put(target + x * across + y * along)}, target=(0.0, 0.0))
    return Path(("offset of the box, in widths",), (-1.8, 1.8), {"same size": lambda x: put(target + x * across)})


def _angle(contract: Contract, inputs: tuple[Any, ...]) -> Path | None:
    """Two embeddings of length 1 (or anchor, positive and negative), the last at an angle from the first."""
    if any(contract.arguments[index].kind not in ("embedding", "unit") for index in contract.preds):
        return None
    shape = inputs[contract.preds[0]].shape
    if len(shape) != 2 or shape[1] < 2:
        return None
    first = torch.zeros(shape, dtype=torch.float64)
    second = first.clone()
    first[:, 0], second[:, 1] = 1.0, 1.0
    last, goal = contract.preds[-1], contract.target

    def turned(label: float | None) -> Move:
        def move(x: Tensor) -> tuple[Any, ...]:
            changed = list(inputs)
            for index in contract.preds:
                changed[index] = first
            if len(contract.preds) == 3:
                changed[contract.preds[1]] = first * 0.8 + second * 0.6
            changed[last] = first * x.cos() + second * x.sin()
            if goal is not None and label is not None:
                changed[goal] = torch.full_like(inputs[goal], label)
            return tuple(changed)

        return move

    if len(contract.preds) == 3:
        named = {"positive 0.64 away": turned(None)}
        return Path(("angle of the negative, in radians",), (0.05, pi), named, ANGLES)
    low = {"binary": 0.0, "soft": 0.0, "pm1": -1.0}.get(contract.target_kind())
    if goal is None:
        return Path(("angle between the two, in radians",), (0.05, pi - 0.05), {"a pair": turned(None)}, ANGLES)
    if low is None:
        return None
    named = {"a pair that differs": turned(low), "a pair alike": turned(1.0)}
    return Path(("angle between the two, in radians",), (0.05, pi - 0.05), named, ANGLES)
