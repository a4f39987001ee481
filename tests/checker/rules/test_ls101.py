"""LS101 on hand-written backwards that are wrong, and on gradients that only look wrong."""

import ast
from typing import Any

import jax
import jax.numpy as jnp
import pytest
import torch
from reproducing import run_reproducer
from ruletest import answer, printed, subject_of
from shipped import each_shipped, shipped
from torch import Tensor, nn
from torch.nn import functional as F

from lossmith.checker.handwritten import HandWritten
from lossmith.checker.rules import ls101_wrong_gradient as rule
from lossmith.checker.slopes import Moving, look, slope

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}


class PerSample(torch.autograd.Function):
    """The forward averages over all elements, the backward divides by the number of samples."""

    @staticmethod
    def forward(ctx: Any, pred: Tensor, target: Tensor) -> Tensor:
        ctx.save_for_backward(pred, target)
        return (pred - target).square().mean()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        pred, target = ctx.saved_tensors
        return grads[0] * 2 * (pred - target) / len(pred), None


class Power(torch.autograd.Function):
    """residual ** 2, whose backward is `factor` times the derivative; with `constant` it is not even proportional."""

    @staticmethod
    def forward(ctx: Any, residual: Tensor, factor: float, constant: float) -> Tensor:
        ctx.save_for_backward(residual)
        ctx.settings = (factor, constant)
        return residual.square()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (residual,) = ctx.saved_tensors
        factor, constant = ctx.settings
        return grads[0] * (factor * 2 * residual + constant), None, None


class Squared(nn.Module):
    def __init__(self, factor: float = 1.0, constant: float = 0.0) -> None:
        super().__init__()
        self.factor, self.constant = factor, constant

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return Power.apply(pred - target, self.factor, self.constant).mean()


class UnclippedHuber(torch.autograd.Function):
    """Right for small residuals, and never tried on large ones."""

    @staticmethod
    def forward(ctx: Any, pred: Tensor, target: Tensor) -> Tensor:
        ctx.save_for_backward(pred - target)
        return F.huber_loss(pred, target, delta=10.0)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (residual,) = ctx.saved_tensors
        return grads[0] * residual / residual.numel(), None


@jax.custom_vjp
def jax_square(pred: Any, target: Any) -> Any:
    return jnp.mean((pred - target) ** 2)


jax_square.defvjp(
    lambda pred, target: (jax_square(pred, target), (pred, target)),
    lambda saved, g: (g * (saved[0] - saved[1]) / saved[0].size, None),
)


def jax_half(pred: Any, target: Any) -> Any:
    return jax_square(pred, target) + 0.0 * jnp.sum(target)


def jax_log_cosh(pred: Any, target: Any) -> Any:
    return jnp.mean(jnp.log(jnp.cosh(pred - target)))


def numbers(text: str) -> Tensor:
    return torch.tensor(ast.literal_eval(text))


def test_a_backward_that_divides_by_the_wrong_size_is_named_with_that_size() -> None:
    status, (found,) = answer(rule, PerSample, **REAL)
    assert (status.status, found.code, found.severity) == ("failed", "LS101", "error")
    assert found.message == "autograd gives 5 times the derivative of the forward"
    assert "the factor is the number of elements of a sample" in found.why
    assert found.fix == "divide what PerSample.backward returns by the number of elements of a sample"


def test_the_evidence_is_the_derivative_that_a_person_computes_by_hand() -> None:
    _, (found,) = answer(rule, PerSample, **REAL)
    pred, target = numbers(found.evidence["pred"]), numbers(found.evidence["target"])
    true = 2 * (pred - target) / pred.numel()
    assert torch.allclose(numbers(found.evidence["differences pred"]), true, rtol=1e-3)
    assert torch.allclose(numbers(found.evidence["grad pred"]), true * 5, rtol=1e-3)


@pytest.mark.parametrize(
    ("factor", "constant", "message", "fix"),
    [
        (
            0.5,
            0.0,
            "autograd gives 0.5 times the derivative of the forward",
            "multiply what Power.backward returns by 2",
        ),
        (
            -1.0,
            0.0,
            "autograd gives the derivative of the forward with the opposite sign",
            "return the negative of what",
        ),
        (1.0, 1.0, "where the derivative of the forward is", "let autograd differentiate"),
    ],
)
def test_factor_sign_and_shape_are_told_apart(factor: float, constant: float, message: str, fix: str) -> None:
    _, (found,) = answer(rule, Squared(factor, constant), **REAL)
    assert found.severity == "error"
    assert message in found.message
    assert fix in found.fix
    assert "the backward of Power, called alone, is not the derivative of its forward" in found.why


def test_a_backward_that_is_wrong_only_for_large_residuals_is_found() -> None:
    _, (found,) = answer(rule, UnclippedHuber, **REAL)
    assert found.severity == "error"
    assert abs(numbers(found.evidence["pred"]) - numbers(found.evidence["target"])).max() > 10


