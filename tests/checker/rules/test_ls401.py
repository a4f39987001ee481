"""LS401 on losses that broadcast, and on their nearest innocent neighbours."""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch
from reproducing import run_reproducer
from ruletest import answer, printed, subject_of
from shipped import each_shipped, shipped
from torch import Tensor, nn
from torch.nn import functional as F

from lossmith.checker.known import reviewed
from lossmith.checker.rules import ls401_silent_broadcast as rule

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}
CLASSES = {"pred": "logits[N,C]", "target": "index[N]"}


def squared(pred: Tensor, target: Tensor) -> Tensor:
    return (pred - target).square().mean()


class Flattened(nn.Module):
    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        if pred.numel() != target.numel():
            raise ValueError("as many predictions as targets")
        return (pred.reshape(-1) - target.reshape(-1)).square().mean()


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pred: Tensor, target: Tensor) -> Tensor:
        ctx.save_for_backward(pred, target)
        return (pred - target).square().sum()

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None]:
        pred, target = ctx.saved_tensors
        return 2 * grad_output * (pred - target), None


class KerasSquare(keras.losses.Loss):
    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)


def keras_square(y_true: Tensor, y_pred: Tensor) -> Tensor:
    return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)


class KerasAligned(keras.losses.Loss):
    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        y_true = keras.ops.reshape(y_true, keras.ops.shape(y_pred))
        return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)


def meets_all(pred: Tensor, target: Tensor) -> Tensor:
    return (pred - target.unsqueeze(1)).square().mean()


def meets_all_logits(pred: Tensor, target: Tensor) -> Tensor:
    return F.softplus(-(2 * target.unsqueeze(1) - 1) * pred).sum()


def by_arange(pred: Tensor, target: Tensor) -> Tensor:
    return -pred.log_softmax(-1)[torch.arange(len(pred)), target].mean()


def by_gather(pred: Tensor, target: Tensor) -> Tensor:
    return -pred.log_softmax(-1).gather(1, target.reshape(-1, 1)).mean()


def checked(pred: Tensor, target: Tensor) -> Tensor:
    if pred.shape != target.shape:
        raise ValueError("one shape")
    return (pred - target).square().mean()


def torch_warns(pred: Tensor, target: Tensor) -> Tensor:
    return F.mse_loss(pred, target)


def chamfer(pred: Tensor, target: Tensor) -> Tensor:
    distance = torch.cdist(pred, target)
    return distance.min(0).values.mean() + distance.min(1).values.mean()


def rank_above(pos: Tensor, neg: Tensor) -> Tensor:
    if pos.ndim != 1 or neg.ndim != 1 or len(pos) != len(neg):
        raise ValueError("two lists of scores")
    return F.relu(1 - (pos[:, None] - neg[None, :])).mean()


def column_and_row(seed: int = 0) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(8, 1, generator=g), torch.randn(8, generator=g)


def test_a_column_against_a_row_shows_both_values_and_the_matrix() -> None:
    status, (found,) = answer(rule, squared, **REAL)
    assert (status.status, found.code, found.severity) == ("failed", "LS401", "warning")
    pred, target = (np.array(ast.literal_eval(found.evidence[name])) for name in ("pred", "target"))
    assert (pred.shape, target.shape) == ((3, 1), (3,))
    assert float(found.evidence["value"]) == pytest.approx(((pred - target) ** 2).mean(), rel=1e-4)
    assert float(found.evidence["value aligned"]) == pytest.approx(((pred[:, 0] - target) ** 2).mean(), rel=1e-4)
    assert found.evidence["broadcast to"] == "(3, 3)"
    assert found.evidence["also accepted"] == "pred (3,) with target (3, 1); pred (3,) with target (1,)"


def test_an_autograd_function_is_no_exception() -> None:
    assert [found.severity for found in answer(rule, Square, **REAL)[1]] == ["warning"]


def test_images_without_their_channel_broadcast_over_the_batch() -> None:
    _, (found,) = answer(rule, squared, pred="real[N,1,H,W]", target="real[N,1,H,W]")
    assert found.evidence["shapes"] == "pred (3, 1, 3, 4), target (3, 3, 4)"
    assert found.evidence["broadcast to"] == "(3, 3, 3, 4)"


def test_labels_of_one_column_that_index_a_matrix_are_a_warning() -> None:
    _, (found,) = answer(rule, by_arange, **CLASSES)
    assert (found.severity, found.evidence["shapes"]) == ("warning", "pred (3, 5), target (3, 1)")


def test_one_label_for_all_rows_is_a_warning() -> None:
    _, (found,) = answer(rule, by_gather, **CLASSES)
    assert (found.severity, found.evidence["shapes"]) == ("warning", "pred (3, 5), target (1,)")
    assert found.why == "only the first prediction counts"


