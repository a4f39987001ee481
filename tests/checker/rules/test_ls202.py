"""LS202: the value is finite and the gradient is not, away from the perfect prediction."""

import torch
import torch.nn.functional as F
from ruletest import answer, printed
from torch import nn

from lossmith.checker.rules import ls202_nan_gradient_finite_value as rule


class LogOfSoftmax(nn.Module):
    def forward(self, logits, target):
        return -(target * torch.log(logits.softmax(-1))).sum(-1).mean()


def rooted_focal(logits, target):
    bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return ((1 - torch.exp(-bce)) ** 0.5 * bce).mean()


def stable(logits, target):
    return -(target * logits.log_softmax(-1)).sum(-1).mean()


def test_log_of_softmax_is_told_with_its_gradient():
    status, (found,) = answer(rule, LogOfSoftmax(), pred="logits[N,C]", target="onehot[N,C]")
    assert status.status == "failed"
    assert found.severity == "error"
    assert "a wrong logit leads by 100" in found.message
    assert float(found.evidence["value"]) == 100.0 or 99 < float(found.evidence["value"]) < 101
    assert "inf" in found.evidence["grad logits"]
    assert "Log" in found.why


def test_a_power_below_1_is_told():
    assert answer(rule, rooted_focal)[0].status == "failed"


def test_log_space_is_innocent():
    for loss in (stable, nn.CrossEntropyLoss(), nn.BCEWithLogitsLoss(), nn.SmoothL1Loss()):
        assert answer(rule, loss)[0].status == "passed"


def test_what_is_printed():
    text = printed(rule, LogOfSoftmax(), pred="logits[N,C]", target="onehot[N,C]")
    assert "LS202 nan-gradient-finite-value  error, measured" in text
    assert "    the value is finite but the gradient is not, where a wrong logit leads by 100\n" in text
    assert "    allow   --ignore LS202\n" in text
