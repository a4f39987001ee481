"""Losses for quantiles and expectiles."""

import torch

import lossmith.torch as faces
from torch_cases.data import Case, N, normal, real, with_settings


def several(g: torch.Generator) -> tuple[torch.Tensor, ...]:
    return normal(g, N, 3), normal(g, N)


CASES = [
    Case("quantile", with_settings(faces.QuantileLoss, quantile=0.8), real),
    Case("quantiles", with_settings(faces.QuantileLoss, quantile=[0.1, 0.5, 0.9]), several),
    Case("expectile", with_settings(faces.ExpectileLoss, expectile=0.8), real),
]
