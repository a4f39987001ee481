"""LS505 on losses whose reductions do not belong together, and on their nearest innocent neighbours."""

import ast
from dataclasses import replace
from pathlib import Path
from typing import Literal

import keras
import numpy as np
import pytest
import torch
from reproducing import run_reproducer
from ruletest import answer, printed, subject_of
from shipped import each_shipped, shipped
from torch import Tensor, nn

from lossmith.checker.finding import Finding
from lossmith.checker.rules import ls505_reduction_contract as rule

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}
KERAS = {"y_true": "real[N,C]", "y_pred": "real[N,C]"}


class Ignores(nn.Module):
    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return (pred - target).square().mean()


class PerBatch(Ignores):
    """`mean` divides by the number of samples, `none` gives every element."""

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        value = (pred - target).square()
        if self.reduction == "none":
            return value
        return value.sum() if self.reduction == "sum" else value.sum() / len(value)


class Right(Ignores):
    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        value = (pred - target).square().mean(-1)
        return {"none": value, "sum": value.sum(), "mean": value.mean()}[self.reduction]


class OfImages(Right):
    """Sums over the pixels; rows have none, and a sum over no axes is one over all of them."""

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        axes = list(range(2, pred.ndim))
        value = 1 - 2 * (pred * target).sum(axes) / (pred.square().sum(axes) + target.square().sum(axes))
        return value.mean() if self.reduction == "mean" else value.sum() if self.reduction == "sum" else value