def test_one_number_for_all_predictions_is_a_warning() -> None:
    def flat(pred: Tensor, target: Tensor) -> Tensor:
        return (pred.reshape(-1) - target.reshape(-1)).square().mean()

    _, (found,) = answer(rule, flat, **REAL)
    assert (found.severity, found.why) == ("warning", "one target is used for all predictions")


def test_a_warning_of_torch_is_told() -> None:
    _, (found,) = answer(rule, torch_warns, **REAL)
    assert found.severity == "warning"
    assert found.evidence["warns"].startswith("Using a target size")


def test_a_keras_loss_class_is_not_aligned_by_keras_and_a_function_is() -> None:
    flags = {"y_true": "real[N,C]", "y_pred": "real[N,C]"}
    _, (found,) = answer(rule, KerasSquare(), **flags)
    assert "compile" not in found.why
    _, (found,) = answer(rule, keras_square, **flags)
    assert "compile(loss=function) aligns the ranks" in found.why


@pytest.mark.parametrize("loss", ["class", "function"])
def test_what_is_said_of_keras_compile_is_what_compile_does(loss: str) -> None:
    """The ranks that reach a custom loss inside `fit`, for targets (N,) and predictions (N, 1)."""
    from keras.src.trainers.compile_utils import CompileLoss

    seen: list[tuple[int, int]] = []

    def spy(y_true: Tensor, y_pred: Tensor) -> Tensor:
        seen.append((len(y_true.shape), len(y_pred.shape)))
        return keras.ops.mean(keras.ops.square(y_pred), axis=-1)

    class Spy(keras.losses.Loss):
        def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
            return spy(y_true, y_pred)

    compiled = CompileLoss(Spy() if loss == "class" else spy, output_names=["y"])
    compiled(keras.ops.zeros((4,)), keras.ops.zeros((4, 1)))
    assert set(seen) == {(1, 2) if loss == "class" else (2, 2)}


@pytest.mark.parametrize("loss", [meets_all, meets_all_logits])
def test_code_that_pairs_all_with_all_is_proved_by_the_sum_over_pairs(loss: Callable[..., Tensor]) -> None:
    kinds = (
        {"pred": "real[N]", "target": "real[N]"} if loss is meets_all else {"pred": "logits[N]", "target": "binary[N]"}
    )
    _, (found,) = answer(rule, loss, **kinds)
    assert found.severity == "error"
    assert found.message == "every prediction meets every target: the total is the same for targets in any order"
    assert found.evidence["value"] == found.evidence["over all pairs"] != found.evidence["over matching pairs"]
    pred, target = (np.array(ast.literal_eval(found.evidence[name])) for name in ("pred", "target"))
    if loss is meets_all:
        pairs = (pred[:, None] - target[None, :]) ** 2
        assert float(found.evidence["value"]) == pytest.approx(pairs.mean(), rel=1e-4)
        assert float(found.evidence["over matching pairs"]) == pytest.approx(np.diag(pairs).mean(), rel=1e-4)


def test_an_example_with_a_stray_axis_is_proved_to_pair_all_with_all() -> None:
    _, (found,) = answer(rule, squared, example=column_and_row)
    assert found.severity == "error"
    assert found.evidence["shapes"] == "pred (4, 1), target (4,)"


def root(pred: Tensor, target: Tensor) -> Tensor:
    return ((pred - target).square().mean() + 1e-6).sqrt()


def root_of_squeezed(pred: Tensor, target: Tensor) -> Tensor:
    return root(pred.squeeze(1), target)


def far_means(pred: Tensor, target: Tensor) -> Tensor:
    return (pred.mean() - target.mean()).square()


def test_a_stray_axis_in_the_contract_is_an_error_where_the_order_of_targets_stops_to_matter() -> None:
    """The root of a mean over pairs is no sum over pairs: here the shapes of the contract are the proof."""
    _, (found,) = answer(rule, root, pred="real[N,1]", target="real[N]")
    assert (found.severity, found.evidence["broadcast to"]) == ("error", "(3, 3)")
    assert found.evidence["value"] != found.evidence["value aligned"]
    _, (found,) = answer(rule, root, example=column_and_row)
    assert found.severity == "error"
    assert answer(rule, root, **REAL)[1][0].severity == "warning"  # no shape of its own contract is astray


@pytest.mark.parametrize("loss", [root_of_squeezed, far_means])
def test_a_loss_that_squeezes_or_is_blind_to_the_order_by_design_may_have_such_a_contract(
    loss: Callable[..., Tensor],
) -> None:
    assert answer(rule, loss, pred="real[N,1]", target="real[N]")[1] == []


