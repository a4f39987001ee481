"""LS105 on losses that teach the prediction nothing, and on their nearest innocent neighbours."""

from typing import Any

import keras
import numpy as np
import pytest
import torch
from reproducing import run_reproducer
from ruletest import answer, printed
from shipped import each_shipped, shipped
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from lossmith.checker.rules import ls105_no_usable_gradient as rule

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}
CLASSES = {"pred": "logits[N,C]", "target": "index[N]"}
VIEWS = {"z1": "embedding[N,D]", "z2": "embedding[N,D]"}


def accuracy(pred: Tensor, target: Tensor) -> Tensor:
    return 1 - (pred.argmax(-1) == target).float().mean()


def thresholded(pred: Tensor, target: Tensor) -> Tensor:
    return ((pred > 0).float() - target).square().mean()


def through_numpy(pred: Tensor, target: Tensor) -> float:
    return float(np.mean((pred.detach().numpy() - target.numpy()) ** 2))


def straight_to_numpy(pred: Tensor, target: Tensor) -> Tensor:
    return torch.tensor(np.mean((pred.numpy() - target.numpy()) ** 2))


def itemized(pred: Tensor, target: Tensor) -> float:
    return (pred - target).square().mean().item()


def detached(pred: Tensor, target: Tensor) -> Tensor:
    return (pred.detach() - target).square().mean()


def through_data(pred: Tensor, target: Tensor) -> Tensor:
    return (pred.data - target).square().mean()


def without_grad(pred: Tensor, target: Tensor) -> Tensor:
    with torch.no_grad():
        return (pred - target).square().mean()


def rounded(pred: Tensor, target: Tensor) -> Tensor:
    return (pred.round() - target).square().mean()


def overwritten(pred: Tensor, target: Tensor) -> Tensor:
    scale = pred.exp()
    scale += 1
    return (scale - target).abs().mean()


def overwrites_pred(pred: Tensor, target: Tensor) -> Tensor:
    pred.sub_(target)
    return pred.square().mean()


class Silent(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pred: Tensor, target: Tensor) -> Tensor:
        return (pred - target).square().mean()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, None]:
        return None, None


class KerasF1(keras.losses.Loss):
    def call(self, y_true: Any, y_pred: Any) -> Any:
        hits = keras.ops.round(y_pred)
        return 1 - 2 * keras.ops.sum(hits * y_true) / (keras.ops.sum(hits) + keras.ops.sum(y_true) + 1e-6)


class SoftF1(nn.Module):
    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return 1 - 2 * (pred * target).sum() / (pred.sum() + target.sum())


def follows(z1: Tensor, z2: Tensor) -> Tensor:
    return -F.cosine_similarity(z1, z2.detach()).mean()


def follows_teacher(z1: Tensor, teacher: Tensor) -> Tensor:
    return -F.cosine_similarity(z1, teacher.detach()).mean()


def weighted_by_its_confidence(pred: Tensor, target: Tensor) -> Tensor:
    loss = F.cross_entropy(pred, target, reduction="none")
    return (loss * (1 - loss.detach().neg().exp())).mean()


def mined(pred: Tensor, target: Tensor) -> Tensor:
    loss = F.cross_entropy(pred, target, reduction="none")
    return loss[loss.argsort(descending=True)[:3]].mean()


class Checkpointed(nn.Module):
    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return checkpoint(lambda p: (p - target).square().mean(), pred, use_reentrant=True)


def epsilon_insensitive(pred: Tensor, target: Tensor) -> Tensor:
    return F.relu((pred - target).abs() - 1.0).mean()


@pytest.mark.parametrize(
    ("loss", "contract", "why"),
    [
        (accuracy, CLASSES, "what argmax() returns"),
        (thresholded, REAL, "what `>` returns"),
        (through_numpy, REAL, "what numpy() returns"),
        (itemized, REAL, "what item() returns"),
        (detached, REAL, "without detach() the gradient is there"),
        (through_data, REAL, "without .data the gradient is there"),
        (without_grad, REAL, "without no_grad() the gradient is there"),
        (Silent, REAL, "Silent.backward returns None"),
    ],
)
def test_the_call_that_cuts_is_named(loss: Any, contract: dict[str, str], why: str) -> None:
    status, (found,) = answer(rule, loss, **contract)
    assert (status.status, found.code, found.severity) == ("failed", "LS105", "error")
    assert found.evidence["grad pred"] == "None"
    assert why in found.why
    assert found.fix


def test_the_line_of_the_cut_is_the_location() -> None:
    _, (found,) = answer(rule, through_numpy, **REAL)
    assert found.location.endswith(f":{through_numpy.__code__.co_firstlineno + 1}")


def test_a_python_number_is_outside_autograd() -> None:
    _, (found,) = answer(rule, itemized, **REAL)
    assert found.message == "the loss returns a float, outside autograd: pred gets no gradient"


def test_raising_only_with_a_gradient_is_an_error() -> None:
    _, (found,) = answer(rule, straight_to_numpy, **REAL)
    assert found.severity == "error"
    assert "Can't call numpy()" in found.evidence["raises"]
    assert found.evidence["without a gradient"] == "value 5.09298"
    assert found.location.endswith(f":{straight_to_numpy.__code__.co_firstlineno + 1}")


def test_overwriting_what_the_backward_needs_is_an_error_at_the_line_that_writes() -> None:
    _, (found,) = answer(rule, overwritten, **REAL)
    assert found.severity == "error"
    assert found.location.endswith(f":{overwritten.__code__.co_firstlineno + 2}")
    assert "out of place" in found.fix


