"""LS209: settings at which a loss that is finite stops being so."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from reproducing import run_reproducer
from ruletest import answer, printed
from shipped import each_shipped, shipped
from torch import nn

from lossmith.checker.rules import ls209_hyperparameter_cliff as rule

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}


class Focal(nn.Module):
    """Takes any gamma >= 0."""

    def __init__(self, gamma=2.0):
        super().__init__()
        self.gamma = gamma

    def forward(self, logits, target):
        ce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        return ((1 - torch.exp(-ce)) ** self.gamma * ce).mean()


class FocalThatRefuses(Focal):
    """Refuses what it cannot differentiate."""

    def __init__(self, gamma=2.0):
        if gamma < 1:
            raise ValueError("gamma must be 1 or more")
        super().__init__(gamma)


class PlainFocal(Focal):
    """Says nothing of its range."""


def smoothed_kl(logits, target, smoothing=0.1):
    t = (1 - smoothing) * F.one_hot(target, logits.shape[1]) + smoothing / logits.shape[1]
    return (t * (t.log() - logits.log_softmax(-1))).sum(-1).mean()


def focal_tversky(p, target, gamma=0.9):
    hit = (p * target).sum()
    return (1 - (hit + 1) / (hit + 0.7 * (target * (1 - p)).sum() + 0.3 * ((1 - target) * p).sum() + 1)) ** (1 / gamma)


def log_focal(logits, target, gamma=2.0):
    ce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    other = F.logsigmoid(logits * (1 - 2 * target))
    return ((gamma * other).exp() * ce).mean()


FAULTS = [
    (Focal(), {}, "with gamma=0.5 the gradient is not finite"),
    (smoothed_kl, {"logits": "logits[N,C]", "target": "index[N]"}, "with smoothing=0 the value is not finite"),
    (focal_tversky, {"p": "prob[N]", "target": "binary[N]"}, "with gamma=3 the gradient is not finite"),
]


@pytest.mark.parametrize(("loss", "flags", "says"), FAULTS)
def test_a_usual_setting_that_breaks_is_a_warning(loss, flags, says):
    _, (found,) = answer(rule, loss, **flags)
    assert found.severity == "warning"
    assert says in found.message


def test_what_few_use_is_information_unless_the_loss_says_that_it_takes_it():
    _, (found,) = answer(rule, PlainFocal())
    assert found.severity == "info"
    assert "gamma=0.5" in found.message


INNOCENT = [
    (FocalThatRefuses(), {}),
    (log_focal, {}),
    (nn.HuberLoss(), REAL),
    (lambda pred, target, eps=1e-8: (pred - target).abs().mean() + eps, REAL),
]


@pytest.mark.parametrize(("loss", "flags"), INNOCENT)
def test_refusing_or_standing_it_is_innocent(loss, flags):
    assert answer(rule, loss, **flags)[1] == []


def test_a_loss_that_is_broken_by_default_is_left_to_other_rules():
    status, _ = answer(rule, lambda pred, target, gamma=2.0: (pred - target).cosh().log().mean() * gamma, **REAL)
    assert (status.status, status.reason) == ("skipped", "it is not finite everywhere with its own settings")


@each_shipped
def test_shipped_losses_stand_their_usual_settings(family):
    assert answer(rule, shipped(family))[1] == []


def test_what_is_printed():
    text = printed(rule, Focal())
    assert "LS209 hyperparameter-cliff  warning, measured" in text
    assert (
        "    with gamma=0.5 the gradient is not finite with logits of 20 on the right side; with gamma=2 it is\n"
        in text
    )
    assert "      gamma        0.5\n" in text
    assert "    fix     refuse it (gamma out of range: raise ValueError)" in text


def test_the_reproducer_builds_the_loss_with_the_setting(tmp_path: Path):
    source = '''
    class Focal(nn.Module):
        """Takes any gamma >= 0."""

        def __init__(self, gamma=2.0):
            super().__init__()
            self.gamma = gamma

        def forward(self, logits, target):
            ce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
            return ((1 - torch.exp(-ce)) ** self.gamma * ce).mean()
    '''
    _, lines = run_reproducer(tmp_path, rule, source, "Focal", logits="logits[N,C]", target="binary[N,C]")
    assert "nan" in lines[-1] or "inf" in lines[-1]


def test_a_power_whose_formula_excludes_a_value_is_not_asked_at_it():
    def tweedie(pred, target, p=1.5):
        return (-target * pred ** (1 - p) / (1 - p) + pred ** (2 - p) / (2 - p)).mean()

    assert answer(rule, tweedie, pred="positive[N,C]", target="positive[N,C]")[0].status == "passed"


def test_a_small_p_is_a_share_and_no_power():
    def sparse(pred, p=0.05):
        q = pred.sigmoid().mean(0).clamp(1e-4, 1 - 1e-4)
        return -(p * q.log() + torch.log(torch.tensor(1 - p)) * (1 - q)).sum()

    assert answer(rule, sparse, pred="real[N,C]")[0].status == "passed"
