"""LS605 on losses that write into their arguments, and on their nearest innocent neighbours."""

import ast
from typing import Any

import pytest
import torch
from reproducing import run_reproducer
from ruletest import answer, printed
from shipped import each_shipped, shipped
from torch import Tensor, nn
from torch.nn import functional as F

from lossmith.checker.rules import ls605_mutates_input as rule
from lossmith.checker.writes import equal

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}


def smooths(pred: Tensor, target: Tensor) -> Tensor:
    target.mul_(0.9).add_(0.05)
    return F.binary_cross_entropy_with_logits(pred, target)


def caps(pred: Tensor, target: Tensor) -> Tensor:
    target[target > 1] = 1.0
    return (pred - target).square().mean()


def through_a_view(pred: Tensor, target: Tensor) -> Tensor:
    residual = pred.view(-1)
    residual.sub_(target.view(-1))
    return residual.square().mean()


def through_numpy(pred: Tensor, target: Tensor) -> Tensor:
    target.numpy()[0] = 0.0
    return (pred - target).square().mean()


def through_data(pred: Tensor, target: Tensor) -> Tensor:
    target.data.clamp_(max=0.5)
    return (pred - target).square().mean()


def only_far_out(pred: Tensor, target: Tensor) -> Tensor:
    pred.clamp_(-90, 90)
    return (pred - target).square().mean()


def never_really(pred: Tensor, target: Tensor) -> Tensor:
    target.clamp_(-1e30, 1e30)
    return (pred - target).square().mean()


def leaves_pred_as_it_was(pred: Tensor, target: Tensor) -> Tensor:
    pred.clamp_(-1e30, 1e30)
    return (pred - target).square().mean()


class Rectified(nn.Module):
    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return (F.relu(pred, inplace=True) - target).abs().mean()


class MaskedMean(nn.Module):
    def forward(self, pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        mask /= mask.sum()
        return ((pred - target).square() * mask).sum()


def writes_into_a_copy(pred: Tensor, target: Tensor) -> Tensor:
    target = target.clone()
    target[target > 1] = 1.0
    return (pred - target).square().mean()


def writes_into_its_residual(pred: Tensor, target: Tensor) -> Tensor:
    residual = pred - target
    residual.mul_(2)
    return residual.square().mean()


def out_of_place(pred: Tensor, target: Tensor) -> Tensor:
    return (F.relu(pred) - target.clamp(max=1.0)).abs().mean()


@pytest.mark.parametrize("loss", [caps, through_numpy, through_data])
def test_a_changed_target_is_shown_before_and_after(loss: Any) -> None:
    status, (found,) = answer(rule, loss, **REAL)
    assert (status.status, found.code, found.severity) == ("failed", "LS605", "error")
    assert found.message == "the call writes into target"
    assert found.evidence["target before"] != found.evidence["target after"]


def test_the_values_shown_are_what_the_loss_computes() -> None:
    _, (found,) = answer(rule, smooths, pred="logits[N]", target="binary[N]")
    [before], [after] = (ast.literal_eval(found.evidence[f"target {when}"]) for when in ("before", "after"))
    assert after == pytest.approx(0.9 * before + 0.05)
    assert found.location.endswith(f":{smooths.__code__.co_firstlineno + 1}")


@pytest.mark.parametrize("loss", [through_a_view, Rectified()])
def test_a_written_prediction_is_named_with_the_error_of_autograd(loss: Any) -> None:
    _, (found,) = answer(rule, loss, **REAL)
    assert found.severity == "error"
    assert found.message == "the call writes into pred"
    assert "leaf Variable that requires grad" in found.evidence["with a gradient"]


def test_a_mask_is_an_input_too() -> None:
    _, (found,) = answer(rule, MaskedMean(), **REAL, mask="mask[N,C]")
    assert (found.severity, found.message) == ("error", "the call writes into mask")


def test_a_write_that_shows_only_on_large_inputs_is_found() -> None:
    _, (found,) = answer(rule, only_far_out, **REAL)
    assert found.severity == "error"
    assert abs(ast.literal_eval(found.evidence["pred before"])[0][0]) > 90


def test_a_write_without_an_effect_is_a_warning_for_the_target_and_an_error_for_the_prediction() -> None:
    _, (harmless,) = answer(rule, never_really, **REAL)
    _, (fatal,) = answer(rule, leaves_pred_as_it_was, **REAL)
    assert (harmless.severity, fatal.severity) == ("warning", "error")
    assert harmless.evidence["target before"] == harmless.evidence["target after"]


@pytest.mark.parametrize("loss", [writes_into_a_copy, writes_into_its_residual, out_of_place, nn.MSELoss()])
def test_writing_into_its_own_tensors_is_innocent(loss: Any) -> None:
    assert answer(rule, loss, **REAL)[0].status == "passed"


def test_nan_is_not_a_change() -> None:
    nan = torch.tensor([float("nan"), 1.0])
    assert equal(nan, nan.clone())
    assert not equal(nan, torch.tensor([0.0, 1.0]))


def test_the_printed_text_is_stable() -> None:
    lines = printed(rule, caps, **REAL).splitlines()
    assert lines[2].startswith("  LS605 mutates-input  error, measured  ")
    assert lines[3:9] == [
        "    the call writes into target",
        "      target before  [[1.1718]]",
        "      target after   [[1.0]]",
        "    why     an assignment writes into it",
        "    fix     start from a copy: target = target.clone()",
        "    allow   --ignore LS605",
    ]


def test_the_reproducer_prints_both(tmp_path) -> None:
    source = "def capped(pred, target):\n    target.clamp_(max=0.25)\n    return F.mse_loss(pred, target)\n"
    _, lines = run_reproducer(tmp_path, rule, source, "capped", **REAL)
    assert lines[0] != lines[1] == "tensor([[0.2500]])"
    assert lines[2] == "version 0 -> 1"


@each_shipped
def test_shipped_losses_are_clean(family: str) -> None:
    status, findings = answer(rule, shipped(family))
    assert findings == []
    assert status.status in ("passed", "not applicable")
