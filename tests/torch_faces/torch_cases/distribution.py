"""Losses between distributions."""

import torch

import lossmith.torch as faces
from torch_cases.data import C, Case, N, distributions, labels, log_distributions, normal, soft_classes, with_settings


def taught(g: torch.Generator) -> tuple[torch.Tensor, ...]:
    return normal(g, N, C), normal(g, N, C), labels(g, N)


def taught_pixels(g: torch.Generator) -> tuple[torch.Tensor, ...]:
    return normal(g, N, C, 2), normal(g, N, C, 2), labels(g, N, 2)


def probabilities(g: torch.Generator) -> tuple[torch.Tensor, ...]:
    return normal(g, N, C).softmax(1), normal(g, N, C).softmax(1)


CASES = [
    Case("kl", faces.KLDivLoss, distributions),
    Case("kl_log", with_settings(faces.KLDivLoss, log_target=True), log_distributions),
    Case("kl_reverse", with_settings(faces.KLDivLoss, reverse=True, input_is="logit"), soft_classes),
    Case("kl_prob", with_settings(faces.KLDivLoss, input_is="prob"), probabilities),
    Case("js", faces.JensenShannonLoss, soft_classes),
    Case("js_log", with_settings(faces.JensenShannonLoss, input_is="log_prob", log_target=True), log_distributions),
    Case("distillation", with_settings(faces.DistillationLoss, alpha=0.4), taught, targets=2),
    Case("distillation_pixels", faces.DistillationLoss, taught_pixels, targets=2),
]
