"""LS402 on losses that break for one sample, and on their nearest innocent neighbours."""

import ast
from pathlib import Path

import keras
import numpy as np
import pytest
import torch
from reproducing import run_reproducer
from ruletest import answer, printed
from shipped import each_shipped, shipped
from torch import Tensor, nn
from torch.nn import functional as F

from lossmith.checker.rules import ls402_batch_of_one as rule

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}


def squeezed(pred: Tensor, target: Tensor) -> Tensor:
    return (pred.squeeze() - target.squeeze()).square().sum(1).mean()


def squeezed_last(pred: Tensor, target: Tensor) -> Tensor:
    return (pred.squeeze(-1) - target.squeeze(-1)).square().sum(1).mean()


def averaged_twice(pred: Tensor, target: Tensor) -> Tensor:
    """For one sample the mean is over the columns, and no longer over the batch."""
    return (pred - target).squeeze().square().mean(0).sum()


class Whitened(nn.Module):
    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return (pred.mean(0) - target.mean(0)).square().mean() + (pred.std(0) - target.std(0)).square().mean()


class KerasSpread(keras.losses.Loss):
    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        n = keras.ops.cast(keras.ops.shape(y_true)[0], y_true.dtype)
        return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1) / (n - 1.0)


def refuses(pred: Tensor, target: Tensor) -> Tensor:
    if len(pred) < 2:
        raise ValueError("at least two samples")
    return (pred - target).square().mean() / (target - target.mean(0)).square().mean()


def info_nce(z1: Tensor, z2: Tensor) -> Tensor:
    return F.cross_entropy(F.normalize(z1, dim=-1) @ F.normalize(z2, dim=-1).T / 0.1, torch.arange(len(z1)))


def masked(pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """A single sample whose mask is empty gives NaN: that is its content (LS204), not its number."""
    return ((pred - target).square() * mask).sum() / mask.sum()


def test_a_bare_squeeze_is_shown_to_be_the_cause() -> None:
    status, (found,) = answer(rule, squeezed, **REAL)
    assert (status.status, found.code, found.severity) == ("failed", "LS402", "error")
    assert found.evidence["raises"].startswith("IndexError")
    assert np.array(ast.literal_eval(found.evidence["pred"])).shape == (1, 5)
    assert "squeeze() drops the batch axis" in found.why


def test_the_spread_of_one_sample_is_shown_to_be_the_cause() -> None:
    _, (found,) = answer(rule, Whitened(), **REAL)
    assert found.message == "a batch of one gives nan, whichever sample it holds; larger batches work"
    assert found.why.startswith("std and var divide by n - 1")


def test_a_keras_loss_that_divides_by_n_minus_one_is_found() -> None:
    _, (found,) = answer(rule, KerasSpread(), y_true="real[N,C]", y_pred="real[N,C]")
    assert (found.severity, found.evidence["value"], found.why) == ("error", "inf", "")


def test_another_meaning_for_one_sample_is_measured_against_larger_batches() -> None:
    _, (found,) = answer(rule, averaged_twice, **REAL)
    assert found.severity == "error"
    alone, expected = (float(part.split()[0]) for part in found.evidence["the first"].split(", "))
    # The mean over the batch of the sum over the columns would be five times the mean over the columns.
    assert expected == pytest.approx(5 * alone, rel=1e-4)
    assert found.fix == "squeeze(-1) instead of squeeze()"


def test_a_refusal_on_purpose_is_a_warning() -> None:
    _, (found,) = answer(rule, refuses, **REAL)
    assert (found.severity, found.why) == ("warning", "the loss refuses it on purpose")


def test_losses_that_compare_samples_but_stay_finite_pass() -> None:
    assert answer(rule, info_nce, z1="embedding[N,D]", z2="embedding[N,D]")[0].status == "passed"


def test_squeezing_the_last_axis_and_empty_masks_pass() -> None:
    assert answer(rule, squeezed_last, **REAL)[0].status == "passed"
    assert answer(rule, masked, mask="mask[N,C]", **REAL)[0].status == "passed"


def test_an_example_of_one_sample_is_not_applicable() -> None:
    example = (torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 1.0]]))
    assert answer(rule, squeezed_last, example=example)[0].status == "not applicable"


def test_the_printed_text_is_stable() -> None:
    text = printed(rule, lambda pred, target: (pred - target).squeeze().square().mean(0).sum(), **REAL)
    lines = text.splitlines()
    assert lines[3] == "    a batch of one has another scale or meaning than in the mean that all larger batches are"
    assert [line.split("  ")[3] for line in lines[4:9]] == ["pred", "target", "value", "the last", "the first"]
    assert lines[9:12] == [
        "    why     squeeze() drops the batch axis too when it has length 1; "
        "with an axis kept there, the fault is gone",
        "    fix     squeeze(-1) instead of squeeze()",
        "    allow   --ignore LS402",
    ]


def test_the_reproducer_prints_whole_first_and_rest(tmp_path: Path) -> None:
    source = "def averaged_twice(pred, target):\n    return (pred - target).squeeze().square().mean(0).sum()\n"
    found, lines = run_reproducer(tmp_path, rule, source, "averaged_twice", **REAL)
    whole, alone, rest = (float(line.removeprefix("tensor(").removesuffix(")")) for line in lines)
    assert abs(3 * whole - 2 * rest - alone) > 0.1
    assert float(found.evidence["the first"].split()[0]) == pytest.approx(alone, rel=1e-3)


def test_the_reproducer_of_a_crash_crashes(tmp_path: Path) -> None:
    source = "def squeezed(pred, target):\n    return (pred - target).squeeze().square().sum(1).mean()\n"
    with pytest.raises(IndexError):
        run_reproducer(tmp_path, rule, source, "squeezed", **REAL)


@each_shipped
def test_shipped_losses_take_one_sample(family: str) -> None:
    assert answer(rule, shipped(family))[0].status == "passed"


def test_pairs_of_samples_are_information() -> None:
    """One sample alone has none to be compared with; the spread of one has a remedy, and is told."""

    def of_pairs(scores: Tensor, gains: Tensor) -> Tensor:
        i, j = torch.triu_indices(len(scores), len(scores), 1)
        return F.softplus(-torch.sign(gains[i] - gains[j]) * (scores[i] - scores[j])).mean()

    assert [found.severity for found in answer(rule, of_pairs, scores="real[N]", gains="real[N]")[1]] == ["info"]
