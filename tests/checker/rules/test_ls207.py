"""LS207: regions of wrong predictions on which the gradient is exactly 0."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from reproducing import run_reproducer
from ruletest import answer, printed
from shipped import each_shipped, shipped
from torch import nn

from lossmith.checker.rules import ls207_clamp_dead_zone as rule

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}
BOXES = {"pred": "boxes[N,4]", "target": "boxes[N,4]"}
SIGNS = {"x": "logits[N,C]", "y": "pm1[N,C]"}


def bce(p, target):
    return -(target * p.log() + (1 - target) * (1 - p).log()).mean()


def clamped_sigmoid(logits, target):
    return bce(logits.sigmoid().clamp(0.01, 0.99), target)


class ClampedProbabilities(nn.Module):
    def forward(self, p, target):
        return bce(torch.clip(p, 0.05, 0.95), target)


def hard_sigmoid(logits, target):
    return F.mse_loss(F.hardsigmoid(logits), target)


def image_in_range(pred, target):
    return F.mse_loss(pred.clamp(0, 1), target)


def rectified(logits, target):
    return F.binary_cross_entropy_with_logits(logits.relu(), target)


def areas(pred, target):
    low, high = torch.maximum(pred[:, :2], target[:, :2]), torch.minimum(pred[:, 2:], target[:, 2:])
    inner = (high - low).clamp(min=0).prod(1)
    union = (pred[:, 2:] - pred[:, :2]).prod(1) + (target[:, 2:] - target[:, :2]).prod(1) - inner
    hull = (torch.maximum(pred[:, 2:], target[:, 2:]) - torch.minimum(pred[:, :2], target[:, :2])).prod(1)
    return inner, union, hull


def iou(pred, target):
    inner, union, _ = areas(pred, target)
    return (1 - inner / union).mean()


def giou_without_hull(pred, target):
    return iou(pred, target)


FAULTS = [
    (clamped_sigmoid, {}, "logits gets no gradient where positives have a logit of -5"),
    (ClampedProbabilities(), {"p": "prob[N,C]", "target": "binary[N,C]"}, "positives have a probability of 0.03"),
    (hard_sigmoid, {"logits": "logits[N]", "target": "binary[N]"}, "where positives have a logit of -5"),
    (image_in_range, REAL, "pred gets no gradient where the prediction is -2"),
    (rectified, {}, "where positives have a logit of -0.5"),
    (giou_without_hull, BOXES, "where the boxes do not overlap"),
]


@pytest.mark.parametrize(("loss", "flags", "says"), FAULTS)
def test_a_flat_region_of_wrong_predictions_is_a_warning(loss, flags, says):
    _, (found,) = answer(rule, loss, **flags)
    assert found.severity == "warning"
    assert says in found.message


def test_a_plain_overlap_is_flat_by_definition():
    _, (found,) = answer(rule, iou, **BOXES)
    assert (found.severity, "where the boxes do not overlap" in found.message) == ("info", True)


def guarded(logits, target):
    return bce(logits.sigmoid().clamp(1e-6, 1 - 1e-6), target)


def test_the_usual_guard_is_information_at_most():
    _, (found,) = answer(rule, guarded)
    assert found.severity == "info"
    guard = nn.BCELoss()
    assert answer(rule, lambda p, target: guard(p.clamp(1e-7, 1 - 1e-7), target))[1] == []


def giou(pred, target):
    inner, union, hull = areas(pred, target)
    return (1 - inner / union + (hull - union) / hull).mean()


def biweight(pred, target):
    r = ((pred - target) / 4).abs().clamp(0, 1)
    return (1 - (1 - r.square()) ** 3).mean()


def log_of_counts(pred, target):
    return (pred.clamp(min=0).log1p() - target.clamp(min=0).log1p()).square().mean()


def ramp_loss(x, y):
    return (1 - x * y).clamp(0, 2).mean()


def at_most(x, y):
    return F.softplus(-x * y).clamp(max=3.0).mean()


INNOCENT = [
    (nn.BCEWithLogitsLoss(), {}),
    (lambda p, target: bce(p.clamp(1e-6, 1 - 1e-6), target), {"p": "prob[N,C]", "target": "binary[N,C]"}),
    (lambda logits, target: F.mse_loss(logits.sigmoid(), target), {}),
    (lambda pred, target: F.mse_loss(pred, target), REAL),
    (giou, BOXES),
    (lambda x, y: F.relu(1 - x * y).mean(), SIGNS),
    (lambda pred, target: F.relu((pred - target).abs() - 0.1).mean(), REAL),
    (biweight, REAL),
    (log_of_counts, REAL),
    (ramp_loss, SIGNS),
    (at_most, SIGNS),
]


@pytest.mark.parametrize(("loss", "flags"), INNOCENT)
def test_flat_where_it_is_right_or_meant_is_innocent(loss, flags):
    assert answer(rule, loss, **flags)[1] == []


@each_shipped
def test_shipped_losses_have_a_slope_where_they_are_wrong(family):
    assert [found for found in answer(rule, shipped(family))[1] if found.severity != "info"] == []


def test_a_loss_without_any_gradient_is_told_by_another_rule():
    def hits(logits, target):
        return 1 - (logits.argmax(-1) == target).float().mean() + 0 * logits.sum()

    assert answer(rule, hits, pred="logits[N,C]", target="index[N]")[0].status == "skipped"


def test_what_is_printed():
    text = printed(rule, clamped_sigmoid, pred="logits[N]", target="binary[N]")
    assert "LS207 clamp-dead-zone  warning, measured" in text
    assert "    logits gets no gradient where positives have a logit of -5 and around it, though" in text
    assert "      grad logits  [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]\n" in text
    assert "    fix     leave logits as it is and use the stable form (with_logits, log_softmax)" in text


def test_the_reproducer_prints_a_gradient_of_0(tmp_path: Path):
    source = """
    def image_in_range(pred, target):
        return F.mse_loss(pred.clamp(0, 1), target)
    """
    _, lines = run_reproducer(tmp_path, rule, source, "image_in_range", **REAL)
    assert "tensor([[0." in lines[-1].replace("-0.", "0.")


def test_a_slope_that_fades_until_it_is_rounded_away_is_no_clamp():
    def soft_sign(forecast, truth):
        return (1 - torch.tanh(5 * forecast) * truth).mean()

    assert answer(rule, soft_sign, pred="logits[N,C]", target="pm1[N,C]")[0].status == "passed"
