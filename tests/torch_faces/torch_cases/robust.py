"""Losses that forgive outliers."""

import torch
from torch import nn

import lossmith.torch as faces
from torch_cases.data import Case, real, with_settings

ALPHA = torch.tensor([2.0, 0.5, -2.0], dtype=torch.float64)

CASES = [
    Case("smooth_l1", with_settings(faces.SmoothL1Loss, beta=0.5), real),
    Case("charbonnier", with_settings(faces.CharbonnierLoss, scale=0.5), real),
    Case("cauchy", with_settings(faces.CauchyLoss, scale=2.0), real),
    Case("welsch", with_settings(faces.WelschLoss, scale=2.0), real),
    Case("geman_mcclure", with_settings(faces.GemanMcClureLoss, scale=2.0), real),
    Case("tukey", faces.TukeyLoss, real),
    Case("general_robust", with_settings(faces.GeneralRobustLoss, alpha=0.5, scale=2.0), real),
    Case("general_robust_each", with_settings(faces.GeneralRobustLoss, alpha=ALPHA), real),
    Case("adaptive_robust", with_settings(faces.AdaptiveRobustLoss, alpha=0.5), real),
]

# name, our face, the loss of torch.nn, settings of both, data
SAME = [
    ("smooth l1", faces.SmoothL1Loss, nn.SmoothL1Loss, {}, real),
    ("smooth l1 beta", faces.SmoothL1Loss, nn.SmoothL1Loss, {"beta": 0.3}, real),
    ("smooth l1 zero", faces.SmoothL1Loss, nn.SmoothL1Loss, {"beta": 0.0}, real),
]