def test_losses_that_refuse_or_align_other_shapes_pass() -> None:
    assert answer(rule, checked, **REAL)[0].status == "passed"
    assert answer(rule, Flattened(), **REAL)[0].status == "passed"
    assert answer(rule, KerasAligned(), y_true="real[N,C]", y_pred="real[N,C]")[0].status == "passed"


def test_losses_on_sets_and_on_two_groups_meet_all_by_design() -> None:
    assert answer(rule, chamfer, pred="embedding[N,D]", target="real[N,D]")[0].status == "passed"
    assert answer(rule, rank_above, pred="real[N]", target="real[N]")[0].status == "passed"


STEP = {
    "q_values": "real[N,C]",
    "actions": "index[N]",
    "rewards": "real[N]",
    "next_q_values": "real[N,C]",
    "done": "binary[N]",
}


def step_of_columns(q_values, actions, rewards, next_q_values, done, gamma=0.9):
    q = q_values.gather(1, actions[:, None])
    return F.smooth_l1_loss(q, rewards + gamma * (1 - done) * next_q_values.amax(1).detach())


def step_of_rows(q_values, actions, rewards, next_q_values, done, gamma=0.9):
    q = q_values.gather(1, actions[:, None]).squeeze(1)
    return F.smooth_l1_loss(q, rewards + gamma * (1 - done) * next_q_values.amax(1).detach())


def test_a_value_of_its_action_meets_the_rewards_of_every_sample() -> None:
    found = answer(rule, step_of_columns, **STEP)[1]
    assert [each.severity for each in found] == ["error"]
    assert "every prediction meets rewards, next_q_values and done of every sample" in found[0].message
    assert answer(rule, step_of_rows, **STEP)[1] == []


def test_what_names_settle_is_read_though_torch_warns_of_shapes_within() -> None:
    assert subject_of(step_of_columns).contract.kinds() == ("real", "index", "real", "real", "binary")


def test_terms_of_either_side_and_a_weight_alone_pair_nothing() -> None:
    def two_terms(pred, target, drift):
        return (pred - target).square().mean() + (drift[:, None] - drift).square().mean()

    def weighted_in_all(pred, target, weight):
        return ((pred - target).square()[:, None] * weight).mean()

    given = {"pred": "real[N]", "target": "real[N]"}
    for loss, third in ((two_terms, {"drift": "real[N]"}), (weighted_in_all, {"weight": "weight[N]"})):
        found = answer(rule, loss, **given, **third)[1]
        assert [each.severity for each in found if "every prediction" in each.message] == []


def test_without_a_target_there_is_nothing_to_misalign() -> None:
    status, _ = answer(rule, lambda z1, z2: (z1 - z2).square().mean(), z1="embedding[N,D]", z2="embedding[N,D]")
    assert (status.status, status.reason) == ("not applicable", "it takes no target")


def test_the_printed_text_is_stable() -> None:
    assert printed(rule, lambda pred, target: (pred - target).square().mean(), **REAL).splitlines()[3:15] == [
        "    pred of shape (3, 1) with target of shape (3,) is accepted in silence: 3.1582 instead of 0.726805",
        "      pred           [[1.541], [-0.293429], [-2.17879]]",
        "      target         [0.568431, -1.08452, -1.3986]",
        "      shapes         pred (3, 1), target (3,)",
        "      value          3.1582",
        "      value aligned  0.726805",
        "      broadcast to   (3, 3)",
        "      also accepted  pred (3,) with target (3, 1); pred (3,) with target (1,)",
        "    why     the shapes broadcast to (3, 3): unrelated samples are paired",
        "    fix     if pred.shape != target.shape: raise ValueError(f'{pred.shape} and {target.shape} differ')",
        "    allow   --ignore LS401",
        "",
    ]


def test_the_reproducers_print_the_two_values(tmp_path: Path) -> None:
    source = "def squared(pred, target):\n    return (pred - target).square().mean()\n"
    found, lines = run_reproducer(tmp_path, rule, source, "squared", **REAL)
    assert lines == ["tensor(3.1582)", "tensor(0.7268)"]
    source = "def meets_all(pred, target):\n    return (pred - target.unsqueeze(1)).square().mean()\n"
    found, lines = run_reproducer(tmp_path, rule, source, "meets_all", pred="real[N]", target="real[N]")
    assert lines[0] == lines[1]
    assert found.location.endswith("drafts_of_ls401_meets_all.py:7")


@each_shipped
def test_shipped_losses_broadcast_only_where_that_was_reviewed(family: str) -> None:
    subject = shipped(family)
    _, findings = answer(rule, subject)
    assert bool(findings) == ("LS401" in reviewed(subject))