def test_a_gradient_of_zero_while_the_value_varies_is_an_error() -> None:
    _, (found,) = answer(rule, rounded, **REAL)
    assert found.severity == "error"
    assert found.message == "the gradient of pred is 0 on 204 random samples, while the value varies"
    assert "round()" in found.why


def test_a_keras_loss_on_rounded_predictions_is_an_error() -> None:
    status, (found,) = answer(rule, KerasF1(), y_true="binary[N,C]", y_pred="prob[N,C]")
    assert (status.status, found.severity) == ("failed", "error")


@pytest.mark.parametrize("loss", [weighted_by_its_confidence, mined])
def test_a_cut_beside_the_way_is_innocent(loss: Any) -> None:
    assert answer(rule, loss, **CLASSES)[0].status == "passed"


def test_soft_counts_and_dead_zones_pass() -> None:
    assert answer(rule, SoftF1(), pred="prob[N,C]", target="binary[N,C]")[0].status == "passed"
    assert answer(rule, epsilon_insensitive, **REAL)[0].status == "passed"


def test_a_second_view_without_a_gradient_is_a_warning_unless_its_name_says_why() -> None:
    _, (found,) = answer(rule, follows, **VIEWS)
    assert (found.severity, found.message) == ("warning", "z2 gets no gradient")
    status, _ = answer(rule, follows_teacher, z1="embedding[N,D]", teacher="embedding[N,D]")
    assert status.status == "passed"


def test_what_other_rules_say_better_is_left_to_them() -> None:
    assert "LS605" in answer(rule, overwrites_pred, **REAL)[0].reason
    constant = answer(rule, lambda pred, target: 0 * pred.sum() + target.square().mean(), **REAL)
    assert "LS106" in constant[0].reason


def test_a_loss_that_only_backward_can_differentiate_is_not_accused() -> None:
    status, _ = answer(rule, Checkpointed(), **REAL)
    assert status.status == "skipped"
    assert "backward() works" in status.reason


def test_the_printed_text_is_stable() -> None:
    lines = printed(rule, through_data, **REAL).splitlines()
    assert lines[3:11] == [
        "    pred gets no gradient",
        "      pred       [[-1.5256]]",
        "      target     [[0.731167]]",
        "      value      5.09298",
        "      grad pred  None",
        "    why     without .data the gradient is there",
        "    fix     compute this part without .data, so that autograd sees it",
        "    allow   --ignore LS105",
    ]


def test_the_reproducer_prints_that_there_is_no_gradient(tmp_path) -> None:
    source = "def counted(pred, target):\n    return 1 - (pred.argmax(-1) == target).float().mean()\n"
    _, lines = run_reproducer(tmp_path, rule, source, "counted", **CLASSES)
    assert lines == ["tensor(1.) None"]


@each_shipped
def test_shipped_losses_are_clean(family: str) -> None:
    status, findings = answer(rule, shipped(family))
    assert (status.status, findings) == ("passed", [])


def weak_to_strong(logits_weak: Tensor, logits_strong: Tensor) -> Tensor:
    return F.kl_div(logits_strong.log_softmax(1), logits_weak.detach().softmax(1), reduction="batchmean")


def the_wrong_one(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    return F.kl_div(student_logits.detach().log_softmax(1), teacher_logits.softmax(1), reduction="batchmean")


def of_two_critics(q1: Tensor, q2: Tensor, v: Tensor) -> Tensor:
    return F.mse_loss(q1, v.detach()) + F.mse_loss(q2, v.detach())


class SlopePenalty(nn.Module):
    """The network inside learns; what it is asked at does not."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 4), nn.Softplus(), nn.Linear(4, 1))

    def forward(self, real: Tensor) -> Tensor:
        real = real.detach().requires_grad_()
        (slope,) = torch.autograd.grad(self.net(real).sum(), real, create_graph=True)
        return slope.square().sum(1).mean()


STOPPED = [
    (weak_to_strong, {"logits_weak": "logits[N,C]", "logits_strong": "logits[N,C]"}, "info"),
    (the_wrong_one, {"student_logits": "logits[N,C]", "teacher_logits": "logits[N,C]"}, "error"),
    (SlopePenalty(), {}, "info"),
]


@pytest.mark.parametrize(("loss", "flags", "severity"), STOPPED)
def test_a_side_that_is_stopped_in_so_many_words_is_information(loss: Any, flags: Any, severity: str) -> None:
    names = list(flags)
    declared = {"pred": flags[names[0]], "target": flags[names[1]]} if names else {}
    (found,) = answer(rule, loss, **declared)[1]
    assert found.severity == severity


def of_two_networks(y_1: Tensor, y_2: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    return F.cross_entropy(y_1, labels), F.cross_entropy(y_2, labels)


def with_the_second_stopped(y_1: Tensor, y_2: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    return F.cross_entropy(y_1, labels), F.cross_entropy(y_2.detach(), labels)


def test_what_a_second_term_pulls_at_has_a_gradient() -> None:
    of_both = {"y_1": "logits[N,C]", "y_2": "logits[N,C]", "labels": "index[N]"}
    assert answer(rule, of_two_networks, **of_both)[1] == []
    (found,) = answer(rule, with_the_second_stopped, **of_both)[1]
    assert (found.severity, found.message) == ("warning", "y_2 gets no gradient")