class Learned(Right):
    """Begins with weights of its own at random, as a loss with proxies does."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.weight = nn.Parameter(torch.rand(4))

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        value = ((pred - target).square() * self.weight.square().sum()).mean(-1)
        return {"none": value, "sum": value.sum(), "mean": value.mean()}[self.reduction]


class KerasScalar(keras.losses.Loss):
    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return keras.ops.mean(keras.ops.square(y_true - y_pred))


class KerasDice(keras.losses.Loss):
    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        both = keras.ops.sum(y_true * y_pred)
        return 1 - (2 * both + 1) / (keras.ops.sum(y_true) + keras.ops.sum(y_pred) + 1)


class KerasPerSample(keras.losses.Loss):
    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)


def doubled_sum(pred: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    value = (pred - target).square()
    return value if reduction == "none" else 2 * value.sum() if reduction == "sum" else value.mean()


def root(pred: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    value = (pred - target).square()
    return value if reduction == "none" else value.sum() if reduction == "sum" else value.mean().sqrt()


def two_choices(pred: Tensor, target: Tensor, reduction: Literal["mean", "sum"] = "mean") -> Tensor:
    value = (pred - target).square()
    return value.mean() if reduction == "mean" else value.sum()


def over_positives(pred: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    value = (pred - target).square()
    return value if reduction == "none" else value.sum() if reduction == "sum" else value.sum() / target.sum()


class Built(nn.Module):
    """The attribute is a record of what was chosen when it was built."""

    def __init__(self, gamma: float) -> None:
        super().__init__()
        self.reduction, self.inner = "mean", nn.MSELoss(reduction="mean")

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return self.inner(pred, target)


class Attribute(nn.Module):
    reduction = "mean"

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        value = (pred - target).abs()
        return value if self.reduction == "none" else value.sum() if self.reduction == "sum" else value.sum() / 7.0


def shown(found: Finding, reduction: str) -> np.ndarray:
    return np.array(ast.literal_eval(found.evidence[f"reduction={reduction}"]))


def test_a_setting_that_is_ignored_is_named_with_its_one_value() -> None:
    status, (found,) = answer(rule, Ignores(), **REAL)
    assert (status.status, found.code, found.severity) == ("failed", "LS505", "error")
    assert found.message.startswith("the setting `reduction` is ignored: 'none', 'sum', 'mean' all give")
    assert shown(found, "'none'") == shown(found, "'sum'") == shown(found, "'mean'")


def test_a_mean_over_samples_of_values_per_element_is_found() -> None:
    _, (found,) = answer(rule, PerBatch(), **REAL)
    assert found.message == "reduction='mean' divides the sum by 2, not by the 10 values of none"
    none = shown(found, "'none'")
    assert none.shape == (2, 5)
    assert shown(found, "'sum'") == pytest.approx(none.sum(), rel=1e-4)
    assert shown(found, "'mean'") == pytest.approx(none.sum() / 2, rel=1e-4)


def test_a_sum_that_is_no_sum_is_found_in_a_function() -> None:
    _, (found,) = answer(rule, doubled_sum, **REAL)
    assert found.message.startswith("reduction='sum' gives")
    assert shown(found, "'sum'") == pytest.approx(2 * shown(found, "'none'").sum(), rel=1e-4)


def test_a_mean_that_is_no_mean_of_any_count_is_found() -> None:
    _, (found,) = answer(rule, root, **REAL)
    assert shown(found, "'mean'") == pytest.approx(np.sqrt(shown(found, "'none'").mean()), rel=1e-4)


def test_a_keras_loss_that_returns_one_number_leaves_keras_nothing_to_reduce() -> None:
    _, (found,) = answer(rule, KerasScalar(), build=KerasScalar, **KERAS)
    assert found.message.startswith("the setting `reduction` is ignored: None, 'sum', 'sum_over_batch_size' all give")
    assert answer(rule, KerasPerSample(), build=KerasPerSample, **KERAS)[0].status == "passed"


def test_one_number_of_samples_that_interact_is_all_that_there_is() -> None:
    status, found = answer(rule, KerasDice(), build=KerasDice, y_true="binary[N,C]", y_pred="prob[N,C]")
    assert found == []
    assert "its samples interact" in status.reason


def test_an_attribute_is_enough_to_be_judged_if_it_has_an_effect() -> None:
    _, (found,) = answer(rule, Attribute(), **REAL)
    assert found.message == "reduction='mean' divides the sum by 7, not by the 10 values of none"


def test_right_ones_pass() -> None:
    assert answer(rule, Right(), **REAL)[0].status == "passed"
    assert answer(rule, Learned(), **REAL)[0].status == "passed"
    assert answer(rule, two_choices, **REAL)[0].status == "passed"


def test_a_loss_of_images_is_not_judged_by_rows() -> None:
    status, found = answer(rule, OfImages(), pred="real[N,C]", target="real[N,C]")
    assert [each.message[:36] for each in found] == ["the setting `reduction` is ignored: "]
    guessed = subject_of(OfImages(), pred="real[N,C]", target="real[N,C]")
    guessed = guessed.with_contract(replace(guessed.contract, origin="inferred"))
    status, found = answer(rule, guessed)
    assert not found
    assert status.reason == "it holds on images, and that the loss takes anything else was guessed"


def test_a_count_that_depends_on_the_target_is_left_to_LS501() -> None:
    assert answer(rule, over_positives, pred="real[N,C]", target="binary[N,C]")[0].status == "passed"


def test_an_attribute_without_effect_on_a_built_object_is_skipped_with_the_reason() -> None:
    status, _ = answer(rule, Built(2.0), **REAL)
    assert status.status == "skipped"
    assert "constructor offers no choice" in status.reason


def test_a_loss_without_the_setting_is_not_applicable() -> None:
    status, _ = answer(rule, lambda pred, target: (pred - target).abs().mean(), **REAL)
    assert (status.status, status.reason) == ("not applicable", "it has no setting `reduction`")


def test_the_printed_text_is_stable() -> None:
    assert printed(rule, PerBatch(), pred="real[N,2]", target="real[N,2]").splitlines()[3:11] == [
        "    reduction='mean' divides the sum by 2, not by the 4 values of none",
        "      pred              [[1.541, -0.293429], [-2.17879, 0.568431]]",
        "      target            [[-0.856675, 1.1006], [-1.07119, 0.122701]]",
        "      reduction='none'  [[5.74882, 1.94333], [1.22678, 0.198675]]",
        "      reduction='sum'   9.11761",
        "      reduction='mean'  4.55881",
        "    fix     compute the unreduced values once, and return them, their sum or their mean as `reduction` says",
        "    allow   --ignore LS505",
    ]


def test_the_reproducers_print_each_reduction(tmp_path: Path) -> None:
    source = """\
        class PerBatch(nn.Module):
            def __init__(self, scale=3.0, reduction="mean"):
                super().__init__()
                self.scale, self.reduction = scale, reduction

            def forward(self, pred, target):
                value = self.scale * (pred - target).abs()
                if self.reduction == "none":
                    return value
                return value.sum() if self.reduction == "sum" else value.sum() / len(value)
    """
    found, lines = run_reproducer(tmp_path, rule, source, "PerBatch", **REAL)
    text = " ".join(lines)
    total, mean = (float(text.split(f"{name} tensor(")[1].split(")")[0]) for name in ("sum", "mean"))
    assert total / mean == pytest.approx(2, rel=1e-3)
    assert shown(found, "'sum'") == pytest.approx(total, rel=1e-3)
    source = "def ignores(pred, target, reduction='mean'):\n    return (pred - target).square().mean()\n"
    _, lines = run_reproducer(tmp_path, rule, source, "ignores", **REAL)
    assert [line.split(" ", 1)[0] for line in lines] == ["none", "sum", "mean"]
    assert len({line.split(" ", 1)[1] for line in lines}) == 1


@each_shipped
def test_shipped_losses_keep_their_reductions_together(family: str) -> None:
    assert answer(rule, shipped(family))[0].status == "passed"


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_a_mean_that_is_taken_for_a_sample_is_told(reduction):
    def focal(logits, labels):
        value = torch.nn.functional.cross_entropy(logits, labels, reduction=reduction)
        return ((1 - torch.exp(-value)) ** 2 * value).mean()

    found = answer(rule, focal)[1]
    assert [each.severity for each in found] == (["warning"] if reduction == "mean" else [])


class PerClass(nn.Module):
    """Reduces classes, and keeps a number for each sample."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        value = (pred - target).square()
        if self.reduction == "none":
            return value
        return value.mean(-1) if self.reduction == "mean" else value.sum(-1)


def test_a_reduction_of_classes_alone_keeps_its_contract() -> None:
    assert answer(rule, PerClass(), pred="real[N,C]", target="real[N,C]")[0].status == "passed"


def test_a_term_that_is_averaged_before_the_values_are_returned() -> None:
    class Poly(nn.Module):
        each = "mean"

        def __init__(self, reduction: str = "mean") -> None:
            super().__init__()
            self.reduction = reduction

        def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
            ce = nn.functional.cross_entropy(logits, labels, reduction=self.each)
            value = ce + 1 - logits.softmax(1).gather(1, labels.unsqueeze(1)).squeeze(1)
            return {"none": value, "sum": value.sum(), "mean": value.mean()}[self.reduction]

    class Own(Poly):
        each = "none"

    class Centred(Poly):
        def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
            ce = nn.functional.cross_entropy(logits, labels, reduction="none")
            value = ce * ce.detach().softmax(0) * len(ce)  # samples interact in the total too
            return {"none": value, "sum": value.sum(), "mean": value.mean()}[self.reduction]

    classes = {"logits": "logits[N,C]", "labels": "index[N]"}
    (found,) = answer(rule, Poly(), **classes)[1]
    assert "reduction='none' gives a sample" in found.message
    assert "averaged over the batch" in found.message
    assert answer(rule, Own(), **classes)[1] == []
    assert answer(rule, Centred(), **classes)[1] == []
