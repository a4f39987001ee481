"""Hinge losses."""

import torch

import lossmith.torch as faces
from torch_cases.data import C, Case, N, classes, normal, soft_classes


def signs(g: torch.Generator) -> tuple[torch.Tensor, ...]:
    return normal(g, N, C), 2.0 * torch.randint(0, 2, (N, C), generator=g).double() - 1.0


CASES = [
    Case("hinge", faces.HingeLoss, signs),
    Case("squared_hinge", faces.SquaredHingeLoss, signs),
    Case("categorical_hinge", faces.CategoricalHingeLoss, classes),
    Case("categorical_hinge_soft", faces.CategoricalHingeLoss, soft_classes),
]
