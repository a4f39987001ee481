"""LS802: prediction and target that have changed places, and losses that are the same both ways."""

import keras
import pytest
import torch
import torch.nn.functional as F
from keras import ops
from ruletest import answer, printed
from torch import nn

from lossmith.checker.rules import ls802_argument_order as rule


class QuantileLoss(nn.Module):
    def __init__(self, quantile=0.5):
        super().__init__()
        self.quantile = quantile

    def forward(self, pred, target):
        e = pred - target
        return torch.maximum(self.quantile * e, (self.quantile - 1) * e).mean()


def expectile(pred, target, tau=0.8):
    e = target - pred
    return (torch.where(e > 0, 1 - tau, tau) * e**2).mean()


def labels_first(prob, target):
    return F.binary_cross_entropy(target, prob)


def labels_for_logits(logits, target):
    return F.binary_cross_entropy_with_logits(target, logits)


class TurnedForKeras(keras.losses.Loss):
    def call(self, y_pred, y_true):
        return ops.mean(ops.abs(y_true - y_pred) / (ops.abs(y_true) + 1.0), axis=-1)


FAULTS = [
    (QuantileLoss(), "with quantile=0.9 it predicts the 0.1 quantile"),
    (expectile, "with tau=0.8 it predicts the 0.2 quantile"),
    (labels_first, "it is a likelihood of target for labels in prob"),
    (labels_for_logits, "it is a likelihood of target for labels in logits"),
    (TurnedForKeras(), "keras calls it with (y_true, y_pred), and it takes (y_pred, y_true)"),
]


@pytest.mark.parametrize(("loss", "says"), FAULTS)
def test_arguments_that_have_changed_places_are_told(loss, says):
    _, (found,) = answer(rule, loss)
    assert (found.severity, found.grade) == ("warning", "measured")
    assert says in found.message


class RightQuantile(QuantileLoss):
    def forward(self, pred, target):
        return super().forward(-pred, -target)


class SameBothWays(keras.losses.Loss):
    def call(self, y_pred, y_true):
        return ops.mean(ops.square(y_true - y_pred), axis=-1)


def weight_of_excess(pred, target, alpha=0.9):
    e = pred - target
    return torch.maximum(alpha * e, (alpha - 1) * e).mean()


def torch_order(y_true, y_pred):
    return F.binary_cross_entropy(y_pred, y_true)


def absolute(prob, target):
    return (prob - target).abs().mean()


def brier(prob, target):
    return ((prob - target) ** 2).mean()


@pytest.mark.parametrize("loss", [RightQuantile(), SameBothWays(), weight_of_excess, torch_order, absolute, brier])
def test_the_right_order_and_symmetric_losses_are_innocent(loss):
    assert answer(rule, loss)[1] == []


def test_what_is_printed():
    text = printed(rule, expectile)
    assert "LS802 argument-order  warning, measured" in text
    assert "    fix     take target - prediction where it takes prediction - target\n" in text


def handed_to_cross_entropy(logits, soft_labels):
    return F.cross_entropy(soft_labels, logits)


def reverse_divergence(log_pred, target):
    """The other divergence, on purpose: the target is computed with before it is handed on."""
    return F.kl_div((target + 1e-6).log(), log_pred.exp(), reduction="batchmean")


def keras_places(y_true, y_pred):
    y_true = 0.9 * y_true + 0.02
    return keras.losses.categorical_crossentropy(y_pred, y_true)


def keras_in_order(y_true, y_pred):
    y_true = 0.9 * y_true + 0.02
    return keras.losses.categorical_crossentropy(y_true, y_pred)


def by_columns(preds, target, quantiles=(0.1, 0.5, 0.9)):
    errors = [preds[:, i] - target for i in range(3)]
    return sum(torch.maximum(q * e, (q - 1) * e).mean() for q, e in zip(quantiles, errors, strict=True))


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        (handed_to_cross_entropy, "cross_entropy takes the prediction first, and is given soft_labels first"),
        (by_columns, "it predicts the quantiles (0.9, 0.5, 0.1)"),
        (reverse_divergence, ""),
        (keras_places, "categorical_crossentropy takes the target first, and is given y_pred first"),
        (keras_in_order, ""),
    ],
)
def test_places_of_a_function_and_columns_of_quantiles(loss, says):
    found = answer(rule, loss)[1]
    assert [says in each.message for each in found] == ([True] if says else [])


def rows_turned(y_true, y_pred):
    return -ops.sum(y_pred * ops.log(ops.clip(y_true, 1e-7, 1.0)), axis=-1)


def rows_in_order(y_true, y_pred):
    return -ops.sum(y_true * ops.log(ops.clip(y_pred, 1e-7, 1.0)), axis=-1)


def rows_of_the_other_divergence(y_true, y_pred):
    p, t = (ops.clip(each, 1e-7, 1.0) for each in (y_pred, y_true))
    return ops.sum(p * (ops.log(p) - ops.log(t)), axis=-1)


def rows_that_overlap(y_true, y_pred):
    return 1 - 2 * ops.sum(y_true * y_pred) / (ops.sum(y_true) + ops.sum(y_pred))


def test_rows_whose_logarithm_is_taken_of_the_target():
    given = {"y_true": "binary[N,C]", "y_pred": "prob[N,C]"}
    (found,) = answer(rule, rows_turned, **given)[1]
    assert "it is a likelihood of y_true for labels in y_pred" in found.message
    for innocent in (rows_in_order, rows_of_the_other_divergence, rows_that_overlap):
        assert answer(rule, innocent, **given)[1] == []
