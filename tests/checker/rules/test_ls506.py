"""LS506 on losses that depend on the order of the batch, and on their nearest innocent neighbours."""

import ast
from collections.abc import Callable
from pathlib import Path
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

from lossmith.checker.rules import ls506_order_dependent as rule

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}


def running(pred: Tensor, target: Tensor) -> Tensor:
    return (pred - target).square().cumsum(0).mean()


class FirstIsReference(nn.Module):
    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return ((pred - target).square() + (pred[0] - target[0]).square()).mean()


class KerasPositions(keras.losses.Loss):
    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        place = keras.ops.cast(keras.ops.arange(keras.ops.shape(y_true)[0]), y_true.dtype)
        return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1) * (1.0 + place)


class MisplacedGradient(torch.autograd.Function):
    """The total is right in any order; the gradient of each sample goes to its neighbour, the first to the last."""

    @staticmethod
    def forward(ctx: Any, pred: Tensor, target: Tensor) -> Tensor:
        ctx.save_for_backward(pred, target)
        return (pred - target).square().sum()

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None]:
        pred, target = ctx.saved_tensors
        step = torch.arange(len(pred), dtype=pred.dtype).reshape(-1, 1)
        return 2 * grad_output * (pred - target) * (1 + step), None


def ranks(pred: Tensor, target: Tensor) -> Tensor:
    """Sorted values do not depend on the order in which they came."""
    return (pred.sort(0).values - target.sort(0).values).square().mean()


def all_pairs(features: Tensor, label: Tensor) -> Tensor:
    same = (label[:, None] == label[None, :]).to(features.dtype)
    return (torch.cdist(features, features).square() * (2 * same - 1)).mean()


def two_views(z1: Tensor, z2: Tensor) -> Tensor:
    return F.cross_entropy(F.normalize(z1, dim=-1) @ F.normalize(z2, dim=-1).T, torch.arange(len(z1)))


def total_variation(wave: Tensor) -> Tensor:
    return (wave[1:] - wave[:-1]).abs().mean()


def along_time(pred: Tensor, target: Tensor) -> Tensor:
    return (pred - target).cumsum(0).abs().mean()


def noisy(pred: Tensor, target: Tensor) -> Tensor:
    return (pred + 0.1 * torch.randn_like(pred) - target).square().mean()


def weighted_classes(pred: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    return F.cross_entropy(pred, target, weight=weight)


def four_by_four(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(4, 4, generator=g), torch.tensor([0, 1, 2, 3]), torch.rand(4, generator=g) + 0.1


def test_a_sum_along_the_batch_shows_two_orders_and_two_values() -> None:
    status, (found,) = answer(rule, running, **REAL)
    assert (status.status, found.code, found.severity) == ("failed", "LS506", "error")
    square = (np.array(ast.literal_eval(found.evidence["pred"])) - ast.literal_eval(found.evidence["target"])) ** 2
    order = ast.literal_eval(found.evidence["new order"])
    assert float(found.evidence["value"]) == pytest.approx(np.cumsum(square, 0).mean(), rel=1e-4)
    assert float(found.evidence["value then"]) == pytest.approx(np.cumsum(square[order], 0).mean(), rel=1e-4)


def test_a_reference_row_and_positions_in_keras_are_found() -> None:
    assert [found.severity for found in answer(rule, FirstIsReference(), **REAL)[1]] == ["error"]
    flags = {"y_true": "real[N,C]", "y_pred": "real[N,C]"}
    assert [found.severity for found in answer(rule, KerasPositions(), **flags)[1]] == ["error"]


def test_a_gradient_that_does_not_follow_its_sample_is_found() -> None:
    _, (found,) = answer(rule, MisplacedGradient, **REAL)
    assert found.message == "the gradient does not follow its sample when the batch is put in another order"
    assert found.evidence["value"] == found.evidence["value then"]
    before, after = (np.array(ast.literal_eval(found.evidence[name])) for name in ("grad pred", "grad pred then"))
    assert not np.allclose(before[::-1], after)


@pytest.mark.parametrize("loss", [ranks, lambda pred, target: (pred - target).square().mean()])
def test_sorting_and_plain_means_pass(loss: Callable[..., Tensor]) -> None:
    assert answer(rule, loss, **REAL)[0].status == "passed"


def test_pairs_inside_a_batch_pass() -> None:
    assert answer(rule, all_pairs, features="embedding[N,D]", label="index[N]")[0].status == "passed"
    assert answer(rule, two_views, z1="embedding[N,D]", z2="embedding[N,D]")[0].status == "passed"


def test_a_first_axis_that_is_no_batch_is_not_applicable() -> None:
    status, _ = answer(rule, along_time, pred="real[T]", target="real[T]")
    assert (status.status, status.reason) == ("not applicable", "pred has no batch axis N")
    assert answer(rule, total_variation)[0].status == "not applicable"


def test_a_weight_that_may_belong_to_another_axis_is_not_permuted() -> None:
    status, _ = answer(rule, weighted_classes, example=four_by_four)
    assert (status.status, status.reason) == (
        "not applicable",
        "weight may belong to the batch or to another axis of the same length",
    )


def test_noise_is_not_taken_for_order() -> None:
    assert answer(rule, noisy, **REAL)[0].status == "skipped"


def test_the_printed_text_is_stable() -> None:
    text = printed(
        rule, lambda pred, target: (pred - target).square().cumsum(0).mean(), pred="real[N]", target="real[N]"
    )
    assert text.splitlines()[3:12] == [
        "    the total depends on the order of the samples: 3.14552 becomes 2.54344",
        "      pred        [-1.3986, 1.541]",
        "      target      [0.182036, 0.403347]",
        "      value       3.14552",
        "      grad pred   [-3.16126, 1.13765]",
        "      new order   [1, 0]",
        "      value then  2.54344",
        "    fix     treat all rows alike: no single row as a reference, no sum or state that runs along the batch",
        "    allow   --ignore LS506",
    ]


@pytest.mark.parametrize("kind", ["total", "gradient"])
def test_the_reproducers_print_both_orders(tmp_path: Path, kind: str) -> None:
    sources = {
        "total": "def running(pred, target):\n    return (pred - target).square().cumsum(0).mean()\n",
        "gradient": """\
            class Misplaced(torch.autograd.Function):
                @staticmethod
                def forward(ctx, pred, target):
                    ctx.save_for_backward(pred, target)
                    return (pred - target).square().sum()

                @staticmethod
                def backward(ctx, grad_output):
                    pred, target = ctx.saved_tensors
                    step = torch.arange(len(pred), dtype=pred.dtype).reshape(-1, 1)
                    return 2 * grad_output * (pred - target) * (1 + step), None
        """,
    }
    name = {"total": "running", "gradient": "Misplaced"}[kind]
    _, lines = run_reproducer(tmp_path, rule, sources[kind], name, **REAL)
    half = len(lines) // 2
    assert half >= 1
    assert lines[:half] != lines[half:]


@each_shipped
def test_shipped_losses_do_not_depend_on_the_order(family: str) -> None:
    assert answer(rule, shipped(family))[0].status == "passed"


def test_noise_of_a_fixed_seed_is_information() -> None:
    def noisy(pred: Tensor, target: Tensor) -> Tensor:
        noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(0))
        return (pred - target - 0.1 * noise).square().mean()

    assert [found.severity for found in answer(rule, noisy, **REAL)[1]] == ["info"]
