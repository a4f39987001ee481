"""Losses of the residual."""

from torch import nn

import lossmith.torch as faces
from torch_cases.data import Case, real, with_settings

CASES = [
    Case("mse", faces.MSELoss, real),
    Case("l1", faces.L1Loss, real),
    Case("huber", with_settings(faces.HuberLoss, delta=0.5), real),
    Case("asymmetric", with_settings(faces.AsymmetricMSELoss, under=2.0, over=0.5), real),
    Case("log_cosh", faces.LogCoshLoss, real),
]

# name, our face, the loss of torch.nn, settings of both, data
SAME = [
    ("mse", faces.MSELoss, nn.MSELoss, {}, real),
    ("l1", faces.L1Loss, nn.L1Loss, {}, real),
    ("huber", faces.HuberLoss, nn.HuberLoss, {}, real),
    ("huber delta", faces.HuberLoss, nn.HuberLoss, {"delta": 0.3}, real),
]
