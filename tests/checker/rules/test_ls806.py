"""LS806 on a loss that is half of its reference, on its twin, and where nothing is to be compared."""

from dataclasses import replace

import torch.nn.functional as F
from ruletest import answer, subject_of
from torch import Tensor

from lossmith.checker.rules import ls806_reference_mismatch as rule

REAL = {"pred": "real[N]", "target": "real[N]"}


def half(pred: Tensor, target: Tensor) -> Tensor:
    return 0.5 * (pred - target).square().mean()


def whole(pred: Tensor, target: Tensor) -> Tensor:
    return (pred - target).square().mean()


def detached(pred: Tensor, target: Tensor) -> Tensor:
    return F.mse_loss(pred, target) + 0.1 * (pred - pred.detach()).sum()


def against(loss: object, reference: str) -> tuple[str, list[str], str]:
    status, found = answer(rule, replace(subject_of(loss, **REAL), reference=reference))
    return status.status, [each.message for each in found], status.reason


def test_half_of_the_reference_is_found_with_the_ratio() -> None:
    status, (said,), _ = against(half, "torch.nn.MSELoss")
    assert status == "failed"
    assert said.startswith("the value is not that of torch.nn.MSELoss")


def test_another_gradient_of_the_same_value_is_found() -> None:
    assert against(detached, "torch.nn.functional.mse_loss")[1][0].startswith("the gradient is not that of")


def test_the_same_loss_passes() -> None:
    assert against(whole, "torch.nn.MSELoss")[0] == "passed"
    assert against(whole, "torch.nn:functional.mse_loss")[0] == "passed"


def test_without_a_reference_it_says_nothing_and_a_wrong_one_is_told() -> None:
    assert against(half, "")[::2] == ("not applicable", "no --reference is given")
    assert against(half, "torch.nn.NoLoss")[2] == "there is no torch.nn.NoLoss"