def test_a_custom_vjp_of_jax_is_judged_by_the_same_differences() -> None:
    status, (found,) = answer(rule, jax_half, **REAL)
    assert (status.status, found.severity) == ("failed", "error")
    assert found.message == "autograd gives 0.5 times the derivative of the forward"
    assert answer(rule, jax_log_cosh, **REAL)[0].status == "passed"


def test_the_right_backward_passes() -> None:
    assert answer(rule, Squared(), **REAL)[0].status == "passed"


@pytest.mark.parametrize("loss", [nn.L1Loss(), nn.SmoothL1Loss(), nn.HuberLoss(), nn.HingeEmbeddingLoss()])
def test_kinks_are_never_accused(loss: nn.Module) -> None:
    at_kinks = (torch.tensor([0.0, 1.0, -1.0, 2.0, 0.0]), torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0]))
    if isinstance(loss, nn.HingeEmbeddingLoss):
        at_kinks = (torch.tensor([1.0, 1.0, 2.0, 0.5]), torch.tensor([-1.0, 1.0, -1.0, -1.0]))
    assert answer(rule, loss, example=at_kinks)[0].status == "passed"


def test_a_loss_without_a_gradient_is_left_to_another_rule() -> None:
    status, _ = answer(rule, lambda pred, target: (pred.detach() - target).square().mean(), **REAL)
    assert status.status == "skipped"
    assert "LS105" in status.reason


def test_a_kink_and_rounding_make_a_slope_unsure_instead_of_wrong() -> None:
    smooth = slope(lambda t: (1.0 + t) ** 3, 1.0, torch.float64)
    kink = slope(lambda t: abs(t), 1.0, torch.float64)
    hidden = slope(lambda t: (1e12 + 1e-3 * t) - 1e12, 1.0, torch.float64)
    jump = slope(lambda t: float(t > 0), 1.0, torch.float64)
    assert smooth is not None
    assert abs(smooth.value - 3.0) < 1e-3 >= smooth.error / 10
    assert kink is not None
    assert kink.error > 1.0
    assert hidden is not None
    assert hidden.flat
    assert jump is not None
    assert jump.error > 1.0


def test_the_printed_text_is_stable() -> None:
    lines = printed(rule, Squared(0.5), **REAL).splitlines()
    assert lines[2].startswith("  LS101 wrong-gradient  error, measured  ")
    assert lines[3:12] == [
        "    autograd gives 0.5 times the derivative of the forward",
        "      pred              [[-1.5256]]",
        "      target            [[0.731167]]",
        "      value             5.09298",
        "      grad pred         [[-2.25676]]",
        "      differences pred  [[-4.51353]]",
        "    why     the backward of Power, called alone, is not the derivative of its forward",
        "    fix     multiply what Power.backward returns by 2",
        "    allow   --ignore LS101",
    ]


def test_the_reproducer_prints_both_slopes(tmp_path) -> None:
    source = """
        class Doubled(torch.autograd.Function):
            @staticmethod
            def forward(ctx, pred, target):
                ctx.save_for_backward(pred, target)
                return (pred - target).square().mean()

            @staticmethod
            def backward(ctx, grad):
                pred, target = ctx.saved_tensors
                return grad * 4 * (pred - target) / pred.numel(), None
    """
    _, lines = run_reproducer(tmp_path, rule, source, "Doubled", **REAL)
    autograd, differences = (float(line.split()[1]) for line in lines)
    assert autograd == pytest.approx(2 * differences, rel=1e-4)


@each_shipped
def test_shipped_losses_are_clean(family: str) -> None:
    status, findings = answer(rule, shipped(family))
    assert (status.status, findings) == ("passed", [])


class OneBranch(torch.autograd.Function):
    """Its backward forgets beta in the inner branch alone."""

    @staticmethod
    def forward(ctx: Any, pred: Tensor, target: Tensor) -> Tensor:
        d = pred - target
        ctx.save_for_backward(d)
        return torch.where(d.abs() < 0.1, 5 * d * d, d.abs() - 0.05).sum()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (d,) = ctx.saved_tensors
        return grad * torch.where(d.abs() < 0.1, 5 * d, d.sign()), None


def test_a_backward_that_is_wrong_in_one_branch_is_no_surrogate() -> None:
    (found,) = answer(rule, OneBranch.apply, **REAL)[1]
    assert found.severity == "error"
    assert "OneBranch" in found.why
    pred, target = torch.full((300,), 5.0, dtype=torch.float64), torch.zeros(300, dtype=torch.float64)
    pred[3] = 0.05  # one of 300 in the wrong branch hides in any sum
    assert HandWritten(OneBranch, (pred, target)).exact is False
    assert HandWritten(OneBranch, (pred + 1, target)).exact is True


