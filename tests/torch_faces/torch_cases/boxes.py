"""Losses of boxes."""

import torch

import lossmith.torch as faces
from torch_cases.data import Case, N, normal, uniform, with_settings


def boxes(g: torch.Generator) -> tuple[torch.Tensor, ...]:
    """Corners, a third of the pairs apart."""
    corners = [0.3 * normal(g, N, 2) for _ in range(2)]
    corners[1][:2] += 3.0
    return tuple(torch.cat([corner, corner + 0.5 + uniform(g, N, 2)], 1) for corner in corners)


def centred(g: torch.Generator) -> tuple[torch.Tensor, ...]:
    return tuple(torch.cat([0.2 * normal(g, N, 2), 0.5 + uniform(g, N, 2)], 1) for _ in range(2))


CASES = [
    Case("iou", faces.IoULoss, boxes),
    Case("giou", faces.GIoULoss, boxes),
    Case("diou", faces.DIoULoss, boxes),
    Case("ciou", faces.CIoULoss, boxes),
    Case("ciou_cxcywh", with_settings(faces.CIoULoss, layout="cxcywh"), centred),
]
