"""Precision is measured against the true value, not against float64, wherever the loss can be traced."""

from math import exp, inf, isnan, log1p

import pytest
import torch

from lossmith.checker.build import subject_of_object
from lossmith.checker.curve import path_of
from lossmith.checker.exact import Exact
from lossmith.checker.precision import TRUE, precision_of
from lossmith.checker.resolve import Declared, resolve

LOGITS = {"pred": "logits[N]", "target": "binary[N]"}
REAL = {"pred": "real[N,C]", "target": "real[N,C]"}


def naive_bce(pred, target):
    p = torch.sigmoid(pred)
    return -(target * torch.log(p) + (1 - target) * torch.log(1 - p)).mean()


def absolute(pred, target):
    return (pred - target).abs().sum()


def rmse(pred, target):
    return (pred - target).square().mean().sqrt()


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, pred):
        return pred * 1.0

    @staticmethod
    def backward(ctx, above):
        return 2 * above


def wrong_gradient(pred, target):
    return (Doubled.apply(pred) - target).square().mean()


def subject(loss, flags, example=None):
    made = subject_of_object(loss)
    return made.with_contract(resolve(made, Declared(flags, example))[0])


def truth_of(loss, flags, example=None):
    made = subject(loss, flags, example)
    path = path_of(made)
    return Exact(made, next(iter(path.moves.values())), path.span)


def test_the_truth_has_its_digits_where_float64_has_none():
    values, slopes = truth_of(naive_bce, LOGITS).at(torch.tensor([40.0, -40.0, 900.0]), torch.float64)
    assert naive_bce(torch.tensor([40.0], dtype=torch.float64), torch.zeros(1).double()).item() == inf
    assert [float(one) for one in values] == pytest.approx([40.0, log1p(exp(-40.0)), 900.0], rel=1e-15)
    assert [float(one) for one in slopes] == pytest.approx([1.0, exp(-40.0), 1.0], rel=1e-15)


def test_errors_of_float32_are_told_where_float64_overflows_too():
    found = precision_of(subject(naive_bce, LOGITS))
    assert found.truth == TRUE
    (single,) = (one for one in found.errors if one.dtype == "float32")
    assert all(error == inf for x, error in zip(found.x, single.value, strict=True) if x > 100)
    assert 1e-4 < max(error for x, error in zip(found.x, single.value, strict=True) if -14 < x < -5) < 1


def test_a_sum_of_several_predictions_and_a_kink_are_what_they_are():
    example = torch.randn(3, 2), torch.randn(3, 2)
    values, slopes = truth_of(absolute, {}, example).at(torch.tensor([2.0, 0.0, -3.0]), torch.float32)
    assert [float(one) for one in values] == [12.0, 0.0, 18.0]
    assert float(slopes[0]) == pytest.approx(6.0)
    assert isnan(slopes[1])


@pytest.mark.parametrize("loss", [rmse, wrong_gradient])
def test_float64_stands_in_where_there_is_no_trace_or_another_gradient_and_the_page_says_so(loss):
    told = precision_of(subject(loss, REAL)).truth
    assert told.startswith("float64, for want of the true value: ")
