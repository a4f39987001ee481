"""LS704, LS705 and LS108: where the pieces of a loss meet, in value, in slope, and in what autograd says there."""

from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
import torch
import torch.nn.functional as F
from reproducing import run_reproducer
from ruletest import answer, printed, subject_of

from lossmith.checker.joints import joints
from lossmith.checker.rules import ls108_not_a_subgradient, ls704_discontinuous, ls705_unintended_kink
from lossmith.checker.runner import Answers, _run_rule, sweep
from lossmith.checker.selection import Selection

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}


def huber_with_a_jump(pred, target, delta=1.5):
    e = (pred - target).abs()
    return torch.where(e < delta, 0.5 * e**2, delta * (e - delta)).mean()


def jump_of_a_millionth(pred, target):
    e = (pred - target).abs()
    return torch.where(e < 2, 0.5 * e**2, 2 * e - 2.001).mean()


def margin_with_a_jump(scores, y):
    m = y * scores
    return torch.where(m < 1, 1.5 - m, torch.zeros_like(m)).mean()


def huber_with_a_kink(pred, target, delta=1.5):
    e = (pred - target).abs()
    return torch.where(e < delta, 0.5 * e**2, 2 * delta * e - 1.5 * delta**2).mean()


def hinge_of_a_split_score(scores, y):
    return F.relu(1 - y * (F.relu(scores) - F.relu(-scores))).mean()


def doubled_at_zero(pred, target):
    e = pred - target
    return ((e.clamp(min=0) + e.clamp(max=0) + 1).exp() - e).mean()


@pytest.mark.parametrize(
    ("rule", "loss", "flags", "severity", "says"),
    [
        (ls704_discontinuous, huber_with_a_jump, REAL, "error", "a residual of 1.5, from 1.125 to "),
        (ls704_discontinuous, jump_of_a_millionth, REAL, "error", "a residual of 2, from 2 to 1.999"),
        (ls704_discontinuous, margin_with_a_jump, {}, "error", "scores = 1, from 0.5 to 0"),
        (ls705_unintended_kink, huber_with_a_kink, REAL, "info", "a residual of 1.5, from 1.5 to 3"),
        (ls108_not_a_subgradient, hinge_of_a_split_score, {}, "warning", "autograd gives 0, and the slope is 1 below"),
        (ls108_not_a_subgradient, doubled_at_zero, REAL, "warning", "at a residual of 0 autograd gives 4.437"),
    ],
)
def test_pieces_that_do_not_meet_are_told(rule, loss, flags, severity, says):
    _, (found,) = answer(rule, loss, **flags)
    assert (found.severity, found.grade) == (severity, "measured")
    assert says in found.message


def huber(pred, target):
    return F.huber_loss(pred, target, delta=1.5)


def pinball(pred, target, q=0.3):
    e = target - pred
    return torch.maximum(q * e, (q - 1) * e).mean()


def insensitive(pred, target):
    return F.relu((pred - target).abs() - 0.1).mean()


def steep(pred, target):
    return torch.log1p(1e4 * (pred - target) ** 2).mean()


def hardest_of_the_batch(pred, target):
    each = (pred - target) ** 2
    return torch.where(each > 1.0, each, torch.zeros_like(each)).sum() / (each > 1.0).sum().clamp(min=1)


def counts_with_a_surrogate(pred, target):
    soft = torch.sigmoid(4 * (pred - target))
    return (((pred > target).float() - soft).detach() + soft).mean()


@pytest.mark.parametrize("loss", [huber, pinball, insensitive, steep, hardest_of_the_batch, counts_with_a_surrogate])
def test_pieces_that_meet_and_steps_on_purpose_are_innocent(loss):
    subject = subject_of(loss, **REAL)
    for rule in (ls704_discontinuous, ls705_unintended_kink, ls108_not_a_subgradient):
        assert answer(rule, subject)[1] == []


def jax_straight_through(pred, target):
    hard = pred + jax.lax.stop_gradient(jnp.round(pred) - pred)
    return jnp.mean((hard - target) ** 2)


def jax_huber_with_a_jump(pred, target):
    e = jnp.abs(pred - target)
    return jnp.mean(jnp.where(e < 1.5, 0.5 * e**2, 1.5 * (e - 1.5)))


def test_a_step_that_the_gradient_goes_straight_through_is_meant_in_jax_too():
    assert answer(ls704_discontinuous, jax_straight_through, **REAL)[1] == []
    assert [found.severity for found in answer(ls704_discontinuous, jax_huber_with_a_jump, **REAL)[1]] == ["error"]


def share_of_the_target(pred, target):
    return ((pred - target).abs() / target.abs().clamp(min=1e-7)).mean()


def test_what_a_steep_slope_explains_is_no_jump():
    assert answer(ls704_discontinuous, subject_of(share_of_the_target, **REAL))[1] == []


def test_where_pieces_meet_is_found_to_seven_digits():
    places = {abs(joint.x) for joint in joints(subject_of(insensitive, **REAL))}
    assert places == {0.1}


def test_a_constant_that_is_right_for_the_default_alone_is_found_with_another():
    def smooth_l1(pred, target, beta=1.0):
        e = (pred - target).abs()
        return torch.where(e < beta, 0.5 * e**2, e - 0.5 * beta).mean()

    answers, subject = Answers(), subject_of(smooth_l1, **REAL)
    _run_rule(ls704_discontinuous, subject, answers, {})
    assert answers.findings == []
    sweep(subject, answers, Selection(("LS704",)))
    (found,) = answers.findings
    assert found.message.startswith("with beta=0.5: the value jumps at a residual of 0.5")


def test_what_is_printed():
    text = printed(ls704_discontinuous, huber_with_a_jump, **REAL)
    assert "LS704 discontinuous  error, measured" in text
    assert "    fix     give one branch the constant that makes both equal where they meet\n" in text


def test_the_reproducer_shows_the_jump(tmp_path: Path):
    source = """
    def huber(pred, target):
        e = (pred - target).abs()
        return torch.where(e < 1.5, 0.5 * e**2, 1.5 * (e - 1.5)).mean()
    """
    _, lines = run_reproducer(tmp_path, ls704_discontinuous, source, "huber", **REAL)
    values = [float(line.partition("(")[2].partition(",")[0].rstrip(")")) for line in lines]
    assert values[0] == pytest.approx(1.125, abs=1e-4)
    assert values[1] == pytest.approx(0.0, abs=1e-4)
