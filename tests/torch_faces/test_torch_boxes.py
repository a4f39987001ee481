"""What the box losses promise beyond what the generic tests hold them to."""

from math import atan, pi

import pytest
import torch
from torch_cases.data import close, gradients

import lossmith.torch as faces
from lossmith.errors import SettingError, ShapeError

FACES = (faces.IoULoss, faces.GIoULoss, faces.DIoULoss, faces.CIoULoss)
BOX = torch.tensor([[0.0, 0.0, 2.0, 1.0]], dtype=torch.float64)
APART = torch.tensor([[3.0, 4.0, 5.0, 5.0]], dtype=torch.float64)
NEAR = torch.tensor([[1.0, 0.5, 3.0, 2.5]], dtype=torch.float64)


def by_hand(pred, target):
    """torchvision's formulas (its eps of 1e-7 left out) on one pair of valid boxes, in plain Python."""
    (a, b, c, d), (p, q, r, s) = pred[0].tolist(), target[0].tolist()
    inside = max(min(c, r) - max(a, p), 0) * max(min(d, s) - max(b, q), 0)
    union = (c - a) * (d - b) + (r - p) * (s - q) - inside
    wide, high = max(c, r) - min(a, p), max(d, s) - min(b, q)
    iou, giou = inside / union, inside / union - (wide * high - union) / (wide * high)
    diou = iou - (((a + c - p - r) / 2) ** 2 + ((b + d - q - s) / 2) ** 2) / (wide**2 + high**2)
    v = 4 / pi**2 * (atan((r - p) / (s - q)) - atan((c - a) / (d - b))) ** 2
    alpha = v / (1 - iou + v) if v else 0.0
    return 1 - iou, 1 - giou, 1 - diou, 1 - (diou - alpha * v)


@pytest.mark.parametrize("target", [NEAR, APART, BOX + 0.1], ids=["near", "apart", "shifted"])
def test_values_are_those_of_torchvisions_formulas(target):
    for face, want in zip(FACES, by_hand(BOX, target), strict=True):
        close(face()(BOX, target), torch.tensor(want, dtype=torch.float64))


def test_values_are_these_numbers():
    """Computed with fractions: intersection 1/2, union 11/2, hull 15/2 for NEAR."""
    close(faces.IoULoss()(BOX, NEAR), torch.tensor(10 / 11, dtype=torch.float64))
    close(faces.GIoULoss()(BOX, NEAR), torch.tensor(10 / 11 + 4 / 15, dtype=torch.float64))
    close(faces.DIoULoss()(BOX, NEAR), torch.tensor(10 / 11 + 2 / 15.25, dtype=torch.float64))


def test_only_iou_has_no_gradient_without_overlap():
    for face in FACES:
        _, slope = gradients(face(), (BOX, APART))
        assert slope.any() == (face is not faces.IoULoss)
        assert slope.any() == face.formula.claims.grad_without_overlap


@pytest.mark.parametrize("face", FACES[1:], ids=lambda face: face.__name__)
def test_steps_along_the_gradient_bring_a_box_that_is_apart_closer(face):
    pred, before = BOX, torch.tensor(torch.inf)
    for _ in range(5):
        value, slope = gradients(face(), (pred, APART))
        assert value < before
        pred, before = pred - 0.05 * slope, value


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.__name__)
def test_corners_in_another_order_name_the_same_box(face):
    turned = BOX[:, [2, 3, 0, 1]]
    value, slope = gradients(face(), (turned, NEAR))
    want, wanted = gradients(face(), (BOX, NEAR))
    close(value, want)
    close(slope, wanted[:, [2, 3, 0, 1]])


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.__name__)
def test_both_layouts_tell_the_same(face):
    centred = [torch.cat([(x[:, :2] + x[:, 2:]) / 2, x[:, 2:] - x[:, :2]], 1) for x in (BOX, NEAR)]
    close(face(layout="cxcywh")(*centred), face()(BOX, NEAR))


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.__name__)
@pytest.mark.parametrize("scale", [1e-18, 1.0, 1e18])
def test_a_unit_does_not_matter_in_float32_however_small_or_large(face, scale):
    pred, target = BOX.float(), torch.cat([NEAR, APART]).float()
    pred = pred.expand(2, 4)
    close(face()(scale * pred, scale * target), face()(pred, target), rtol=1e-6)
    for slope in gradients(face(), (scale * pred, scale * target)):
        assert slope.isfinite().all()


def test_alpha_has_no_gradient():
    """What autograd gives is alpha times the slope of v, beside DIoU's."""
    pred = NEAR.clone().requires_grad_()
    (whole,) = torch.autograd.grad(faces.CIoULoss()(pred, BOX), pred)
    (rest,) = torch.autograd.grad(faces.DIoULoss()(pred, BOX), pred)
    w, h = pred[0, 2] - pred[0, 0], pred[0, 3] - pred[0, 1]
    v = 4 / pi**2 * (torch.atan(torch.tensor(2.0, dtype=torch.float64)) - torch.atan(w / h)) ** 2
    (slope,) = torch.autograd.grad(v, pred)
    alpha = v / (faces.IoULoss()(pred, BOX) + v)
    close(whole - rest, (alpha * slope).detach(), rtol=1e-9)


def test_what_is_no_box_is_refused():
    with pytest.raises(ShapeError, match=r"GIoULoss: the shapes of input, target must be \(..., 4\)"):
        faces.GIoULoss()(torch.zeros(3, 5), torch.zeros(3, 5))
    with pytest.raises(ShapeError):
        faces.GIoULoss()(torch.zeros(3, 4), torch.zeros(1, 4))
    with pytest.raises(SettingError, match="layout must be 'xyxy' or 'cxcywh'"):
        faces.GIoULoss(layout="xywh")
