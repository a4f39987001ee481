"""The curvature that is drawn is that of the loss, not of its rounding."""

import pytest
import torch

from lossmith.checker.build import subject_of_object
from lossmith.checker.curve import curve_of
from lossmith.checker.resolve import Declared, resolve

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}


def rmse(pred, target):
    return ((pred - target) ** 2).mean().sqrt()


def gentle(pred, target):
    return torch.log1p(((pred - target) / 50.0) ** 2).mean()


def curvature_of(loss):
    subject = subject_of_object(loss)
    (series,) = curve_of(subject.with_contract(resolve(subject, Declared(REAL))[0])).series
    return torch.tensor(series.curvature)


def test_a_straight_loss_has_no_curvature_of_its_rounding():
    found = curvature_of(rmse)
    assert found[found.isfinite()].abs().max() == 0.0


def test_a_curvature_that_is_small_is_drawn():
    assert curvature_of(gentle).max().item() == pytest.approx(2 / 50**2, rel=0.02)
