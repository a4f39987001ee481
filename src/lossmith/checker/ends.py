"""Where losses of one kind of prediction break: perfect, saturated, confidently wrong, huge, tiny.

A condition is a set of valid arguments with a name that a person understands. It says whether the true value may be
infinite there (a probability of exactly 0 for what happened), so that only what ought to be finite is called a fault.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.contract import Contract
from lossmith.checker.policies import is_ratio
from lossmith.checker.sample import class_axis, one_hot_like, perfect

LOGIT_GAPS = (10.0, 20.0, 50.0, 100.0, 1e3, 1e4)
RESIDUALS = (1e-3, 30.0, 100.0, 1e3, 1e4)
RATIOS = (1e-3, 30.0)  # of a policy to the one that acted: a step of it goes nowhere near exp(30)
NEARLY = 1e-30  # a probability that float32 holds and no real network means


@dataclass(frozen=True)
class Condition:
    """`match`: the prediction is as good as it can be. `finite`: the true value is known to be finite.

    `beside`: it is an argument beside prediction and target that is at its end.
    """

    name: str
    inputs: tuple[Any, ...]
    match: bool = False
    finite: bool = True
    beside: bool = False

    @property
    def degenerate(self) -> bool:
        """True where everything matches exactly, or where an argument is 0 throughout."""
        floats = [v for v in self.inputs if isinstance(v, Tensor) and v.is_floating_point() and v.numel()]
        return self.match or any(not bool(v.any()) for v in floats)


def of_contract(contract: Contract, inputs: tuple[Any, ...]) -> Iterator[Condition]:
    """Ordinary inputs first, then the mildest."""
    yield Condition("on ordinary inputs", inputs)
    best = perfect(contract, inputs)
    kind, target = contract.pred.kind, contract.target_kind()
    if best is not None and kind not in ("logits", "logprob", "embedding", "unit") and target != "pm1":
        yield Condition("where the prediction is perfect", best, match=True)
        yield Condition("where one prediction of the batch is perfect", _one_row(contract, inputs, best), match=True)
    makers = {
        "real": _real,
        "positive": _positive,
        "logits": _logits,
        "prob": _prob,
        "simplex": _simplex,
        "logprob": _logprob,
        "boxes": _boxes,
        "embedding": _embedding,
        "unit": _embedding,
    }
    if kind in makers:
        yield from makers[kind](contract, inputs)


def put(contract: Contract, inputs: tuple[Any, ...], pred: Tensor | None = None, target: Tensor | None = None) -> Any:
    changed = list(inputs)
    if pred is not None:
        changed[contract.preds[0]] = pred
    if target is not None and contract.target is not None:
        changed[contract.target] = target
    return tuple(changed)


def _one_row(contract: Contract, inputs: tuple[Any, ...], best: tuple[Any, ...]) -> tuple[Any, ...]:
    where = contract.preds[0]
    pred = inputs[where].clone()
    if pred.ndim:
        pred[:1] = best[where][:1]
    return put(contract, inputs, pred)


def signs(pred: Tensor) -> Tensor:
    """+1 and -1 in turn: both sides of a loss in one call."""
    return (1 - 2 * (torch.arange(pred.numel()) % 2)).reshape(pred.shape).to(pred.dtype)


def _real(contract: Contract, inputs: tuple[Any, ...]) -> Iterator[Condition]:
    pred = inputs[contract.preds[0]]
    target = inputs[contract.target] if contract.target is not None else None
    if contract.target_kind() == "pm1":
        yield from _logits(contract, inputs)
        return
    if target is not None and target.is_floating_point() and target.shape == pred.shape:
        if contract.target_kind() == "real":
            zero = torch.zeros_like(target)
            yield Condition("where the target is 0", put(contract, inputs, target=zero))
            yield Condition("where prediction and target are 0", put(contract, inputs, zero, zero), match=True)
        if contract.target_kind() == "count":
            yield Condition("where the target is 0", put(contract, inputs, target=torch.zeros_like(target)))
            return
        for size in RATIOS if is_ratio(contract) else RESIDUALS:
            yield Condition(f"with a residual of {size:g}", put(contract, inputs, target + size * signs(target)))
    else:
        yield Condition("where the prediction is 0", put(contract, inputs, torch.zeros_like(pred)))
        if len(contract.preds) > 1 and target is None:
            none = (torch.zeros_like(v) if i in contract.preds else v for i, v in enumerate(inputs))
            yield Condition("where all predictions are 0", tuple(none))
        for size in (100.0, 1e4):
            yield Condition(f"with predictions of +-{size:g}", put(contract, inputs, size * signs(pred)))


def _positive(contract: Contract, inputs: tuple[Any, ...]) -> Iterator[Condition]:
    pred = inputs[contract.preds[0]]
    for size in (1e-6, 1e-3, 1e3):
        yield Condition(f"with predictions of {size:g}", put(contract, inputs, torch.full_like(pred, size)))


def right_side(contract: Contract, inputs: tuple[Any, ...]) -> Tensor | None:
    """+1 where the prediction should be high, -1 where it should be low; None if that is not known."""
    pred = inputs[contract.preds[0]]
    if contract.target is None:
        return None
    target, kind = inputs[contract.target], contract.target_kind()
    axis = class_axis(contract.pred.domain.axes)
    if kind == "index":
        if target.ndim == pred.ndim - 1 and bool((target >= 0).all()) and bool((target < pred.shape[axis]).all()):
            return 2 * one_hot_like(target, pred, axis) - 1
        return None
    if target.shape != pred.shape:
        return None
    if kind == "pm1":
        return target.to(pred.dtype)
    if kind in ("dist", "onehot"):
        return 2 * one_hot_like(target.argmax(axis), pred, axis) - 1
    return torch.where(target > 0.5, 1.0, -1.0).to(pred.dtype) if kind in ("binary", "soft") else None


def hard_targets(contract: Contract, inputs: tuple[Any, ...], right: Tensor) -> tuple[Any, ...]:
    """Soft targets made hard, so that being certain can be right."""
    if contract.target_kind() in ("soft", "dist"):
        return put(contract, inputs, target=(right > 0).to(right.dtype))
    return inputs


def _logits(contract: Contract, inputs: tuple[Any, ...]) -> Iterator[Condition]:
    pred = inputs[contract.preds[0]]
    yield Condition("where all logits are 0", put(contract, inputs, torch.zeros_like(pred)))
    right = right_side(contract, inputs)
    if right is None:
        for gap in LOGIT_GAPS:
            yield Condition(f"with logits of +-{gap:g}", put(contract, inputs, gap * signs(pred)))
        return
    inputs = hard_targets(contract, inputs, right)
    if contract.target_kind() not in ("index", "onehot", "dist"):
        for gap in LOGIT_GAPS:
            yield Condition(f"with logits of {gap:g} on the right side", put(contract, inputs, gap * right))
            yield Condition(f"with logits of {gap:g} on the wrong side", put(contract, inputs, -gap * right))
        return
    wrong = other_class(right, class_axis(contract.pred.domain.axes))
    for gap in LOGIT_GAPS:  # the classes that do not lead stay at 0, so that the gap is the one that is named
        yield Condition(f"where the right logit leads by {gap:g}", put(contract, inputs, gap * right.clamp(min=0)))
        yield Condition(f"where a wrong logit leads by {gap:g}", put(contract, inputs, gap * wrong.clamp(min=0)))
    for offset in (100.0, 1e4):
        yield Condition(f"where all logits are near {offset:g}", put(contract, inputs, pred + offset))


def other_class(right: Tensor, axis: int) -> Tensor:
    return torch.roll(right, 1, axis)


def _prob(contract: Contract, inputs: tuple[Any, ...]) -> Iterator[Condition]:
    right = right_side(contract, inputs)
    if right is None:
        return
    inputs = hard_targets(contract, inputs, right)
    up = right > 0
    almost_one = 1 - torch.finfo(torch.float32).eps
    yield Condition("where every probability is exactly right", put(contract, inputs, up.to(right.dtype)), match=True)
    nearly_wrong = torch.where(up, NEARLY, almost_one)
    yield Condition("where every probability is nearly certain and wrong", put(contract, inputs, nearly_wrong))
    yield Condition(
        "where every probability is certain and wrong", put(contract, inputs, (~up).to(right.dtype)), finite=False
    )


def _simplex(contract: Contract, inputs: tuple[Any, ...]) -> Iterator[Condition]:
    right = right_side(contract, inputs)
    if right is None:
        return
    inputs = hard_targets(contract, inputs, right)
    axis = class_axis(contract.pred.domain.axes)
    yield Condition("where every row is exactly right", put(contract, inputs, right.clamp(min=0)), match=True)
    wrong = other_class(right, axis).clamp(min=0)
    nearly = wrong.clamp(min=NEARLY)
    yield Condition("where every row is nearly certain and wrong", put(contract, inputs, nearly))
    yield Condition("where every row is certain and wrong", put(contract, inputs, wrong), finite=False)


def _logprob(contract: Contract, inputs: tuple[Any, ...]) -> Iterator[Condition]:
    right = right_side(contract, inputs)
    if right is None:
        return
    axis = class_axis(contract.pred.domain.axes)
    inputs = hard_targets(contract, inputs, right)
    for gap in LOGIT_GAPS:
        log_prob = (gap * other_class(right, axis).clamp(min=0)).log_softmax(axis)
        yield Condition(f"where a wrong class leads by {gap:g}", put(contract, inputs, log_prob))
        best = (gap * right.clamp(min=0)).log_softmax(axis)
        yield Condition(f"where the right class leads by {gap:g}", put(contract, inputs, best))


def _boxes(contract: Contract, inputs: tuple[Any, ...]) -> Iterator[Condition]:
    target = inputs[contract.target] if contract.target is not None else inputs[-1]
    size = target[..., 2:] - target[..., :2]
    middle = (target[..., 2:] + target[..., :2]) / 2
    yield Condition("where the boxes are far apart", put(contract, inputs, target + 10.0))
    yield Condition(
        "where the prediction touches the target", put(contract, inputs, target + torch.cat([size, size], -1))
    )
    inner = torch.cat([middle - size / 4, middle + size / 4], -1)
    yield Condition("where the prediction lies inside the target", put(contract, inputs, inner))
    yield Condition("where the boxes are in pixels", tuple(value * 500.0 for value in inputs))


def _embedding(contract: Contract, inputs: tuple[Any, ...]) -> Iterator[Condition]:
    best = perfect(contract, inputs)
    if best is not None:
        yield Condition("where matching embeddings are identical", best, match=True)
    where = contract.preds[0]
    pred = inputs[where]
    if contract.pred.kind == "embedding":
        scaled = tuple(v * 100.0 if i in contract.preds else v for i, v in enumerate(inputs))
        yield Condition("with embeddings of length 100 and more", scaled)
    same = tuple(pred[:1].expand_as(pred).clone() if i in contract.preds else v for i, v in enumerate(inputs))
    yield Condition("where all embeddings are the same", same, match=True)
