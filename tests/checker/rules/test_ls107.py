"""LS107 on losses that train the teacher, and on their nearest innocent neighbours."""

import ast
import inspect
from pathlib import Path
from typing import Any

import keras
import pytest
from reproducing import run_reproducer
from ruletest import answer, printed
from shipped import each_shipped, shipped
from torch import Tensor, nn
from torch.nn import functional as F

from lossmith.checker.contract import Argument
from lossmith.checker.rules import ls107_gradient_leaks_into_target as rule
from lossmith.domains import Domain

VIEWS = {"online": "embedding[N,D]", "target_projection": "embedding[N,D]"}


def distill(pred: Tensor, target: Tensor) -> Tensor:
    return F.kl_div(pred.log_softmax(-1), target.softmax(-1), reduction="batchmean")


def distill_detached(pred: Tensor, target: Tensor) -> Tensor:
    return F.kl_div(pred.log_softmax(-1), target.detach().softmax(-1), reduction="batchmean")


class Byol(nn.Module):
    def forward(self, online: Tensor, target_projection: Tensor) -> Tensor:
        return 2 - 2 * F.cosine_similarity(online, target_projection).mean()


class KerasTeacher(keras.losses.Loss):
    def call(self, teacher: Tensor, student: Tensor) -> Tensor:
        return keras.ops.mean(keras.ops.square(student - teacher), axis=-1)


def squared(pred: Tensor, target: Tensor) -> Tensor:
    return (pred - target).square().mean()


def two_views(z1: Tensor, z2: Tensor) -> Tensor:
    return 1 - F.cosine_similarity(z1, z2).mean()


def test_logits_for_logits_must_not_train_the_teacher() -> None:
    status, (found,) = answer(rule, distill, pred="logits[N,C]", target="logits[N,C]")
    assert (status.status, found.code, found.severity) == ("failed", "LS107", "warning")
    assert any(number != 0.0 for number in ast.literal_eval(found.evidence["grad target"])[0])
    assert found.fix == "use target.detach() in the loss"


def test_a_target_network_is_known_by_its_name() -> None:
    _, (found,) = answer(rule, Byol(), **VIEWS)
    assert found.message == "the loss sends a gradient into target_projection, which is another network's output"


def test_the_gradient_shown_is_the_derivative_of_the_value() -> None:
    _, (found,) = answer(rule, KerasTeacher(), teacher="real[N,C]", student="real[N,C]")
    [[student]], [[teacher]] = (ast.literal_eval(found.evidence[name]) for name in ("student", "teacher"))
    [[grad]] = ast.literal_eval(found.evidence["grad teacher"])
    assert grad == pytest.approx(2 * (teacher - student), rel=1e-4)
    assert "keras.ops.stop_gradient(teacher)" in found.fix


@pytest.mark.parametrize(
    ("loss", "stored"),
    [
        (lambda values, old_values: (values - old_values).square().mean(), "old_values"),
        (lambda q, td_target: (q - td_target).square().mean(), "td_target"),
        (lambda log_probs, old_log_probs: (log_probs - old_log_probs).exp().mean(), "old_log_probs"),
    ],
)
def test_what_a_rollout_has_stored_is_information(loss: Any, stored: str) -> None:
    first = next(iter(inspect.signature(loss).parameters))
    _, (found,) = answer(rule, loss, **{first: "real[N]", stored: "real[N]"})
    assert found.severity == "info"


def test_a_detached_teacher_passes() -> None:
    assert answer(rule, distill_detached, pred="logits[N,C]", target="logits[N,C]")[0].status == "passed"


def test_data_and_pairs_of_views_are_not_teachers() -> None:
    assert answer(rule, squared, pred="real[N,C]", target="real[N,C]")[0].status == "not applicable"
    assert answer(rule, two_views, z1="embedding[N,D]", z2="embedding[N,D]")[0].status == "not applicable"


@pytest.mark.parametrize("name", ["threshold", "reference", "ref", "target", "schema", "gold_ref", "y"])
def test_a_part_of_a_word_makes_no_teacher(name: str) -> None:
    assert not Argument(name, "target", Domain.parse("real[N]")).frozen


@pytest.mark.parametrize(
    "name", ["teacher", "teacher_logits", "z_ema", "ema_pred", "old_log_probs", "target_q", "next_q", "ref_logprobs"]
)
def test_names_of_networks_that_do_not_learn_are_known(name: str) -> None:
    assert Argument(name, "target", Domain.parse("real[N]")).frozen


def test_the_printed_text_is_stable() -> None:
    text = printed(rule, lambda student, teacher: (student - teacher).square().mean(), pred="real[N]", target="real[N]")
    assert text.splitlines()[3:9] == [
        "    the loss sends a gradient into teacher, which is another network's output",
        "      student       [1.541]",
        "      teacher       [0.403347]",
        "      value         1.29425",
        "      grad teacher  [-2.2753]",
        "    fix     use teacher.detach() in the loss",
    ]


def test_the_reproducer_prints_the_gradient_of_the_teacher(tmp_path: Path) -> None:
    source = "def follow(student, teacher):\n    return (student - teacher).square().mean()\n"
    found, lines = run_reproducer(tmp_path, rule, source, "follow", pred="real[N]", target="real[N]")
    assert lines == ["tensor([-2.2753])"]
    assert found.evidence["grad teacher"] == "[-2.2753]"


@each_shipped
def test_shipped_losses_take_data(family: str) -> None:
    assert answer(rule, shipped(family))[0].status == "not applicable"


def test_what_a_reference_policy_gave_is_stored_without_a_graph():
    def preference(chosen, rejected, ref_chosen, ref_rejected):
        return -F.logsigmoid(0.1 * (chosen - rejected - ref_chosen + ref_rejected)).mean()

    assert {found.severity for found in answer(rule, preference)[1]} == {"info"}


@pytest.mark.parametrize(("stop", "status"), [(False, "failed"), (True, "passed")])
def test_values_that_the_likelihoods_move_are_not_detached(stop, status):
    def two_terms(log_probs, values, rewards):
        gain = rewards - values
        weight = gain.detach() if stop else gain
        return -(log_probs * weight).mean() + 0.5 * gain.square().mean()

    assert answer(rule, two_terms)[0].status.replace("not applicable", "passed") == status
