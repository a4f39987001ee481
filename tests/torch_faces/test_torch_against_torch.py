"""Faces against the losses of torch.nn: value and gradient, wherever the two agree on what they compute."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch_cases import SAME
from torch_cases.data import (
    WEIGHT,
    classes,
    close,
    distributions,
    gradients,
    log_classes,
    log_distributions,
    pixels,
    real,
)

import lossmith.torch as faces

CE, NLL, KL = faces.CrossEntropyLoss, faces.NLLLoss, faces.KLDivLoss


def agree(ours: Callable[..., Any], theirs: Callable[..., Any], data: Callable[..., Any]) -> None:
    arrays = data(torch.Generator().manual_seed(1))
    for got, want in zip(gradients(ours, arrays), gradients(theirs, arrays), strict=True):
        close(got, want, rtol=1e-10)  # torch's own formulas round differently: measured worst 3e-13


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize(("ours", "theirs", "settings", "data"), [row[1:] for row in SAME], ids=[r[0] for r in SAME])
def test_a_face_is_the_loss_of_torch_that_has_its_name(ours, theirs, settings, data, reduction):
    agree(ours(**settings, reduction=reduction), theirs(**settings, reduction=reduction), data)


@pytest.mark.parametrize("settings", [{}, {"ignore_index": 2}, {"label_smoothing": 0.2}])
@pytest.mark.parametrize("data", [classes, pixels])
def test_the_weighted_mean_of_cross_entropy_is_torchs_mean(settings, data):
    ours = CE(WEIGHT, **settings, reduction="weighted_mean")
    agree(ours, nn.CrossEntropyLoss(WEIGHT, **settings), data)


@pytest.mark.parametrize("reduction", ["none", "sum"])
def test_class_weights_without_a_mean_are_torchs(reduction):
    agree(CE(WEIGHT, reduction=reduction), nn.CrossEntropyLoss(WEIGHT, reduction=reduction), pixels)
    agree(NLL(WEIGHT, reduction=reduction), nn.NLLLoss(WEIGHT, reduction=reduction), log_classes)


def test_the_weighted_mean_of_nll_is_torchs_mean():
    agree(NLL(WEIGHT, reduction="weighted_mean"), nn.NLLLoss(WEIGHT), log_classes)


def test_the_mean_of_cross_entropy_with_class_weights_divides_by_the_count():
    x, y = classes(torch.Generator().manual_seed(2))
    close(CE(WEIGHT)(x, y), nn.CrossEntropyLoss(WEIGHT, reduction="sum")(x, y) / len(y))


@pytest.mark.parametrize("reduction", ["mean", "batchmean"])
@pytest.mark.parametrize(("log_target", "data"), [(False, distributions), (True, log_distributions)])
def test_the_mean_of_kl_is_torchs_batchmean(reduction, log_target, data):
    agree(
        KL(log_target=log_target, reduction=reduction),
        nn.KLDivLoss(reduction="batchmean", log_target=log_target),
        data,
    )


@pytest.mark.parametrize(("log_target", "data"), [(False, distributions), (True, log_distributions)])
def test_the_values_of_kl_are_torchs_summed_over_the_classes(log_target, data):
    summed = lambda x, t: nn.KLDivLoss(reduction="none", log_target=log_target)(x, t).sum(1)
    agree(KL(log_target=log_target, reduction="none"), summed, data)
    agree(KL(log_target=log_target, reduction="sum"), nn.KLDivLoss(reduction="sum", log_target=log_target), data)


def test_an_unbatched_prediction_with_one_label_is_taken():
    x, y = torch.tensor([0.5, -2.0, 3.0, 0.0], dtype=torch.float64), torch.tensor(3)
    agree(CE(), nn.CrossEntropyLoss(), lambda _: (x, y))
    agree(NLL(), nn.NLLLoss(), lambda _: (x.log_softmax(0), y))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("row", [row for row in SAME if not row[3]], ids=lambda row: row[0])
def test_the_total_has_the_dtype_that_torch_gives(row, dtype):
    _, ours, theirs, settings, data = row
    arrays = [x.to(dtype) if x.is_floating_point() else x for x in data(torch.Generator().manual_seed(1))]
    for inside in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=inside):
            want = _dtype_of(partial(theirs(**settings), *arrays))
            got = ours(**settings)(*arrays).dtype
        assert want is None or got == want


def _dtype_of(call: Callable[[], Any]) -> torch.dtype | None:
    """None where torch has no kernel for the dtype."""
    try:
        return call().dtype
    except (RuntimeError, NotImplementedError):
        return None


def test_the_comparison_can_fail():
    with pytest.raises(AssertionError):
        agree(faces.HuberLoss(delta=0.3), nn.HuberLoss(delta=0.31), real)
    with pytest.raises(AssertionError):
        agree(CE(WEIGHT), nn.CrossEntropyLoss(WEIGHT), classes)
