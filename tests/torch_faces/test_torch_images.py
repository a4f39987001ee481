"""Losses of images against loops over their windows and pixels; masks of pixels, planes and images; sizes refused."""

import math
import re

import numpy as np
import pytest
import torch
from torch_cases.data import gradients

import lossmith.torch as faces
from lossmith.errors import ShapeError

N, C, H, W = 2, 3, 6, 7
NOISE = torch.Generator().manual_seed(5)
IMAGE, TARGET = torch.rand(2, N, C, H, W, dtype=torch.float64, generator=NOISE)
PIXELS = torch.ones(N, H, W, dtype=torch.bool)
PIXELS[0, 2, 3] = PIXELS[1, 0, 0] = False


def gaussian(window: int, sigma: float) -> np.ndarray:
    line = np.exp(-((np.arange(window) - (window - 1) / 2) ** 2) / (2 * sigma**2))
    return np.outer(line, line) / line.sum() ** 2


def similarity(x: np.ndarray, y: np.ndarray, window: int, sigma: float, keep: np.ndarray | None = None) -> float:
    """The mean over the windows of one plane that hold no pixel that is left out, by the definition."""
    weights, found = gaussian(window, sigma), []
    for i in range(x.shape[0] - window + 1):
        for j in range(x.shape[1] - window + 1):
            here = (slice(i, i + window), slice(j, j + window))
            if keep is not None and not keep[here].all():
                continue
            p, q = x[here], y[here]
            p0, q0 = (weights * p).sum(), (weights * q).sum()
            vp, vq = (weights * (p - p0) ** 2).sum(), (weights * (q - q0) ** 2).sum()
            cov = (weights * (p - p0) * (q - q0)).sum()
            light = (2 * p0 * q0 + 1e-4) / (p0**2 + q0**2 + 1e-4)
            found.append(light * (2 * cov + 9e-4) / (vp + vq + 9e-4))
    return float(np.mean(found))


def planes(x: torch.Tensor, y: torch.Tensor):
    return [(x[n, c].numpy(), y[n, c].numpy(), n) for n in range(len(x)) for c in range(x.shape[1])]


@pytest.mark.parametrize(("window", "sigma"), [(3, 1.0), (4, 1.5), (6, 0.7)])
def test_ssim_is_the_mean_over_its_windows(window, sigma):
    want = 1 - np.mean([similarity(x, y, window, sigma) for x, y, _ in planes(IMAGE, TARGET)])
    assert faces.SSIMLoss(window=window, sigma=sigma)(IMAGE, TARGET).item() == pytest.approx(want, rel=1e-12)


def test_a_left_out_pixel_takes_its_windows_along():
    loss = faces.SSIMLoss(window=3)
    want = 1 - np.mean([similarity(x, y, 3, 1.5, PIXELS[n].numpy()) for x, y, n in planes(IMAGE, TARGET)])
    for mask in (PIXELS, PIXELS[:, None], PIXELS[:, None].expand(N, C, H, W)):
        assert loss(IMAGE, TARGET, mask=mask).item() == pytest.approx(want, rel=1e-12)
    assert loss(IMAGE, TARGET).item() != pytest.approx(want, rel=1e-6)


@pytest.mark.parametrize("junk", [math.nan, math.inf, 1e300])
@pytest.mark.parametrize("make", [lambda: faces.SSIMLoss(window=3), faces.TotalVariationLoss])
def test_what_a_left_out_pixel_holds_does_not_matter(make, junk):
    keep = PIXELS[:, None].expand(N, C, H, W)
    inputs = (IMAGE, TARGET) if isinstance(make(), faces.SSIMLoss) else (IMAGE,)
    broken = tuple(torch.where(keep, image, junk) for image in inputs)
    (want, slope), (got, kept_slope) = (gradients(make(), x, len(x) - 1, mask=PIXELS)[:2] for x in (inputs, broken))
    assert torch.equal(got, want)
    assert torch.equal(kept_slope, slope)
    assert not kept_slope[~keep].any()
    assert not gradients(make(), broken, len(broken) - 1)[0].isfinite() or junk == 1e300  # without the mask it does


def test_planes_and_images_are_left_out_like_any_value():
    plane = torch.tensor([[True, False, True], [True, True, False]])
    for loss in (faces.SSIMLoss(window=3), faces.MSSSIMLoss(window=2, weights=(0.5, 0.5))):
        each = type(loss)(**{k: getattr(loss, k) for k in ("window", *(["weights"] if "MS" in repr(loss) else []))})
        each.reduction = "none"
        values = each(IMAGE, TARGET)
        assert values.shape == (N, C)
        assert torch.allclose(loss(IMAGE, TARGET, mask=plane), values[plane].mean(), rtol=1e-13)
        assert torch.allclose(loss(IMAGE, TARGET, mask=torch.tensor([False, True])), values[1].mean(), rtol=1e-13)


def test_images_of_opposed_contrast_cost_one_over_scales_and_more_than_one_in_ssim():
    opposed = 1 - IMAGE
    value, slope = gradients(faces.MSSSIMLoss(window=2, weights=(0.5, 0.5)), (IMAGE, opposed), 1)[:2]
    assert value == 1
    assert not slope.any()
    value, slope = gradients(faces.SSIMLoss(window=3), (IMAGE, opposed), 1)[:2]
    assert value > 1
    assert slope.any()


def test_the_data_range_is_a_unit():
    for loss in (faces.SSIMLoss, faces.MSSSIMLoss):
        small = {"window": 2, **({"weights": (0.5, 0.5)} if loss is faces.MSSSIMLoss else {})}
        near = 0.8 * IMAGE + 0.2 * TARGET
        as_bytes = loss(data_range=255.0, **small)(255 * near, 255 * TARGET)
        assert as_bytes.item() == pytest.approx(loss(**small)(near, TARGET).item(), rel=1e-12)
        assert loss(**small)(255 * near, 255 * TARGET).item() != pytest.approx(as_bytes.item(), rel=1e-6)


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_total_variation_is_the_sum_over_neighbours(norm):
    down, right = np.zeros((N, C, H, W)), np.zeros((N, C, H, W))
    down[:, :, :-1], right[..., :-1] = np.diff(IMAGE.numpy(), axis=2), np.diff(IMAGE.numpy(), axis=3)
    each = np.abs(down) + np.abs(right) if norm == "l1" else np.hypot(down, right)
    got = faces.TotalVariationLoss(norm=norm, reduction="sum")(IMAGE)
    assert got.item() == pytest.approx(each.sum(), rel=1e-12)


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_a_constant_image_has_no_variation_and_a_finite_gradient(norm):
    value, slope = gradients(faces.TotalVariationLoss(norm=norm), (torch.full((1, 1, 3, 3), 0.5),), 0)[:2]
    assert value == 0
    assert slope.isfinite().all()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: faces.SSIMLoss()(torch.zeros(1, 1, 10, 20), torch.zeros(1, 1, 10, 20)), "11"),
        (lambda: faces.MSSSIMLoss()(torch.zeros(1, 1, 160, 200), torch.zeros(1, 1, 160, 200)), "161"),
        (lambda: faces.SSIMLoss(window=3)(torch.zeros(2, 3, 8, 8), torch.zeros(2, 1, 8, 8)), "target"),
        (lambda: faces.TotalVariationLoss()(torch.zeros(4)), "input"),
    ],
)
def test_images_that_do_not_fit_are_refused_by_name_and_number(call, says):
    with pytest.raises(ShapeError, match=says) as error:
        call()
    assert re.match(r"(ssim|ms_ssim|SSIMLoss|TotalVariationLoss): ", str(error.value))
