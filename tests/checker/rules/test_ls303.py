"""LS303: digits that float32 loses on ordinary inputs."""

from pathlib import Path

import pytest
import torch
from reproducing import run_reproducer
from ruletest import answer, printed
from shipped import each_shipped, shipped
from torch import nn

from lossmith.checker.rules import ls303_inaccurate_value as rule

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}


def correlation_in_one_pass(pred, target):
    n = pred.numel()
    both = n * (pred * target).sum() - pred.sum() * target.sum()
    one, other = (n * x.square().sum() - x.sum().square() for x in (pred, target))
    return 1 - both / (one * other).sqrt()


class ExplainedVariance(nn.Module):
    def forward(self, pred, target):
        spread = target.square().mean() - target.mean().square()
        return (pred - target).square().mean() / spread


def matching_moments(pred, target):
    def variance(x):
        return (x * x).mean() - x.mean() ** 2

    return (pred.mean() - target.mean()).square() + (variance(pred) - variance(target)).square()


@pytest.mark.parametrize("loss", [correlation_in_one_pass, ExplainedVariance(), matching_moments])
def test_a_difference_of_large_numbers_is_a_warning(loss):
    _, (found,) = answer(rule, loss, **REAL)
    assert found.severity == "warning"
    assert "for the same data around 1000" in found.message


def test_what_only_breaks_around_10000_is_information():
    _, (found,) = answer(rule, lambda pred, target: (pred**2 - 2 * pred * target + target**2).mean(), **REAL)
    assert found.severity == "info"


def correlation(pred, target):
    a, b = pred - pred.mean(), target - target.mean()
    return 1 - (a * b).sum() / (a.norm() * b.norm())


def explained_variance(pred, target):
    return (pred - target).square().mean() / (target - target.mean()).square().mean()


def moments(pred, target):
    return (pred.mean() - target.mean()).square() + (pred.var() - target.var()).square()


INNOCENT = [
    (correlation, REAL),
    (explained_variance, REAL),
    (moments, REAL),
    (lambda pred, target: (((pred - target).square() + 1).sqrt() - 1).mean(), REAL),  # 5 % off at 1e-3: next to nothing
    (lambda pred, target: (pred - target).cosh().log().mean(), REAL),
    (lambda p, t: -(t * (p + 1e-7).log() + (1 - t) * (1 - p + 1e-7).log()).mean(), {"p": "prob[N]", "t": "binary[N]"}),
]


@pytest.mark.parametrize(("loss", "flags"), INNOCENT)
def test_centred_forms_and_immaterial_errors_are_innocent(loss, flags):
    status, found = answer(rule, loss, **flags)
    assert found == []
    assert status.status == "passed"


@each_shipped
def test_shipped_losses_are_accurate(family):
    assert answer(rule, shipped(family))[1] == []


def test_half_precision_inside_is_another_matter():
    status, _ = answer(rule, lambda pred, target: (pred - target).half().square().mean(), **REAL)
    assert (status.status, status.reason) == ("skipped", "the loss computes in float16 inside (LS305)")


def test_noise_is_not_taken_for_rounding():
    status, _ = answer(rule, lambda pred, target: (pred + torch.randn_like(pred) - target).square().mean(), **REAL)
    assert (status.status, status.reason) == ("skipped", "the loss does not give the same answer twice (LS607)")


def test_what_is_printed():
    text = printed(rule, ExplainedVariance(), **REAL)
    assert "LS303 inaccurate-value  warning, measured" in text
    assert "    the value in float32 is " in text
    assert "      value in float64  " in text
    assert "    fix     subtract before squaring: (x - x.mean()).square().mean()" in text


def test_the_reproducer_prints_the_float32_value(tmp_path: Path):
    source = """
    def explained(pred, target):
        return (pred - target).square().mean() / (target.square().mean() - target.mean().square())
    """
    found, lines = run_reproducer(tmp_path, rule, source, "explained", **REAL)
    assert float(found.evidence["value"]) == pytest.approx(
        float(lines[0][len("tensor(") :].partition(",")[0]), rel=1e-3
    )
    assert torch.tensor(float(found.evidence["value in float64"])).isfinite()


def test_distances_of_all_pairs_by_a_product_of_matrices_are_information():
    def relations(pred, target):
        square = pred.square().sum(1)
        near = (square[:, None] + square[None] - 2 * pred @ pred.T).clamp(min=1e-6).sqrt()
        return (near - torch.cdist(target, target).detach()).square().mean()

    (found,) = answer(rule, relations, **REAL)[1]
    assert found.severity == "info"


def test_a_probability_that_no_network_gives_is_not_asked():
    def odds(p, t):
        return ((t - p) ** 2 / (p * (1 - p) + 1e-20)).sqrt().mean()

    assert answer(rule, odds, pred="prob[N,C]", target="binary[N,C]")[0].status == "passed"
