"""The derivative of a traced loss is right to every digit, and where there is no whole trace none is told."""

from typing import Any

import pytest
import torch
from ruletest import subject_of
from torch import Tensor
from torch.nn import functional as F

from lossmith.checker.truth import Truth, truth_at

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}


class HalfGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, residual: Tensor) -> Tensor:
        ctx.save_for_backward(residual)
        return residual.square()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0] * ctx.saved_tensors[0]


def half(pred: Tensor, target: Tensor) -> Tensor:
    return HalfGradient.apply(pred - target).mean()


def detached(pred: Tensor, target: Tensor) -> Tensor:
    return ((pred - target).detach() * (pred - target)).mean()


def huber(pred: Tensor, target: Tensor) -> Tensor:
    return F.huber_loss(pred, target)


def absolute(pred: Tensor, target: Tensor) -> Tensor:
    return F.l1_loss(pred, target)


def scaled_by_its_own_number(pred: Tensor, target: Tensor) -> Tensor:
    return (pred - target).square().mean() * pred.abs().mean().item()


def truth_of(loss: Any) -> tuple[Any, Any]:
    subject = subject_of(loss, **REAL)
    inputs = subject.draw(1)
    return inputs, truth_at(subject, inputs, torch.float64)


@pytest.mark.parametrize(("loss", "derivative"), [(half, 2.0), (detached, 2.0)])
def test_what_a_backward_says_does_not_matter(loss, derivative):
    (pred, target), truth = truth_of(loss)
    slope, radius = truth.slope(0, 3)
    want = derivative * (pred.double() - target.double()).flatten()[3] / pred.numel()
    assert slope == pytest.approx(float(want), rel=1e-9)
    assert radius < 1e-9


def test_where_autograd_is_right_it_agrees():
    (pred, target), truth = truth_of(huber)
    moving = pred.double().requires_grad_()
    (grad,) = torch.autograd.grad(huber(moving, target.double()), moving)
    got = [truth.slope(0, element)[0] for element in range(4)]
    assert got == pytest.approx(grad.flatten()[:4].tolist(), rel=1e-9)


def test_at_a_kink_nothing_is_told():
    subject = subject_of(absolute, **REAL)
    pred, _ = subject.draw(1)
    truth = truth_at(subject, (pred, pred.clone()), torch.float64)
    assert isinstance(truth, Truth)
    assert truth.slope(0, 0) is None


def test_a_number_that_left_the_graph_is_no_whole_trace():
    assert "depends on the numbers" in truth_of(scaled_by_its_own_number)[1]
