"""LS101 on gradients that differ from the derivative because someone wants them to, or only seem to differ."""

from typing import Any

import pytest
import torch
from ruletest import answer
from torch import Tensor
from torch.nn import functional as F

from lossmith.checker.rules import ls101_wrong_gradient as rule

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}


class Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return -grads[0]


class StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.sign()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0]


def adversarial(pred: Tensor, target: Tensor) -> Tensor:
    return (Reversed.apply(pred) - target).square().mean()


def binarized(pred: Tensor, target: Tensor) -> Tensor:
    return (StraightThrough.apply(pred) - target).square().mean() + 0.1 * pred.square().mean()


def detached_weight(pred: Tensor, target: Tensor) -> Tensor:
    residual = pred - target
    return (residual.abs().detach() * residual.square()).mean()


def quiet_weight(pred: Tensor, target: Tensor) -> Tensor:
    with torch.no_grad():
        weight = (pred - target).abs()
    return (weight * (pred - target).square()).mean()


def scaled_by_its_own_number(pred: Tensor, target: Tensor) -> Tensor:
    return (pred - target).square().mean() * pred.abs().mean().item()


def rounded_straight_through(pred: Tensor, target: Tensor) -> Tensor:
    return (pred + (pred.round() - pred).detach() - target).square().mean()


def complete_iou(pred: Tensor, target: Tensor) -> Tensor:
    """The overlap alone with an aspect term whose weight is held fixed, as the paper has it."""
    low, high = torch.maximum(pred[:, :2], target[:, :2]), torch.minimum(pred[:, 2:], target[:, 2:])
    both = (high - low).clamp(min=0).prod(1)
    area = [(box[:, 2:] - box[:, :2]).prod(1) for box in (pred, target)]
    iou = both / (area[0] + area[1] - both + 1e-7)
    ratio = [(box[:, 2] - box[:, 0]) / (box[:, 3] - box[:, 1] + 1e-7) for box in (pred, target)]
    v = 4 / torch.pi**2 * (ratio[0].atan() - ratio[1].atan()).square()
    with torch.no_grad():
        alpha = v / (1 - iou + v + 1e-7)
    return (1 - iou + alpha * v).mean()


def batch_hard(pred: Tensor, target: Tensor) -> Tensor:
    """The hardest pairs are chosen without a gradient: exact wherever the choice does not change."""
    distance = torch.cdist(pred, pred)
    same = target[:, None] == target[None]
    with torch.no_grad():
        far = (distance - 1e9 * ~same).argmax(1)
        near = (distance + 1e9 * same).argmin(1)
    rows = torch.arange(len(pred))
    return F.relu(distance[rows, far] - distance[rows, near] + 0.3).mean()


def hooked(pred: Tensor, target: Tensor) -> Tensor:
    seen = pred * 1
    if seen.requires_grad:
        seen.register_hook(lambda grad: 3 * grad)
    return (seen - target).square().mean()


def in_single_precision(pred: Tensor, target: Tensor) -> Tensor:
    return (pred.float() - target.float()).square().mean()


def in_half_precision(pred: Tensor, target: Tensor) -> Tensor:
    return (pred.bfloat16() - target.bfloat16()).square().mean().float()


@pytest.mark.parametrize(
    ("loss", "why"),
    [
        (adversarial, "Reversed returns its input"),
        (binarized, "the forward of StraightThrough is piecewise constant"),
        (detached_weight, "without detach()"),
        (quiet_weight, "without no_grad()"),
        (scaled_by_its_own_number, "depends on item()"),
        (hooked, "no hand-written backward is involved"),
        (rounded_straight_through, "without detach()"),
    ],
)
def test_a_gradient_that_is_meant_to_differ_is_information(loss: Any, why: str) -> None:
    _, (found,) = answer(rule, loss, **REAL)
    assert found.severity == "info"
    assert found.message.startswith("a surrogate gradient")
    assert why in found.why


def test_a_weight_held_fixed_by_the_paper_is_no_error() -> None:
    _, findings = answer(rule, complete_iou, pred="boxes[N,4]", target="boxes[N,4]")
    assert [found.severity for found in findings] == ["info"]


def test_choosing_pairs_without_a_gradient_changes_nothing() -> None:
    status, findings = answer(rule, batch_hard, pred="embedding[N,D]", target="index[N]")
    assert (status.status, findings) == ("passed", [])


def test_a_loss_that_computes_in_another_precision_is_not_accused() -> None:
    assert answer(rule, in_single_precision, **REAL)[0].status == "passed"
    assert answer(rule, in_half_precision, **REAL)[0].status == "skipped"
