"""LS305: sums that a half precision cannot carry."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from reproducing import run_reproducer
from ruletest import answer, printed
from shipped import each_shipped, shipped
from torch import nn

from lossmith.checker.rules import ls305_low_precision_reduction as rule

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}


def sum_of_halves(pred, target):
    error = (pred - target).square().half()
    return error.sum() / error.numel()


def running_total(pred, target):
    total = torch.zeros((), dtype=torch.bfloat16)
    for row in (pred - target).square():
        total = total + row.sum().bfloat16()
    return total.float() / pred.numel()


class CountInBfloat16(nn.Module):
    def forward(self, logits, target):
        loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        count = torch.zeros(loss.shape[1], dtype=torch.bfloat16)
        for row in torch.ones_like(loss):
            count += row.to(torch.bfloat16)
        return loss.sum() / count.sum().float()


def scaled_halves(pred, target):
    return (100 * (pred - target).square()).to(dtype=torch.float16).sum().float() / (100 * pred.numel())


FAULTS = [
    (sum_of_halves, REAL, "computes in float16 and gets inf for 24576 samples"),
    (running_total, REAL, "computes in bfloat16 and gets 1.5 for 768 samples"),
    (CountInBfloat16(), {"logits": "logits[N,C]", "target": "binary[N,C]"}, "computes in bfloat16"),
    (scaled_halves, REAL, "computes in float16 and gets inf for 768 samples"),
]


@pytest.mark.parametrize(("loss", "flags", "says"), FAULTS)
def test_a_sum_that_the_loss_narrows_itself_is_a_warning(loss, flags, says):
    _, (found,) = answer(rule, loss, **flags)
    assert found.severity == "warning"
    assert says in found.message
    assert "test_ls305.py:" in found.location


def test_a_loop_over_samples_in_bfloat16_is_information():
    def loop(pred, target):
        total = 0.0
        for row in (pred - target).square():
            total = total + row.sum()
        return total / pred.numel()

    _, (found,) = answer(rule, loop, **REAL)
    assert found.severity == "info"
    assert "in bfloat16 the loss of 768 samples is 1.5, and 2.03785 in float64" in found.message


def under_autocast(pred, target):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return F.mse_loss(pred, target)


INNOCENT = [
    (lambda pred, target: (pred - target).float().square().mean(), REAL),
    (lambda pred, target: (pred - target).square().half().mean(), REAL),
    (lambda pred, target: (pred - target).square().bfloat16().mean().float(), REAL),
    (lambda pred, target: (pred - target).square().sum() / pred.numel(), REAL),
    (lambda pred, target: (pred - target).square().half().sum(dtype=torch.float32) / pred.numel(), REAL),
    (lambda pred, target: (pred - target).square().flatten().cumsum(0)[-1] / pred.numel(), REAL),
    (under_autocast, REAL),
    (nn.MSELoss(reduction="sum"), REAL),
    (nn.CrossEntropyLoss(), {}),
]


@pytest.mark.parametrize(("loss", "flags"), INNOCENT)
def test_sums_that_carry_float32_inside_are_innocent(loss, flags):
    status, found = answer(rule, loss, **flags)
    assert found == []
    assert status.status == "passed"


@each_shipped
def test_shipped_losses_sum_in_float32(family):
    assert answer(rule, shipped(family))[1] == []


def test_noise_is_not_taken_for_rounding():
    def noisy(pred, target):
        return (pred + torch.randn_like(pred) - target).half().square().mean()

    assert answer(rule, noisy, **REAL)[0].status == "skipped"


def test_what_is_printed():
    text = printed(rule, scaled_halves, **REAL)
    assert "LS305 low-precision-reduction  warning, measured" in text
    assert "      value                     inf\n" in text
    assert "      value in float32 or more  2.03801\n" in text
    assert "    fix     take the sum in float32: x.float().sum(), x.mean(dtype=torch.float32)" in text


def test_the_reproducer_prints_the_few_and_the_many(tmp_path: Path):
    source = """
    def sum_of_halves(pred, target):
        error = (pred - target).square().half()
        return error.sum() / error.numel()
    """
    _, lines = run_reproducer(tmp_path, rule, source, "sum_of_halves", **REAL)
    assert lines[0].startswith("of 2 samples tensor(")
    assert "of 24576 samples tensor(inf" in lines[1]


def test_a_sum_that_overflows_when_half_precision_is_handed_in_is_information():
    def energy(pred, target):
        return (pred - target).square().mul(100).sum() / target.square().mul(100).sum()

    (found,) = answer(rule, energy, **REAL)[1]
    assert (found.severity, "in float16" in found.message) == ("info", True)
