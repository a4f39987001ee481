"""LS503 on losses whose scale follows the size of their inputs, and on their nearest innocent neighbours."""

from pathlib import Path

import pytest
import torch
from keras import ops
from reproducing import run_reproducer
from ruletest import answer, printed
from torch import Tensor, nn
from torch.nn import functional as F

from lossmith.checker.rules import ls503_size_dependent_scale as rule

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}
IMAGES = {"pred": "real[N,C,H,W]", "target": "real[N,C,H,W]"}
TOKENS = {"pred": "logits[N,T,C]", "target": "index[N,T]"}
EMBEDDINGS = {"pred": "embedding[N,D]", "target": "index[N]"}


def divides_twice(pred: Tensor, target: Tensor) -> Tensor:
    return F.mse_loss(pred, target) / pred.shape[0]


def divides_once(pred: Tensor, target: Tensor) -> Tensor:
    return F.mse_loss(pred, target)


class TimesBatch(nn.Module):
    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return (pred - target).abs().sum() * len(pred)


class SumOfBatch(nn.Module):
    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return (pred - target).abs().sum()


def over_pixels(pred: Tensor, target: Tensor) -> Tensor:
    return (pred - target).square().sum((1, 2, 3)).mean()


def over_pixels_repaired(pred: Tensor, target: Tensor) -> Tensor:
    return (pred - target).square().mean((1, 2, 3)).mean()


def over_pixels_as_documented(pred: Tensor, target: Tensor) -> Tensor:
    """Negative log-likelihood of a unit Gaussian, summed over the pixels of an image."""
    return (pred - target).square().sum((1, 2, 3)).mean()


class Tokens(nn.Module):
    """Cross entropy of a sentence."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(logits.movedim(-1, 1), target, reduction="none").sum(1).mean()


class TokensRepaired(Tokens):
    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(logits.movedim(-1, 1), target)


def mean_of_pixels_divided(pred: Tensor, target: Tensor) -> Tensor:
    return (pred - target).abs().mean() / (pred.shape[2] * pred.shape[3])


def squared_distance(pred: Tensor, target: Tensor) -> Tensor:
    return (pred - target).square().sum(1).mean()


def pairs(pred: Tensor, target: Tensor) -> Tensor:
    same = target[:, None] == target[None]
    return (torch.cdist(pred, pred) * same).sum() / len(pred) ** 2


def norm_of_the_batch(pred: Tensor, target: Tensor) -> Tensor:
    return (pred - target).norm()


@pytest.mark.parametrize(
    ("loss", "contract", "severity", "message"),
    [
        (divides_twice, REAL, "error", "the total is a mean that is divided by the number of samples once more"),
        (TimesBatch(), REAL, "error", "the total is a sum that is multiplied by the number of samples"),
        (over_pixels, IMAGES, "warning", "grows inside each: by 2 for twice the height"),
        (Tokens(), TOKENS, "warning", "grows inside each: by 2 for twice the number of steps"),
        (mean_of_pixels_divided, IMAGES, "warning", "is divided once more inside each: by 0.5"),
    ],
)
def test_a_scale_that_follows_a_size_is_found(loss, contract, severity, message) -> None:
    _, (found,) = answer(rule, loss, **contract)
    assert found.severity == severity
    assert message in found.message


@pytest.mark.parametrize(
    ("loss", "contract"),
    [
        (divides_once, REAL),
        (SumOfBatch(), REAL),
        (over_pixels_repaired, IMAGES),
        (over_pixels_as_documented, IMAGES),
        (TokensRepaired(), TOKENS),
        (squared_distance, REAL),
        (pairs, EMBEDDINGS),
        (norm_of_the_batch, REAL),
        (nn.MSELoss(reduction="sum"), IMAGES),
        (
            nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])),
            {"pred": "logits[N,C]", "target": "index[N]"},
        ),
    ],
)
def test_repaired_twins_and_innocents_pass(loss, contract) -> None:
    status, findings = answer(rule, loss, **contract)
    assert (status.status, findings) == ("passed", [])


def test_the_printed_text_is_stable() -> None:
    lines = printed(rule, over_pixels, **IMAGES).splitlines()
    assert lines[3:7] == [
        "    the total is a mean over samples, but grows inside each: by 2 for twice the height",
        "      shape of pred                       (6, 5, 3, 4)",
        "      value for height 3                  111.535",
        "      value for height 6, the same twice  223.071",
    ]


def test_the_reproducer_doubles_the_batch(tmp_path: Path) -> None:
    source = "def twice(pred, target):\n    return (pred - target).abs().mean() / len(pred)\n"
    _, (line,) = run_reproducer(tmp_path, rule, source, "twice", **REAL)
    once, doubled = (float(part.strip(" )")) for part in line.replace("tensor(", "").split(")")[:2])
    assert doubled == pytest.approx(once / 2, rel=1e-3)


@pytest.mark.parametrize(("twice", "told"), [(True, ["warning"]), (False, [])])
def test_one_term_that_is_divided_twice(twice: bool, told: list[str]) -> None:
    def two_terms(pred: Tensor, target: Tensor) -> Tensor:
        share = len(pred) if twice else 10
        return F.l1_loss(pred, target) + F.mse_loss(pred, target) / share

    assert [found.severity for found in answer(rule, two_terms, **REAL)[1]] == told


def test_a_spread_that_is_divided_by_one_less_is_no_term_that_fades() -> None:
    def spread(pred: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(pred, target) + (pred.var(0) - target.var(0)).square().mean()

    assert answer(rule, spread, **REAL)[1] == []


def keras_sum(y_true: Tensor, y_pred: Tensor) -> Tensor:
    return ops.sum(ops.square(y_true - y_pred))


def keras_sum_of_each(y_true: Tensor, y_pred: Tensor) -> Tensor:
    return ops.sum(ops.square(y_true - y_pred), axis=-1)


def keras_sum_as_documented(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """The sum of squares over the batch."""
    return ops.sum(ops.square(y_true - y_pred))


def test_a_sum_that_keras_cannot_average() -> None:
    given = {"y_true": "real[N,C]", "y_pred": "real[N,C]"}
    (found,) = answer(rule, keras_sum, **given)[1]
    assert found.severity == "warning"
    assert "twice the samples double it" in found.message
    for innocent in (keras_sum_of_each, keras_sum_as_documented):
        assert answer(rule, innocent, **given)[1] == []
