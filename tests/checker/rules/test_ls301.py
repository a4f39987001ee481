"""LS301: a guard that the precision cannot hold."""

import keras
import torch
from keras import ops
from ruletest import answer, printed
from torch import nn

from lossmith.checker.rules import ls301_unrepresentable_constant as rule


class ClampedFocal(nn.Module):
    def forward(self, logits, target):
        p = torch.sigmoid(logits).clamp(1e-8, 1 - 1e-8)
        return torch.where(target == 1, -((1 - p) ** 2) * p.log(), -(p**2) * (1 - p).log()).mean()


def eps_in_the_log(logits, target):
    p = torch.sigmoid(logits)
    return -(target * (p + 1e-8).log() + (1 - target) * (1 - p + 1e-8).log()).mean()


def amp_eps_in_the_log(logits, target):
    """Called under AMP."""
    return eps_in_the_log(logits, target)


def eps_of_the_precision(logits, target):
    eps = torch.finfo(logits.dtype).eps
    p = torch.sigmoid(logits).clamp(eps, 1 - eps)
    return -(target * p.log() + (1 - target) * (1 - p).log()).mean()


def harmless_constant(pred, target):
    return (pred - target + 1e-12).abs().mean()


class KerasInFloat32(keras.losses.Loss):
    def call(self, y_true, y_pred):
        p = ops.clip(y_pred, 1e-6, 1 - 1e-6)
        return -ops.mean(y_true * ops.log(p) + (1 - y_true) * ops.log(1 - p), axis=-1)


def test_a_clamp_that_does_nothing_in_float32_is_told():
    status, (found,) = answer(rule, ClampedFocal(), pred="logits[N,C]", target="binary[N,C]")
    assert status.status == "failed"
    assert found.severity == "error"
    assert "the constant 1 - 1e-08 is 1 in float32" in found.message
    assert "the result is finite" in found.why


def test_an_eps_that_float16_cannot_hold_is_told():
    _, (found,) = answer(rule, eps_in_the_log, pred="logits[N,C]", target="binary[N,C]")
    assert "the constant 1e-08 is 0 in float16" in found.message
    assert found.evidence["value"] in ("nan", "inf")
    assert found.severity == "info"


def test_it_is_an_error_in_a_loss_that_says_it_runs_in_half_precision():
    _, (found,) = answer(rule, amp_eps_in_the_log, pred="logits[N,C]", target="binary[N,C]")
    assert found.severity == "error"


def test_an_eps_of_the_precision_is_innocent():
    assert answer(rule, eps_of_the_precision, pred="logits[N,C]", target="binary[N,C]")[0].status == "passed"


def test_a_constant_without_consequence_is_innocent():
    assert answer(rule, harmless_constant)[0].status == "passed"


def test_a_loss_that_casts_to_float32_first_is_innocent():
    assert answer(rule, KerasInFloat32(), pred="prob[N,C]", target="binary[N,C]")[0].status == "passed"


def test_what_is_printed():
    text = printed(rule, eps_in_the_log, pred="logits[N]", target="binary[N]")
    assert "LS301 unrepresentable-constant  info, measured" in text
    assert "    fix     take the constant from the precision: torch.finfo(x.dtype).eps (here 0.000977)\n" in text
