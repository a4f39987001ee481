"""Losses of segmented images, on images of four pixels."""

import torch
from torch import Tensor

import lossmith.torch as faces
from torch_cases.data import WEIGHT, C, Case, N, labels, normal, pixels, uniform, with_settings


def regions(g: torch.Generator) -> tuple[Tensor, ...]:
    """Two axes of pixels, and shares of every class."""
    return normal(g, N, C, 2, 2), uniform(g, N, C, 2, 2)


def foreground(g: torch.Generator) -> tuple[Tensor, ...]:
    return normal(g, N, 1, 4), torch.randint(0, 2, (N, 4), generator=g)


def probable(g: torch.Generator) -> tuple[Tensor, ...]:
    return normal(g, N, C, 5).softmax(1), labels(g, N, 5)


def many(g: torch.Generator) -> tuple[Tensor, ...]:
    return normal(g, N, C, 3), torch.randint(0, 2, (N, C, 3), generator=g).double()


CASES = [
    Case("dice", faces.DiceLoss, pixels),
    Case("dice_batch", with_settings(faces.DiceLoss, over="batch", weight=WEIGHT), pixels),
    Case("dice_soft", with_settings(faces.DiceLoss, activation="sigmoid", form="l1", log=True), regions),
    Case("dice_binary", with_settings(faces.DiceLoss, smooth=1.0), foreground),
    Case("jaccard", with_settings(faces.JaccardLoss, input_is="prob", classes="present"), probable),
    Case("tversky", with_settings(faces.TverskyLoss, alpha=0.3, beta=0.7, background=False), pixels),
    Case("focal_tversky", with_settings(faces.FocalTverskyLoss, weight=WEIGHT), pixels),
    Case("lovasz_hinge", faces.LovaszHingeLoss, foreground),
    Case("lovasz_hinge_classes", faces.LovaszHingeLoss, many),
    Case("lovasz_softmax", faces.LovaszSoftmaxLoss, pixels),
    Case("lovasz_softmax_batch", with_settings(faces.LovaszSoftmaxLoss, over="batch"), pixels),
]
