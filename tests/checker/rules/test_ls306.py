"""LS306: float64 out of float32."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from reproducing import run_reproducer
from ruletest import answer, printed
from shipped import each_shipped, shipped
from torch import nn

from lossmith.checker.rules import ls306_dtype_promotion as rule

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}
INDEX = {"logits": "logits[N,C]", "target": "index[N]"}


def weights_of_numpy(pred, target):
    weight = torch.from_numpy(np.linspace(0.5, 2.0, pred.shape[1]))
    return (weight * (pred - target).square()).mean()


class Buffers(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("scale", torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0], dtype=torch.float64))

    def forward(self, logits, target):
        return F.cross_entropy(logits / self.scale, target)


def bins(pred, target):
    edges = torch.arange(5, dtype=torch.float64)
    return ((pred.softmax(-1) * edges).sum(-1) - target.softmax(-1) @ edges.float()).abs().mean()


@pytest.mark.parametrize(("loss", "flags"), [(weights_of_numpy, REAL), (Buffers(), INDEX), (bins, REAL)])
def test_a_constant_that_widens_everything_is_a_warning(loss, flags):
    _, (found,) = answer(rule, loss, **flags)
    assert found.severity == "warning"
    assert found.evidence["dtype of the loss"] == "float64"
    assert "test_ls306.py:" in found.location


def test_a_cast_of_the_prediction_is_information():
    for loss in (lambda pred, target: (pred.double() - target).square().mean(), in_double):
        _, (found,) = answer(rule, loss, **REAL)
        assert found.severity == "info"


def in_double(pred, target):
    return F.l1_loss(pred.to(torch.float64), target.to(torch.float64))


class Registered(Buffers):
    def forward(self, logits, target):
        return F.cross_entropy(logits / self.scale.to(logits.dtype), target)


INNOCENT = [
    (lambda pred, target: (np.float64(0.5) * (pred - target).square()).mean(), REAL),
    (lambda pred, target: (torch.tensor(0.5, dtype=torch.float64) * (pred - target).square()).mean(), REAL),
    (lambda pred, target: (pred.double() - target).square().mean().float(), REAL),
    (Registered(), INDEX),
    (nn.CrossEntropyLoss(weight=torch.ones(5)), {}),
]


@pytest.mark.parametrize(("loss", "flags"), INNOCENT)
def test_numbers_and_values_cast_back_are_innocent(loss, flags):
    status, found = answer(rule, loss, **flags)
    assert found == []
    assert status.status == "passed"


@each_shipped
def test_shipped_losses_keep_the_dtype(family):
    assert answer(rule, shipped(family))[1] == []


def test_what_is_printed():
    text = printed(rule, weights_of_numpy, **REAL)
    assert "LS306 dtype-promotion  warning, measured" in text
    assert "    float32 goes in and float64 comes out: from mul() on, which met a float64 tensor\n" in text
    assert "    fix     give the constant that dtype: torch.as_tensor(values, dtype=pred.dtype)\n" in text


def test_the_reproducer_prints_the_dtype(tmp_path: Path):
    source = """
    def widened(pred, target):
        return (torch.ones(5, dtype=torch.float64) * (pred - target)).abs().mean()
    """
    _, lines = run_reproducer(tmp_path, rule, source, "widened", **REAL)
    assert lines == ["torch.float64"]
