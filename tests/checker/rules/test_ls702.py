"""LS702, LS703, LS706, LS707, LS109 and LS504: information on what a loss is, for losses that correct code has too."""

import pytest
import torch
import torch.nn.functional as F
from ruletest import answer, printed, subject_of
from shipped import shipped
from torch import nn

from lossmith.checker.rules import (
    ls109_double_backward_broken,
    ls504_weight_cancels,
    ls702_improper,
    ls703_not_classification_calibrated,
    ls706_vanishing_when_wrong,
    ls707_exploding_zone,
)
from lossmith.checker.shares import map_of

LABELS = {"pred": "logits[N,C]", "target": "binary[N,C]"}
REAL = {"pred": "real[N,C]", "target": "real[N,C]"}
SIDES = {"pred": "logits[N,C]", "target": "pm1[N,C]"}


def bce(logits, target):
    return F.binary_cross_entropy_with_logits(logits, target)


def focal(logits, target):
    ce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return ((1 - torch.exp(-ce)) ** 2 * ce).mean()


def weighted(logits, target):
    return F.binary_cross_entropy_with_logits(logits, target, pos_weight=torch.tensor(3.0))


def brier(logits, target):
    return ((logits.sigmoid() - target) ** 2).mean()


def rounded(logits, target):
    return 1 - (2 * logits.sigmoid().round() * target).mean() / (1 + target.mean())


def hinge(scores, y):
    return F.relu(1 - y * scores).mean()


def exponential(scores, y):
    return torch.exp(-y * scores).mean()


def percentage(pred, target):
    return ((pred - target).abs() / target.abs().clamp(min=1e-8)).mean()


def symmetric_percentage(pred, target):
    return ((pred - target).abs() / (pred.abs() + target.abs() + 1)).mean()


class _Saved(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, target):
        p = torch.sigmoid(logits)
        ctx.save_for_backward(logits, target, p)
        return F.binary_cross_entropy_with_logits(logits, target, reduction="none")

    @staticmethod
    def backward(ctx, grad_output):
        logits, target, p = ctx.saved_tensors
        return grad_output * (p - target + 0 * logits), None


class _Computed(_Saved):
    @staticmethod
    def backward(ctx, grad_output):
        logits, target, _ = ctx.saved_tensors
        return grad_output * (logits.sigmoid() - target), None


def saved(logits, target):
    return _Saved.apply(logits, target).mean()


def computed(logits, target):
    return _Computed.apply(logits, target).mean()


class WeightedCE(nn.Module):
    def __init__(self, weight=None, per_sample=False):
        super().__init__()
        self.weight, self.per_sample = weight, per_sample

    def forward(self, logits, target):
        if self.per_sample:
            return F.cross_entropy(logits, target, weight=self.weight, reduction="sum") / len(target)
        return F.cross_entropy(logits, target, weight=self.weight)


class PerSample(WeightedCE):
    def __init__(self, weight=None):
        super().__init__(weight, True)


TOLD = [
    (ls702_improper, focal, LABELS, "its predictions are no probabilities: "),
    (ls702_improper, hinge, SIDES, "it predicts the likelier class, and not how likely it is"),
    (ls703_not_classification_calibrated, weighted, LABELS, "on the other side of 1/2"),
    (ls706_vanishing_when_wrong, brier, LABELS, "the gradient vanishes where it is most wrong"),
    (ls707_exploding_zone, exponential, SIDES, "times its usual size"),
    (ls707_exploding_zone, percentage, REAL, "times its usual size, with a target of 0"),
    (ls109_double_backward_broken, saved, LABELS, "the second derivative is 0.0 where the gradient changes by "),
    (ls504_weight_cancels, WeightedCE(), {}, "weight has no effect on a batch of one sample"),
]


@pytest.mark.parametrize(("rule", "loss", "flags", "says"), TOLD)
def test_what_a_user_may_not_expect_is_information(rule, loss, flags, says):
    _, (found,) = answer(rule, loss, **flags)
    assert (found.severity, found.grade) == ("info", "measured")
    assert says in found.message


@pytest.mark.parametrize(
    ("rule", "loss", "flags"),
    [
        (ls702_improper, bce, LABELS),
        (ls702_improper, brier, LABELS),
        (ls703_not_classification_calibrated, focal, LABELS),
        (ls702_improper, rounded, LABELS),  # it says 1 whatever the share is: a map of nothing
        (ls703_not_classification_calibrated, rounded, LABELS),
        (ls706_vanishing_when_wrong, bce, LABELS),
        (ls706_vanishing_when_wrong, focal, LABELS),
        (ls706_vanishing_when_wrong, hinge, SIDES),
        (ls707_exploding_zone, hinge, SIDES),
        (ls707_exploding_zone, symmetric_percentage, REAL),
        (ls109_double_backward_broken, computed, LABELS),
        (ls109_double_backward_broken, bce, LABELS),
        (ls504_weight_cancels, PerSample(), {}),
    ],
)
def test_what_is_as_expected_is_not_told(rule, loss, flags):
    assert answer(rule, loss, **flags)[1] == []


def test_predictions_that_theory_knows():
    """pos_weight w: p / (1 - p) = w P / (1 - P). Focal loss: Charoenphakdee et al. 2021, at 0.1 near 0.306."""
    by_share = map_of(subject_of(weighted, **LABELS))
    assert by_share.predicted[4] == pytest.approx(2 / 3, abs=0.01)
    assert map_of(subject_of(focal, **LABELS)).predicted[1] == pytest.approx(0.306, abs=0.01)
    assert map_of(subject_of(bce, **LABELS)).proper


def test_a_shipped_loss_is_not_told_what_its_documentation_says():
    status, found = answer(ls702_improper, shipped("torch.nn.BCEWithLogitsLoss"))
    assert (status.status, found) == ("not applicable", [])


def test_what_is_printed():
    text = printed(ls703_not_classification_calibrated, weighted, **LABELS)
    assert "LS703 not-classification-calibrated  info, measured" in text
    assert "    an event of probability 0.4 is predicted at 0.668, on the other side of 1/2\n" in text
