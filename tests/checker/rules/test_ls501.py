"""LS501 on means over a count that depends on the data, and on their nearest innocent neighbours."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import torch
from reproducing import run_reproducer
from ruletest import answer, printed
from shipped import each_shipped, shipped
from test_ls607 import InABuffer
from torch import Tensor, nn
from torch.nn import functional as F

from lossmith.checker.known import reviewed
from lossmith.checker.rules import ls501_micro_batch_not_additive as rule

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}
CLASSES = {"pred": "logits[N,C]", "target": "index[N]"}
BINARY = {"pred": "logits[N]", "target": "binary[N]"}
CLASS_WEIGHT = (1.0, 5.0, 1.0, 1.0, 2.0)


def masked_mean(pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    return ((pred - target).square() * mask).sum() / mask.sum()


def masked_sum(pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    return ((pred - target).square() * mask).sum()


class WeightedEntropy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", torch.tensor(CLASS_WEIGHT))

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(pred, target, weight=self.weight)


class MeanOverPositives(keras.losses.Loss):
    def __call__(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        y_true = keras.ops.convert_to_tensor(y_true)
        return keras.ops.sum(keras.ops.square(y_true - y_pred)) / keras.ops.sum(y_true)


def tokens(pred: Tensor, target: Tensor) -> Tensor:
    kept = target != -100
    value = F.cross_entropy(pred, target.clamp(min=0), reduction="none")
    return (value * kept).sum() / kept.sum()


def entropy(pred: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(pred, target)


def per_sample_mask(pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Each sample divides by its own count, and the batch by the number of samples: that is a plain mean."""
    value = ((pred - target).square() * mask).sum(-1) / mask.sum(-1).clamp(min=1)
    return value.mean()


def root_mean_square(pred: Tensor, target: Tensor) -> Tensor:
    return (pred - target).square().mean().sqrt()


def worst(pred: Tensor, target: Tensor) -> Tensor:
    return (pred - target).square().mean(-1).max()


def dice(pred: Tensor, target: Tensor) -> Tensor:
    prob = pred.sigmoid()
    return 1 - 2 * (prob * target).sum() / (prob.sum() + target.sum())


def weights_of(text: str) -> list[float]:
    return [float(word) for word in text.split(" and ")]


def test_a_masked_mean_weighs_by_the_count_of_its_mask() -> None:
    status, (found,) = answer(rule, masked_mean, mask="mask[N,C]", **REAL)
    assert (status.status, found.code, found.severity) == ("failed", "LS501", "info")
    assert found.why.endswith("each part weighs by the entries of mask that are not 0")
    first, second = weights_of(found.evidence["weights found"])
    assert first + second == pytest.approx(1, abs=1e-3)
    assert first != pytest.approx(weights_of(found.evidence["weights of a mean"])[0], abs=0.05)
    parts = [float(text) for name, text in found.evidence.items() if name.startswith("value of the")]
    assert float(found.evidence["value"]) == pytest.approx(first * parts[0] + second * parts[1], rel=1e-3)


def test_class_weights_are_the_weights_that_are_found() -> None:
    _, (found,) = answer(rule, WeightedEntropy(), **CLASSES)
    labels = [int(label) for label in found.evidence["target"].strip("[]").split(", ")]
    cut = int(next(name for name in found.evidence if name.startswith("value of the first")).split()[-1])
    weight = np.array([CLASS_WEIGHT[label] for label in labels])
    expected = weight[:cut].sum() / weight.sum()
    assert weights_of(found.evidence["weights found"])[0] == pytest.approx(expected, rel=1e-3)


def test_a_mean_over_positives_in_keras_is_found() -> None:
    _, (found,) = answer(rule, MeanOverPositives(), y_true="binary[N,C]", y_pred="prob[N,C]")
    assert "y_true" in found.why


