"""Negative log-likelihoods."""

import torch
from torch import nn

import lossmith.torch as faces
from torch_cases.data import Case, N, normal, uniform, with_settings


def log_rates(g: torch.Generator) -> tuple[torch.Tensor, ...]:
    return 0.3 * normal(g, N, 3), torch.poisson(4.0 * uniform(g, N, 3), generator=g)


def rates(g: torch.Generator) -> tuple[torch.Tensor, ...]:
    return 0.5 + 3.0 * uniform(g, N, 3), torch.poisson(4.0 * uniform(g, N, 3), generator=g)


def spread(g: torch.Generator) -> tuple[torch.Tensor, ...]:
    return normal(g, N, 3), normal(g, N, 3), 0.1 + 3.0 * uniform(g, N, 3)


CASES = [
    Case("poisson", with_settings(faces.PoissonNLLLoss, full=True), log_rates),
    Case("poisson_rate", with_settings(faces.PoissonNLLLoss, log_input=False), rates),
    Case("gaussian", with_settings(faces.GaussianNLLLoss, full=True), spread, targets=2),
    Case("gaussian_beta", with_settings(faces.GaussianNLLLoss, beta=0.5), spread, targets=2),
]

# name, our face, the loss of torch.nn, settings of both, data
SAME = [
    ("poisson", faces.PoissonNLLLoss, nn.PoissonNLLLoss, {}, log_rates),
    ("poisson full", faces.PoissonNLLLoss, nn.PoissonNLLLoss, {"full": True}, log_rates),
    # under autocast torch's own keeps half precision, unlike its other losses: no row without settings
    ("gaussian", faces.GaussianNLLLoss, nn.GaussianNLLLoss, {"full": False}, spread),
    ("gaussian full", faces.GaussianNLLLoss, nn.GaussianNLLLoss, {"full": True}, spread),
]
