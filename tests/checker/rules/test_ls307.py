"""LS307: a logarithm taken of an exponential, where the detour shows."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from reproducing import run_reproducer
from ruletest import answer, printed
from shipped import each_shipped, shipped
from torch import nn

from lossmith.checker.rules import ls307_naive_composition as rule
from lossmith.checker.stable import Stable

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}
INDEX = {"logits": "logits[N,C]", "target": "index[N]"}
SIGNS = {"x": "logits[N]", "y": "pm1[N]"}


def picked(p, target):
    return p.gather(1, target[:, None]).squeeze(1)


def log_of_softmax(logits, target):
    return -(target * logits.softmax(-1).log()).sum(-1).mean()


class TwoLogs(nn.Module):
    def forward(self, logits, target):
        p = torch.sigmoid(logits)
        return -(target * torch.log(p) + (1 - target) * torch.log(1 - p)).mean()


def softmax_by_hand(logits, target):
    e = torch.exp(logits)
    return -torch.log(picked(e / e.sum(1, keepdim=True), target)).mean()


def sum_of_exponentials(logits, target):
    return (logits.exp().sum(1).log() - picked(logits, target)).mean()


def logistic(x, y):
    return torch.log(1 + torch.exp(-x * y)).mean()


def log_cosh(pred, target):
    return torch.log(torch.cosh(pred - target)).mean()


def ceiling(logits, target):
    return -torch.log(picked(F.softmax(logits, dim=1), target) + 1e-4).mean()


FAULTS = [
    (log_of_softmax, {"logits": "logits[N,C]", "target": "onehot[N,C]"}, "log(softmax(x))", "log_softmax(x)"),
    (
        TwoLogs(),
        {},
        "log(sigmoid(x)), log(1 - sigmoid(x))",
        "logsigmoid(x) in place of log(sigmoid(x)); logsigmoid(-x)",
    ),
    (softmax_by_hand, INDEX, "log(exp(x) / sum(exp(x)))", "log_softmax(x)"),
    (sum_of_exponentials, INDEX, "log(sum(exp(x)))", "logsumexp(x)"),
    (logistic, SIGNS, "log(1 + exp(x))", "softplus(x)"),
    (log_cosh, REAL, "log(cosh(x))", "abs(x) + softplus(-2 * abs(x))"),
]


@pytest.mark.parametrize(("loss", "flags", "source", "instead"), FAULTS)
def test_a_detour_that_shows_is_a_warning(loss, flags, source, instead):
    _, (found,) = answer(rule, loss, **flags)
    assert found.severity == "warning"
    assert found.message.startswith(f"{source} is computed step by step: the ")
    assert found.fix.startswith(instead)
    assert "test_ls307.py:" in found.location


def guarded_focal(logits, target):
    p = torch.sigmoid(logits).clamp(1e-6, 1 - 1e-6)
    p = torch.where(target == 1, p, 1 - p)
    return -((1 - p) ** 2 * p.log()).mean()


def test_a_guard_of_the_usual_size_is_information():
    for loss, flags in ((guarded_focal, {}), (lambda x, y: -(torch.sigmoid(x * y) + 1e-7).log().mean(), SIGNS)):
        _, (found,) = answer(rule, loss, **flags)
        assert found.severity == "info"
        assert "of 20 on the wrong side" in found.message


def test_a_guard_that_shows_early_is_information_too():
    (found,) = answer(rule, ceiling, **INDEX)[1]
    assert (found.severity, found.why) == ("info", "a constant keeps it finite, and bounds it")


def entropy(logits, target):
    p = logits.softmax(-1)
    return F.cross_entropy(logits, target) + 0.1 * (p * (p + 1e-9).log()).sum(-1).mean()


def cosines(z1, z2):
    e = (F.normalize(z1, dim=1) @ F.normalize(z2, dim=1).T / 0.1).exp()
    return -(e.diagonal() / e.sum(1)).log().mean()


def subtracted_first(logits, target):
    shifted = logits - logits.amax(1, keepdim=True)
    return (shifted.exp().sum(1).log() - picked(shifted, target)).mean()


INNOCENT = [
    (lambda logits, target: F.nll_loss(logits.log_softmax(-1), target), INDEX),
    (lambda logits, target: (logits.logsumexp(1) - picked(logits, target)).mean(), INDEX),
    (lambda x, y: F.softplus(-x * y).mean(), SIGNS),
    (nn.BCEWithLogitsLoss(), {}),
    (entropy, INDEX),
    (cosines, {"z1": "embedding[N,D]", "z2": "embedding[N,D]"}),
    (subtracted_first, INDEX),
    (lambda pred, target: (pred - target).exp().mean() + (target - pred).exp().mean(), REAL),
]


@pytest.mark.parametrize(("loss", "flags"), INNOCENT)
def test_log_space_and_bounded_arguments_are_innocent(loss, flags):
    status, found = answer(rule, loss, **flags)
    assert found == []
    assert status.status == "passed"


@each_shipped
def test_shipped_losses_compose_well(family):
    assert answer(rule, shipped(family))[1] == []


def test_the_rewriting_is_the_same_mathematics():
    """A sibling that shows that it rewrites at all: the logs differ where float32 gives up."""
    x = torch.linspace(-5, 5, 11, dtype=torch.float64)
    forms = (
        lambda x: x.sigmoid().log(),
        lambda x: (1 - x.sigmoid()).log(),
        lambda x: (1 + x.exp()).log(),
        lambda x: x.cosh().log(),
        lambda x: x.softmax(0).reshape(11, 1)[:, 0].log(),
        lambda x: (1 - x.softmax(0)).log(),
        lambda x: torch.where(x > 0, x.sigmoid(), 1 - x.sigmoid()).log(),
        lambda x: x.exp().sum(0).log() + 0 * x,
    )
    for form in forms:
        with Stable() as watch:
            there = form(x)
        assert torch.allclose(there, form(x), rtol=1e-12, atol=1e-12)
        assert len(watch.rewrites) == 1
    far = torch.tensor([200.0])
    with Stable():
        assert (1 + far.exp()).log() == 200.0
    assert torch.isinf((1 + far.exp()).log())


def test_what_is_printed():
    text = printed(rule, logistic, **SIGNS)
    assert "LS307 naive-composition  warning, measured" in text
    assert "    log(1 + exp(x)) is computed step by step: the value is inf instead of 100.0, with logits of 100" in text
    assert "    fix     softplus(x) in place of log(1 + exp(x))\n" in text


def test_the_reproducer_prints_the_ceiling(tmp_path: Path):
    source = """
    def ceiling(logits, target):
        p = logits.softmax(1)[torch.arange(len(target)), target]
        return -torch.log(p + 1e-4).mean()
    """
    _, lines = run_reproducer(tmp_path, rule, source, "ceiling", **INDEX)
    assert "8.83" in lines[0]


def test_a_density_that_vanishes_beside_its_guard_is_a_warning():
    def mixture(pi_logits, mu, log_sigma, y, stable=False):
        z = (y[:, None] - mu) * torch.exp(-log_sigma)
        log_prob = F.log_softmax(pi_logits, 1) - 0.5 * z**2 - log_sigma
        if stable:
            return -log_prob.logsumexp(1).mean()
        return -torch.log(log_prob.exp().sum(1) + 1e-8).mean()

    def guarded_softmax(logits, target):
        return -torch.log(picked(logits.softmax(1), target) + 1e-8).mean()

    assert [found.severity for found in answer(rule, mixture)[1]] == ["warning"]
    assert answer(rule, lambda pi_logits, mu, log_sigma, y: mixture(pi_logits, mu, log_sigma, y, True))[1] == []
    assert [found.severity for found in answer(rule, guarded_softmax, **INDEX)[1]] == ["info"]
