"""LS602, LS609 and LS611, which --deep asks, on losses that trigger them and on their nearest innocent neighbours."""

from dataclasses import replace

import pytest
import torch
from ruletest import answer, subject_of
from torch import Tensor
from torch.nn import functional as F

from lossmith.checker.rules import ls602_graph_break, ls609_far_from_roofline, ls611_eager_vs_compiled

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}
RULES = (ls602_graph_break, ls609_far_from_roofline, ls611_eager_vs_compiled)


def branches(pred: Tensor, target: Tensor) -> Tensor:
    if pred.max() > 1e6:
        return pred.sum() * 0
    return F.mse_loss(pred, target)


def another_when_compiled(pred: Tensor, target: Tensor) -> Tensor:
    return F.l1_loss(pred, target) if torch.compiler.is_compiling() else F.mse_loss(pred, target)


def many_steps(pred: Tensor, target: Tensor) -> Tensor:
    e = (pred - target).abs()
    return torch.where(e < 1.0, 0.5 * e**2, e - 0.5).mean()


def plain(pred: Tensor, target: Tensor) -> Tensor:
    return F.mse_loss(pred, target)


def asked(rule, loss):
    return answer(rule, replace(subject_of(loss, **REAL), deep=True))


@pytest.mark.parametrize(("rule", "loss"), list(zip(RULES, (branches, many_steps, another_when_compiled), strict=True)))
def test_each_has_its_trigger_and_is_asked_with_deep_only(rule, loss) -> None:
    status, (found,) = asked(rule, loss)
    assert (status.status, found.code) == ("failed", rule.CODE)
    assert found.severity == ("error" if rule is ls611_eager_vs_compiled else "info")
    assert answer(rule, loss, **REAL)[0].status == "not applicable"


@pytest.mark.parametrize("rule", RULES)
def test_one_fused_operation_passes(rule) -> None:
    assert asked(rule, plain)[0].status == "passed"


def test_a_break_names_the_line_and_a_compiled_difference_both_values() -> None:
    (place, *_) = asked(ls602_graph_break, branches)[1][0].evidence
    assert place.startswith("tests/checker/rules/test_ls602.py:") or "test_ls602.py" in place
    found = asked(ls611_eager_vs_compiled, another_when_compiled)[1][0]
    assert found.message.endswith("the value differs")
    assert found.evidence["value"] != found.evidence["value compiled"]


def test_the_least_is_each_argument_and_each_gradient_once() -> None:
    found = asked(ls609_far_from_roofline, many_steps)[1][0]
    assert found.evidence["least"].startswith(f"{3 * 256 * 5 * 4 / 1000:.3g} KB")