def test_a_scale_that_comes_from_the_predictions_is_not_called_a_count() -> None:
    def own_scale(pred: Tensor, target: Tensor) -> Tensor:
        value = (pred - target).square().mean()
        return value / (0.9 + 0.1 * value.detach())

    _, (found,) = answer(rule, own_scale, **REAL)
    assert (found.severity, found.why, found.fix) == (
        "warning",
        "",
        "divide outside the loss, once for the whole batch",
    )


def test_a_scale_that_is_remembered_is_left_to_LS607() -> None:
    status, _ = answer(rule, InABuffer(), **REAL)
    assert (status.status, "LS607" in status.reason) == ("skipped", True)


def test_ignored_labels_are_tried_where_the_code_speaks_of_them() -> None:
    _, (found,) = answer(rule, tokens, **CLASSES)
    assert "-100" in found.evidence["target"]
    assert found.why.endswith("each part weighs by the entries of target that are not negative")
    assert answer(rule, entropy, **CLASSES)[0].status == "passed"


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_plain_reductions_pass(reduction: str) -> None:
    loss = nn.MSELoss(reduction=reduction)
    assert answer(rule, loss, input="real[N,C]", target="real[N,C]")[0].status == "passed"


def test_a_masked_sum_and_a_mean_of_masked_means_pass() -> None:
    assert answer(rule, masked_sum, mask="mask[N,C]", **REAL)[0].status == "passed"
    assert answer(rule, per_sample_mask, mask="mask[N,C]", **REAL)[0].status == "passed"


@pytest.mark.parametrize("loss", [root_mean_square, worst])
def test_losses_that_no_weights_explain_are_not_accused(loss: Callable[..., Tensor]) -> None:
    assert answer(rule, loss, **REAL)[0].status == "passed"


def test_a_dice_score_over_the_batch_is_not_accused() -> None:
    assert answer(rule, dice, **BINARY)[0].status == "passed"


def test_a_loss_with_random_noise_is_skipped_with_the_reason() -> None:
    status, _ = answer(rule, lambda pred, target: (pred + torch.randn_like(pred) - target).square().mean(), **REAL)
    assert (status.status, status.reason) == ("skipped", "the loss does not give the same answer twice (LS607)")


def test_the_printed_text_is_stable() -> None:
    text = printed(
        rule, lambda pred, target: (pred.exp() * target).sum() / target.sum(), pred="real[N]", target="binary[N]"
    )
    lines = text.splitlines()
    assert lines[3] == (
        "    it is a mean over what counts and not over samples: of 6, the first 2 and the last 4 weigh 0.667 and "
        "0.333, not 0.333 and 0.667"
    )
    assert lines[5:14] == [
        "      target                [1.0, 1.0, 0.0, 1.0, 0.0, 0.0]",
        "      value                 0.84899",
        "      value of the first 2  0.741675",
        "      value of the last 4   1.06362",
        "      weights found         0.6667 and 0.3333",
        "      weights of a mean     0.3333 and 0.6667",
        "    why     in all 9 cases tried, each part weighs by the entries of target that are not 0",
        "    fix     return the sum and the count, add both over the micro-batches, and divide once",
        "    allow   --ignore LS501",
    ]


def test_the_reproducer_prints_the_whole_and_the_mean_of_its_parts(tmp_path: Path) -> None:
    source = """\
        def masked_mean(pred, target, mask):
            return ((pred - target).square() * mask).sum() / mask.sum()
    """
    found, lines = run_reproducer(tmp_path, rule, source, "masked_mean", mask="mask[N,C]", **REAL)
    whole, parts = (float(line.removeprefix("tensor(").removesuffix(")")) for line in lines)
    assert whole == pytest.approx(float(found.evidence["value"]), rel=1e-3)
    assert abs(whole - parts) > 0.05 * abs(whole)


@each_shipped
def test_shipped_losses_are_sums_or_means_but_for_what_was_reviewed(family: str) -> None:
    subject = shipped(family)
    _, findings = answer(rule, subject)
    assert bool(findings) == ("LS501" in reviewed(subject))
