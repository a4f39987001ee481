"""Losses of images."""

import torch

import lossmith.torch as faces
from torch_cases.data import Case, N, uniform, with_settings


def images(g: torch.Generator) -> tuple[torch.Tensor, ...]:
    return uniform(g, N, 2, 5, 6), uniform(g, N, 2, 5, 6)


def alike(g: torch.Generator) -> tuple[torch.Tensor, ...]:
    """Images whose contrast agrees at every scale."""
    first = uniform(g, N, 2, 6, 7)
    return first, 0.5 * first + 0.2 * uniform(g, N, 2, 6, 7)


def one_image(g: torch.Generator) -> tuple[torch.Tensor, ...]:
    return (uniform(g, N, 2, 4, 5),)


CASES = [
    Case("ssim", with_settings(faces.SSIMLoss, window=3, sigma=1.0), images),
    Case("ms_ssim", with_settings(faces.MSSSIMLoss, window=2, weights=(0.4, 0.6)), alike),
    Case("tv", faces.TotalVariationLoss, one_image, targets=0),
    Case("tv_l2", with_settings(faces.TotalVariationLoss, norm="l2"), one_image, targets=0),
]