@pytest.mark.parametrize("cut", [lambda term: term.data, Tensor.detach])
def test_a_term_that_is_detached_and_added_is_a_warning(cut: Any) -> None:
    def two_terms(pred: Tensor, target: Tensor) -> Tensor:
        return F.l1_loss(pred, target) + 0.5 * cut((pred - target).square().mean())

    (found,) = answer(rule, two_terms, **REAL)[1]
    assert (found.severity, found.fix[:27]) == ("warning", "add the tensor itself, with")


def test_a_balance_of_two_terms_that_is_detached_is_meant() -> None:
    def balanced(pred: Tensor, target: Tensor) -> Tensor:
        one, other = F.l1_loss(pred, target), F.mse_loss(pred, target)
        return one + other * (one.detach() / other.detach())

    assert [found.severity for found in answer(rule, balanced, **REAL)[1]] == ["info"]


class BothSides(torch.autograd.Function):
    """A squared distance whose backward is `factor` times the derivative, and `sign` times its negative for b."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, factor: float, sign: float) -> Tensor:
        ctx.save_for_backward(a - b)
        ctx.settings = (factor, sign)
        return (a - b).square().sum(1).mean()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        (residual,) = ctx.saved_tensors
        factor, sign = ctx.settings
        one = grads[0] * factor * 2 * residual / residual.shape[0] / (residual.numel() / residual.shape[:2].numel())
        return one, -sign * one, None, None


@pytest.mark.parametrize(("sign", "told"), [(1.0, []), (-1.0, ["error"])])
def test_the_gradient_that_a_backward_gives_for_the_target_is_asked(sign: float, told: list[str]) -> None:
    def distance(pred: Tensor, target: Tensor) -> Tensor:
        return BothSides.apply(pred, target, 1.0, sign)

    assert [found.severity for found in answer(rule, distance, **REAL)[1]] == told


@pytest.mark.parametrize("right", [True, False])
def test_a_factor_that_is_one_on_an_axis_of_one_is_seen_on_a_longer_one(right: bool) -> None:
    class Mean(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, pred: Tensor, target: Tensor) -> Tensor:
            ctx.save_for_backward(pred - target)
            return (pred - target).square().mean(1)

        @staticmethod
        def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
            (residual,) = ctx.saved_tensors
            return grads[0][:, None] * 2 * residual / (residual.shape[1] if right else 1), None

    images = {"pred": "real[N,1,H,W]", "target": "real[N,1,H,W]"}
    assert [found.severity for found in answer(rule, Mean.apply, **images)[1]] == ([] if right else ["error"])


class OneEntry(torch.autograd.Function):
    """A squared error whose backward is twice the derivative at one entry alone."""

    @staticmethod
    def forward(ctx: Any, pred: Tensor, target: Tensor, entry: int) -> Tensor:
        ctx.save_for_backward(pred - target)
        ctx.entry = entry
        return (pred - target).square().mean()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (residual,) = ctx.saved_tensors
        grad = grads[0] * 2 * residual / residual.numel()
        if ctx.entry >= 0:
            grad.view(-1)[ctx.entry] *= 2
        return grad, None, None


@pytest.mark.parametrize(("entry", "told"), [(-1, []), (0, ["error"]), (7, ["error"]), (11, ["error"])])
def test_a_backward_that_is_wrong_at_one_entry_is_found_wherever_it_is(entry: int, told: list[str]) -> None:
    def squared(pred: Tensor, target: Tensor) -> Tensor:
        return OneEntry.apply(pred, target, entry)

    assert [found.severity for found in answer(rule, squared, **REAL)[1]] == told


def test_a_met_slope_of_all_entries_spares_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    sample = Moving.sample
    monkeypatch.setattr(Moving, "sample", lambda self, elements: asked.append(len(elements)) or sample(self, elements))
    alone = []
    for loss in (F.mse_loss, Squared(0.5)):
        asked.clear()
        answer(rule, loss, **REAL)
        alone.append(asked.count(1))
    assert alone[0] <= 3 < 12 <= alone[1]  # a square near a match is too curved for all at once


class Cancelling(PerSample):
    """Its backward errs to and fro: along a way that moves each entry by its size, by nothing."""

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        pred, target = ctx.saved_tensors
        grad = (2 * (pred - target) / pred.numel()).reshape(-1, 2)
        size = pred.abs().clamp(min=0.1 * float(pred.abs().mean())).reshape(-1, 2)
        least = (grad.abs() * size).amin(1, keepdim=True)  # so that no error turns a sign
        error = torch.tensor([0.9, -0.9]) * least * grad.sign() / size
        return grads[0] * (grad + error).reshape(pred.shape), None


def test_errors_that_cancel_are_found() -> None:
    subject = subject_of(Cancelling.apply, **REAL)
    assert look(subject, subject.draw(1), torch.float64, 3).wrong
    assert not look(subject_of(F.mse_loss, **REAL), subject.draw(1), torch.float64, 3).wrong
