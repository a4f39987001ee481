"""LS201: the value is not finite where the true one is."""

import torch
import torch.nn.functional as F
from ruletest import answer, printed
from torch import nn

from lossmith.checker.rules import ls201_non_finite_value as rule


def bce_by_hand(p, t):
    return -(t * p.log() + (1 - t) * (1 - p).log()).mean()


class LogCosh(nn.Module):
    def forward(self, pred, target):
        return torch.log(torch.cosh(pred - target)).mean()


def naive_softplus(logits, target):
    return (torch.log(1 + torch.exp(logits)) - logits * target).mean()


def exponential(x, y):
    return torch.exp(-x * y).mean()


def log_iou(a, b):
    low, high = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    inner = (high - low).clamp(min=0).prod(1)
    area = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - inner
    return -torch.log(inner / area).mean()


def pearson(pred, target):
    p, t = pred - pred.mean(), target - target.mean()
    return 1 - (p * t).sum() / ((p**2).sum() * (t**2).sum() + 1e-12).sqrt()


def likelihood(p, t):
    return -p.gather(1, t[:, None]).log().mean()


def test_0_times_log_0_is_told_where_the_prediction_is_right():
    status, (found,) = answer(rule, bce_by_hand)
    assert status.status == "failed"
    assert found.severity == "error"
    assert found.evidence["p"] == found.evidence["t"]
    assert found.evidence["value"] == "nan"


def test_an_intermediate_that_overflows_is_told_with_the_true_value():
    for loss in (LogCosh(), naive_softplus):
        _, (found,) = answer(rule, loss)
        assert found.evidence["value"] == "inf"
        assert "an intermediate leaves the range of float32" in found.why


def test_a_value_that_is_really_infinite_or_too_large_is_innocent():
    for loss in (exponential, likelihood):
        assert answer(rule, loss)[0].status == "passed"
    assert answer(rule, log_iou, pred="boxes[N,4]", target="boxes[N,4]")[0].status == "passed"


def test_stable_forms_are_innocent():
    for loss in (nn.BCEWithLogitsLoss(), nn.BCELoss(), nn.CrossEntropyLoss(), pearson, F.huber_loss):
        assert answer(rule, loss)[0].status == "passed"


def test_what_is_printed():
    text = printed(rule, LogCosh(), pred="real[N]", target="real[N]")
    assert "LS201 non-finite-value  error, measured" in text
    assert "    the value is inf with a residual of 100\n" in text
    assert "    why     in float64 it is " in text


def test_a_probability_of_0_where_the_value_has_a_limit():
    def entropy(probs):
        return -(probs * probs.log()).sum(-1).mean()

    def guarded(probs):
        return -torch.special.xlogy(probs, probs.clamp(min=1e-12)).sum(-1).mean()

    def surprise(probs):
        return -probs.log().mean()

    assert [found.severity for found in answer(rule, entropy, probs="prob[N,C]")[1]] == ["error"]
    assert answer(rule, guarded, probs="prob[N,C]")[1] == []
    assert answer(rule, surprise, probs="prob[N,C]")[1] == []


def test_a_weight_of_0_where_the_quotient_has_a_limit():
    def capped(pred, target, snr):
        return (snr.clamp(max=5.0) / snr * (pred - target).square()).mean()

    def guarded(pred, target, snr):
        return (5.0 / snr.clamp(min=5.0) * (pred - target).square()).mean()

    def by_spread(pred, target, sigma):
        return ((pred - target).square() / sigma).mean()

    def weighted_mean(pred, target, weight):
        return ((pred - target).square() * weight).sum() / weight.sum()

    given = {"pred": "real[N]", "target": "real[N]"}
    (found,) = answer(rule, capped, **given, snr="weight[N]")[1]
    assert "the value is nan where one snr is 0" in found.message
    assert answer(rule, guarded, **given, snr="weight[N]")[1] == []
    assert answer(rule, by_spread, **given, sigma="weight[N]")[1] == []
    assert answer(rule, weighted_mean, **given, weight="weight[N]")[1] == []
