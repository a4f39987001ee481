"""LS302: half precision overflows where the true result fits."""

import torch
import torch.nn.functional as F
from ruletest import answer, printed
from torch import nn

from lossmith.checker.rules import ls302_half_overflow as rule


def logistic(x, y):
    return torch.log(1 + torch.exp(-x * y)).mean()


def half_logistic(x, y):
    return logistic(x, y)


def root_of_a_product(x, y):
    e = 100 * (x - y)
    return torch.sqrt(e * e + 1).mean()


class SumThenDivide(nn.Module):
    def forward(self, pred, target):
        return (100 * (pred - target) ** 2).sum() / (100 * pred.numel())


def in_float32(x, y):
    return torch.log(1 + torch.exp(-(x * y).float())).mean()


def on_probabilities(p, t):
    return F.binary_cross_entropy(p, t)


def test_an_exponential_is_told_with_the_true_value():
    status, (found,) = answer(rule, half_logistic)
    assert status.status == "failed"
    assert found.severity == "error"
    assert "float16" in found.message
    assert found.evidence["value"] == "inf"
    assert "in float64 the value at the same inputs is" in found.why


def test_a_sum_that_leaves_the_range_is_told():
    assert answer(rule, SumThenDivide())[0].status == "failed"


def test_a_product_overflows_under_autocast_too_and_an_exponential_does_not():
    (product,), (exponential,) = answer(rule, root_of_a_product)[1], answer(rule, logistic)[1]
    assert (product.severity, exponential.severity) == ("error", "info")


def test_a_cast_and_stable_forms_are_innocent():
    for loss in (in_float32, nn.SmoothL1Loss(), nn.BCEWithLogitsLoss(), nn.MSELoss()):
        assert answer(rule, loss)[0].status == "passed"


def test_a_quotient_of_what_has_become_zero_is_information():
    def odds(logits, target):
        p = logits.sigmoid()
        return (target * (1 - p) / p + (1 - target) * p / (1 - p)).mean()

    _, (found,) = answer(rule, odds, pred="logits[N,C]", target="binary[N,C]")
    assert found.severity == "info"
    assert found.evidence["value"] in ("inf", "nan")


def test_a_fused_kernel_that_fails_by_itself_is_information():
    _, (found,) = answer(rule, on_probabilities, pred="prob[N,C]", target="binary[N,C]")
    assert found.severity == "info"


def test_a_precision_that_the_loss_refuses_is_no_fault():
    def only_float32(pred, target):
        if pred.dtype != torch.float32:
            raise TypeError("float32 only")
        return ((pred - target) ** 2).mean()

    status, found = answer(rule, only_float32)
    assert status.status == "skipped"
    assert "float32 only" in status.reason
    assert found == []


def test_what_is_printed():
    text = printed(rule, half_logistic, pred="logits[N]", target="pm1[N]")
    assert "LS302 half-overflow  error, measured" in text
    assert "    the value is not finite in float16, with logits of 20 on the wrong side\n" in text
    assert "    allow   --ignore LS302\n" in text


def masked_scores(logits, target):
    return F.cross_entropy(logits.masked_fill(logits > 3, -1e9), target)


def half_masked_scores(logits, target):
    return masked_scores(logits, target)


def test_a_constant_beyond_float16_is_told_where_it_raises():
    said = [
        answer(rule, loss, pred="logits[N,C]", target="index[N]")[1] for loss in (masked_scores, half_masked_scores)
    ]
    assert [found.severity for (found,) in said] == ["info", "error"]
    assert "beyond the range of float16" in said[0][0].message
