"""LS102 on backwards that do not use what comes in, and on their nearest innocent neighbours."""

import ast
from typing import Any

import pytest
import torch
from reproducing import run_reproducer
from ruletest import answer, printed
from shipped import each_shipped, shipped
from torch import Tensor, nn

from lossmith.checker.rules import ls102_ignores_grad_output as rule

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}


class Deaf(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pred: Tensor, target: Tensor) -> Tensor:
        ctx.save_for_backward(pred - target)
        return (pred - target).square().mean()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (residual,) = ctx.saved_tensors
        return 2 * residual / residual.numel(), None


class Attentive(Deaf):
    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (residual,) = ctx.saved_tensors
        return grads[0] * 2 * residual / residual.numel(), None


class SignOnly(torch.autograd.Function):
    """Uses the sign of what comes in and not its size."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.abs()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return grads[0].sign() * x.sign()


class Clipped(torch.autograd.Function):
    """Returns its input and clips the gradient: a decision of its author."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0].clamp(-0.01, 0.01)


class SignedL1(nn.Module):
    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return SignOnly.apply(pred - target).mean()


def clipped_mse(pred: Tensor, target: Tensor) -> Tensor:
    return (Clipped.apply(pred) - target).square().mean()


def test_a_backward_that_ignores_grad_output_is_an_error_with_the_four_gradients() -> None:
    status, (found,) = answer(rule, Deaf, **REAL)
    assert (status.status, found.code, found.severity) == ("failed", "LS102", "error")
    shown = [ast.literal_eval(found.evidence[f"grad of {factor} * loss"]) for factor in (1, 2, 0, -3)]
    [[pred]], [[target]] = (ast.literal_eval(found.evidence[name]) for name in ("pred", "target"))
    assert shown[0][0][0] == pytest.approx(2 * (pred - target), rel=1e-4)
    assert shown[0] == shown[1] == shown[2] == shown[3]


def test_a_backward_that_keeps_only_the_sign_is_not_proportional() -> None:
    _, (found,) = answer(rule, SignedL1(), **REAL)
    assert found.severity == "error"
    assert found.message == "the gradient is not proportional to the gradient that comes in"
    assert found.fix == "multiply what SignOnly.backward returns by its grad_output"
    assert "same for any" not in found.why.replace("SignOnly.backward, called alone, gives the same for any", "")


def test_a_backward_that_multiplies_passes() -> None:
    assert answer(rule, Attentive, **REAL)[0].status == "passed"


def test_clipping_the_gradient_on_purpose_passes() -> None:
    trial_status, findings = answer(rule, clipped_mse, **REAL)
    assert (trial_status.status, findings) == ("passed", [])


def test_a_loss_that_computes_in_float32_inside_passes() -> None:
    def softmax_in_float32(pred: Tensor, target: Tensor) -> Tensor:
        return (pred.float().softmax(-1) - target.float()).square().mean()

    assert answer(rule, softmax_in_float32, **REAL)[0].status == "passed"


def test_a_loss_without_a_gradient_is_left_to_another_rule() -> None:
    status, _ = answer(rule, lambda pred, target: (pred.detach() - target).square().mean(), **REAL)
    assert (status.status, status.reason) == ("skipped", "there is no gradient at all (LS105)")


def test_the_printed_text_is_stable() -> None:
    lines = printed(rule, Deaf, **REAL).splitlines()
    assert lines[3:14] == [
        "    the gradient is the same for 1, 2, 0 and -3 times the loss",
        "      pred               [[-1.0408]]",
        "      target             [[-1.13706]]",
        "      value              0.00926508",
        "      grad of 1 * loss   [[0.192511]]",
        "      grad of 2 * loss   [[0.192511]]",
        "      grad of 0 * loss   [[0.192511]]",
        "      grad of -3 * loss  [[0.192511]]",
        "    why     Deaf.backward, called alone, gives the same for any grad_output; "
        "loss * 0.5 (a task weight, a GradScaler) leaves the gradient as it is",
        "    fix     multiply what Deaf.backward returns by its grad_output",
        "    allow   --ignore LS102",
    ]


def test_the_reproducer_prints_the_same_gradient_four_times(tmp_path) -> None:
    source = """
        class Ignoring(torch.autograd.Function):
            @staticmethod
            def forward(ctx, pred, target):
                ctx.save_for_backward(pred - target)
                return (pred - target).abs().sum()

            @staticmethod
            def backward(ctx, grad):
                return ctx.saved_tensors[0].sign(), None
    """
    _, lines = run_reproducer(tmp_path, rule, source, "Ignoring", **REAL)
    factors, grads = zip(*(line.split(" ", 1) for line in lines), strict=True)
    assert factors == ("1.0", "2.0", "0.0", "-3.0")
    assert len(set(grads)) == 1


@each_shipped
def test_shipped_losses_are_clean(family: str) -> None:
    status, findings = answer(rule, shipped(family))
    assert (status.status, findings) == ("passed", [])
