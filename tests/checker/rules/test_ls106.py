"""LS106 on losses that ignore an argument, and on their nearest innocent neighbours."""

from pathlib import Path

import keras
import torch
from reproducing import run_reproducer
from ruletest import answer, printed
from shipped import each_shipped, shipped
from torch import Tensor, nn
from torch.nn import functional as F

from lossmith.checker.rules import ls106_input_without_effect as rule

MASKED = {"pred": "real[N,C]", "target": "real[N,C]", "mask": "mask[N,C]"}
DISTILLED = {"student": "logits[N,C]", "teacher": "logits[N,C]", "label": "index[N]"}


def forgets_mask(pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    return (pred - target).square().mean()


def uses_mask(pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    return ((pred - target).square() * mask).sum() / mask.sum().clamp(min=1)


class TeacherTwice(nn.Module):
    """The student's place is taken by the teacher: the distillation term is a constant."""

    def forward(self, student: Tensor, teacher: Tensor, label: Tensor) -> Tensor:
        return F.kl_div(teacher.log_softmax(-1), teacher.softmax(-1)) + F.cross_entropy(teacher, label)


class BlindToTruth(keras.losses.Loss):
    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return keras.ops.mean(keras.ops.square(y_pred), axis=-1)


def first_only(pred: Tensor, _target: Tensor) -> Tensor:
    return pred.square().mean()


def hidden_by_detach(pred: Tensor, target: Tensor) -> Tensor:
    """`target` moves no value, but its gradient is not zero."""
    return pred.square().mean() + (target - target.detach()).sum()


def rarely_matters(pred: Tensor, target: Tensor) -> Tensor:
    return pred.square().mean() + (target - 1.0).clamp(min=0).sum()


def test_a_mask_that_is_not_used_is_named_with_two_masks_and_one_value() -> None:
    status, (found,) = answer(rule, forgets_mask, **MASKED)
    assert (status.status, found.code, found.severity) == ("failed", "LS106", "error")
    assert found.message.startswith("mask changes neither the value nor the gradient: 20 other values")
    assert found.evidence["mask"] != found.evidence["another mask"]
    assert found.evidence["value"] == found.evidence["its value"]


def test_predictions_are_judged_like_any_other_argument() -> None:
    _, findings = answer(rule, TeacherTwice(), **DISTILLED)
    assert [found.message.split()[0] for found in findings] == ["student"]


def test_a_keras_loss_that_ignores_the_truth_is_named() -> None:
    _, (found,) = answer(rule, BlindToTruth(), y_true="real[N,C]", y_pred="real[N,C]")
    assert found.message.startswith("y_true changes neither")


def test_a_fixed_example_is_varied_by_its_own_rows() -> None:
    example = (torch.tensor([[1.0, 2.0], [3.0, 5.0], [0.5, 0.1]]), torch.tensor([[0.0, 1.0], [2.0, 2.0], [1.0, 4.0]]))
    _, (found,) = answer(rule, lambda pred, target: pred.square().mean(), example=example)
    assert found.message.startswith("target changes neither")
    assert answer(rule, lambda pred, target: (pred - target).abs().mean(), example=example)[0].status == "passed"


def test_arguments_with_an_effect_in_value_gradient_or_rare_cases_pass() -> None:
    pair = {"pred": "real[N,C]", "target": "real[N,C]"}
    assert answer(rule, uses_mask, **MASKED)[0].status == "passed"
    assert answer(rule, hidden_by_detach, **pair)[0].status == "passed"
    assert answer(rule, rarely_matters, **pair)[0].status == "passed"


def test_an_underscore_says_that_an_argument_is_there_for_the_signature() -> None:
    assert answer(rule, first_only, pred="real[N,C]", target="real[N,C]")[0].status == "passed"


def test_the_printed_text_is_stable() -> None:
    text = printed(rule, lambda pred, target: pred.square().mean(), pred="real[N]", target="real[N]")
    lines = text.splitlines()
    assert lines[3:11] == [
        "    target changes neither the value nor the gradient: 20 other values of it gave the same answer",
        "      pred            [1.541, -0.293429]",
        "      target          [0.403347, 0.838026]",
        "      value           1.23038",
        "      grad pred       [1.541, -0.293429]",
        "      another target  [-0.769914, 0.786438]",
        "      its value       1.23038",
        "    fix     use target in the formula, or take it out of the signature",
    ]


def test_the_reproducer_prints_one_value_for_two_arguments(tmp_path: Path) -> None:
    source = "def forgets_mask(pred, target, mask):\n    return (pred - target).square().mean()\n"
    _, lines = run_reproducer(tmp_path, rule, source, "forgets_mask", **MASKED)
    assert len(lines) == 2
    assert lines[0] == lines[1]


@each_shipped
def test_shipped_losses_use_what_they_take(family: str) -> None:
    status, findings = answer(rule, shipped(family))
    assert (status.status, findings) == ("passed", [])


def test_an_argument_of_an_unsure_kind_is_asked_with_other_numbers_too():
    def weighed(eps_pred, eps, snr):
        return ((snr.clamp(max=5.0) / snr) * (eps_pred - eps).square().mean(1)).mean()

    assert answer(rule, weighed)[0].status == "passed"


def test_what_counts_beyond_a_threshold_has_an_effect_and_what_never_counts_has_none():
    def capped(pred, target, snr):
        return (5.0 / snr.clamp(min=5.0) * (pred - target).square()).mean()

    def forgotten(pred, target, snr):
        return (pred - target).square().mean() + 0 * snr.sum().detach()

    given = {"pred": "real[N]", "target": "real[N]", "snr": "weight[N]"}
    assert answer(rule, capped, **given)[0].status == "passed"
    assert answer(rule, forgotten, **given)[0].status == "failed"
