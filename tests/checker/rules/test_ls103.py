"""LS103: a branch that was not taken makes the gradient NaN."""

import torch
import torch.nn.functional as F
from ruletest import answer, printed
from torch import nn

from lossmith.checker.rules import ls103_dead_branch_nan as rule
from lossmith.checker.rules import ls104_nan_at_perfect_prediction as at_perfect
from lossmith.checker.rules import ls202_nan_gradient_finite_value as saturated


def root_of_distance(pred, target):
    d = (pred - target) ** 2
    return torch.where(d > 0, d.sqrt(), torch.zeros_like(d)).mean()


class Relative(nn.Module):
    def forward(self, pred, target):
        ratio = (pred - target).abs() / target.abs()
        return torch.where(target != 0, ratio, torch.zeros_like(ratio)).mean()


def tail_by_log_cosh(pred, target):
    r = pred - target
    return torch.where(r.abs() < 20, torch.log(torch.cosh(r)), r.abs() - 0.6931472).mean()


def safe_root(pred, target):
    d = (pred - target) ** 2
    safe = torch.where(d > 0, d, torch.ones_like(d))
    return torch.where(d > 0, safe.sqrt(), torch.zeros_like(d)).mean()


def plain_root(pred, target):
    return ((pred - target) ** 2).sqrt().mean()


def faded(pred, target):
    bce = F.binary_cross_entropy_with_logits(pred, target, reduction="none")
    return ((1 - torch.exp(-bce)) ** 0.5 * bce).mean()


def test_a_root_behind_where_is_told():
    status, (found,) = answer(rule, root_of_distance)
    assert status.status == "failed"
    assert found.severity == "error"
    assert found.evidence["pred"] == found.evidence["target"]
    assert "nan" in found.evidence["grad pred"]
    assert "Sqrt" in found.why


def test_a_quotient_and_a_tail_behind_where_are_told():
    for loss in (Relative(), tail_by_log_cosh):
        _, (found,) = answer(rule, loss)
        assert "nan" in found.evidence["grad pred"]


def test_a_guarded_argument_is_innocent():
    assert answer(rule, safe_root)[0].status == "passed"
    assert answer(rule, nn.HuberLoss())[0].status == "passed"


def test_a_root_without_a_branch_is_another_fault():
    assert answer(rule, plain_root)[0].status == "passed"
    assert answer(at_perfect, plain_root)[0].status == "failed"


def test_a_factor_that_happens_to_be_0_is_no_branch():
    assert answer(rule, faded)[0].status == "passed"
    assert answer(saturated, faded)[0].status == "failed"


def test_what_is_printed():
    text = printed(rule, root_of_distance, pred="real[N]", target="real[N]")
    assert "LS103 dead-branch-nan  error, measured" in text
    assert "    a branch that was not taken makes the gradient NaN, where the prediction is perfect\n" in text
    assert (
        "    why     the derivative of Sqrt is not finite there; "
        "the gradient that reaches it is exactly 0, and 0 * inf is NaN\n" in text
    )
    assert "    allow   --ignore LS103\n" in text


def log_of_counts(pred, target):
    present = target > 0
    return torch.where(present, (torch.log(target) - pred) ** 2, 0.1 * pred**2).mean()


def log_of_safe_counts(pred, target):
    present = target > 0
    safe = torch.where(present, target, torch.ones_like(target))
    return torch.where(present, (torch.log(safe) - pred) ** 2, 0.1 * pred**2).mean()


def test_a_branch_whose_own_value_has_no_limit_is_told_all_the_same():
    counts = {"pred": "real[N,C]", "target": "count[N,C]"}
    (found,) = answer(rule, log_of_counts, **counts)[1]
    assert "where the target is 0" in found.message
    assert answer(rule, log_of_safe_counts, **counts)[0].status == "passed"


def dual_clip(logp, logp_old, adv):
    ratio = torch.exp(logp - logp_old)
    low = torch.min(ratio * adv, ratio.clamp(0.8, 1.2) * adv)
    return -torch.where(adv < 0, torch.max(low, 3.0 * adv), low).mean()


def clipped_gap(estimate, target, adv):
    return dual_clip(estimate, target, adv)


def test_a_policy_does_not_leave_the_one_that_acted_so_far():
    assert answer(rule, dual_clip)[0].status == "passed"
    assert answer(rule, clipped_gap)[0].status == "failed"  # of other numbers, 100 apart is ordinary
