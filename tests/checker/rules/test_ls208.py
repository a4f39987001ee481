"""LS208: a loss that falls without end, and those that may."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from reproducing import run_reproducer
from ruletest import answer, printed
from shipped import each_shipped, shipped
from torch import nn

from lossmith.checker.rules import ls208_unbounded_below as rule

BINARY = {"pred": "logits[N,C]", "target": "binary[N,C]"}
REAL = {"pred": "real[N,C]", "target": "real[N,C]"}


def dice_of_logits(logits, target):
    return 1 - (2 * (logits * target).sum() + 1) / (logits.sum() + target.sum() + 1)


def nll_of_logits(logits, target):
    return F.nll_loss(logits, target)


class KLOfLogits(nn.Module):
    def forward(self, student, teacher):
        return F.kl_div(student, teacher, reduction="batchmean")


def triplet_without_hinge(anchor, positive, negative):
    return ((anchor - positive).norm(dim=1) - (anchor - negative).norm(dim=1) + 1.0).mean()


def signed_residuals(pred, target):
    return (pred - target).mean()


def labels_of_the_other_kind(logits, target):
    return F.binary_cross_entropy_with_logits(logits, target)


def extreme_values(sign):
    def gumbel(loc, log_beta, y):
        assert loc.shape == log_beta.shape == y.shape
        z = (y - loc) * torch.exp(-log_beta)
        return (log_beta + z + sign * torch.exp(-z)).mean()

    return gumbel


def likelihood_with_the_wrong_sign(p, target):
    return (target * p.log() + (1 - target) * (1 - p).log()).mean()


FAULTS = [
    (extreme_values(-1.0), {}, "a quotient has a pole at valid predictions"),
    (dice_of_logits, BINARY, "a quotient has a pole at valid predictions"),
    (nll_of_logits, {}, "falls without end along logits + t * away: "),
    (KLOfLogits(), {"pred": "logits[N,C]", "target": "dist[N,C]"}, "falls without end along student"),
    (triplet_without_hinge, {}, "falls without end along negative"),
    (signed_residuals, REAL, "falls without end along pred + t * away: "),
    (labels_of_the_other_kind, {"pred": "logits[N]", "target": "pm1[N]"}, "falls without end along logits"),
    (likelihood_with_the_wrong_sign, {"p": "prob[N]", "target": "binary[N]"}, "p with logits t * away"),
]


@pytest.mark.parametrize(("loss", "flags", "says"), FAULTS)
def test_a_loss_without_a_bound_is_told(loss, flags, says):
    _, (found,) = answer(rule, loss, **flags)
    assert (found.severity, found.grade) == ("error", "measured")
    assert says in found.message


def dice(logits, target):
    return dice_of_logits(logits.sigmoid(), target)


def kl(student, teacher):
    return F.kl_div(student.log_softmax(-1), teacher, reduction="batchmean")


def triplet(anchor, positive, negative):
    return F.softplus((anchor - positive).norm(dim=1) - (anchor - negative).norm(dim=1)).mean()


def learned_variance(pred, target, var):
    return (0.5 * (var.log() + (pred - target).square() / var)).mean()


def mean_and_variance_in_one(pred, target):
    mean, log_var = pred[..., 0], pred[..., 1]
    return (log_var + (mean - target).square() * (-log_var).exp()).mean()


def log_of_the_error(pred, target):
    return (pred - target).square().mean().log()


def wasserstein(pred, target):
    return (pred * target).mean()


def critic(real, fake):
    return fake.mean() - real.mean()


INNOCENT = [
    (extreme_values(1.0), {}),
    (dice, BINARY),
    (lambda logits, target: F.nll_loss(logits.log_softmax(-1), target), {}),
    (kl, {"pred": "logits[N,C]", "target": "dist[N,C]"}),
    (triplet, {}),
    (lambda pred, target: (pred - target).abs().mean(), REAL),
    (lambda logits, target: F.softplus(-logits * target).mean(), {"pred": "logits[N]", "target": "pm1[N]"}),
    (nn.BCELoss(), {"pred": "prob[N]", "target": "binary[N]"}),
    (learned_variance, {"pred": "real[N]", "target": "real[N]", "var": "positive[N]"}),
    (mean_and_variance_in_one, {"pred": "real[N,2]", "target": "real[N]"}),
    (log_of_the_error, REAL),
    (wasserstein, {"pred": "real[N]", "target": "pm1[N]"}),
    (wasserstein, REAL),
    (critic, {}),
    (lambda input, target: F.nll_loss(input, target), {}),
]


@pytest.mark.parametrize(("loss", "flags"), INNOCENT)
def test_repaired_linear_and_variance_losses_are_innocent(loss, flags):
    assert answer(rule, loss, **flags)[1] == []


@each_shipped
def test_shipped_losses_are_bounded(family):
    assert answer(rule, shipped(family))[1] == []


def test_what_is_printed():
    text = printed(rule, nll_of_logits, pred="logits[N,C]", target="index[N]")
    assert "LS208 unbounded-below  error, measured" in text
    assert "    the loss falls without end along logits + t * away: -99.3471, -9999.35, -999999.0\n" in text
    assert "    fix     apply softmax or log_softmax to logits first: it holds logits\n" in text


def test_the_reproducers_show_the_descent(tmp_path: Path):
    source = """
    def nll(logits, target):
        return F.nll_loss(logits, target)

    def dice(logits, target):
        return 1 - (2 * (logits * target).sum() + 1) / (logits.sum() + target.sum() + 1)
    """
    _, lines = run_reproducer(tmp_path, rule, source, "nll", pred="logits[N,C]", target="index[N]")
    assert len(lines) == 3
    assert "-1000000" in lines[-1] or "-999999" in lines[-1]
    _, lines = run_reproducer(tmp_path, rule, source, "dice", **BINARY)
    assert float(lines[-1].partition("tensor(")[2].partition(",")[0]) < -1e5


def test_a_pole_that_no_line_meets_is_no_finding():
    def guarded(logits, target):
        return 1 - 2 * (logits.abs() * target).sum() / (logits.abs().sum() + target.sum() + 1)

    assert answer(rule, guarded, **BINARY)[1] == []
    assert torch.isfinite(guarded(torch.zeros(2), torch.zeros(2)))


@pytest.mark.parametrize("weighed", [False, True])
def test_a_residual_without_its_square_is_read_as_regression_and_falls_without_end(weighed: bool):
    def without_square(pred, target, weight):
        return ((pred - target) * weight).mean()

    def without_abs(pred, target):
        return (pred - target).mean()

    (found,) = answer(rule, without_square if weighed else without_abs)[1]
    assert found.severity == "error"


@pytest.mark.parametrize("sign", [1, -1])
def test_a_log_variance_is_asked_for_its_far_ends(sign):
    def likelihood(mean, log_var, target):
        return (0.5 * torch.exp(sign * log_var) * (mean - target) ** 2 + 0.5 * log_var).mean()

    assert [found.severity for found in answer(rule, likelihood)[1]] == (["error"] if sign > 0 else [])


@pytest.mark.parametrize(("sign", "status"), [(-1, "failed"), (1, "passed")])
def test_the_logarithm_of_a_deviation_is_one_of_a_variance(sign, status):
    def nll(mean, log_sigma, y):
        return (0.5 * ((y - mean) / log_sigma.exp()) ** 2 + sign * log_sigma).mean()

    assert answer(rule, nll)[0].status == status


def test_two_log_variances_are_asked_for_their_far_ends():
    def divergence(sign):
        def kl(mu_q, logvar_q, mu_p, logvar_p):
            ratio = (sign * (logvar_q - logvar_p)).exp()
            return 0.5 * (ratio + (mu_q - mu_p) ** 2 / logvar_p.exp() - 1 + logvar_p - logvar_q).mean()

        return kl

    assert [found.severity for found in answer(rule, divergence(-1))[1]] == ["error"]
    assert answer(rule, divergence(1))[1] == []


def test_what_is_only_guessed_to_be_positive_is_asked_below_zero():
    def divided_by_the_prediction(size, size_gt):
        return ((size - size_gt).abs() / size).mean()

    def divided_by_the_target(size, size_gt):
        return ((size - size_gt).abs() / size_gt.abs()).mean()

    def of_logarithms(size, size_gt):
        return (size / size_gt - size.log() + size_gt.log() - 1).mean()

    assert [found.severity for found in answer(rule, divided_by_the_prediction)[1]] == ["warning"]
    assert answer(rule, divided_by_the_target)[1] == []
    assert answer(rule, of_logarithms)[1] == []
