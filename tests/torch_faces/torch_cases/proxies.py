"""Losses with a learned vector for each class."""

from collections.abc import Callable
from typing import Any

import torch

import lossmith.torch as faces
from torch_cases.data import C, Case, classes, normal


def with_proxies(face: Callable[..., Any], **settings: Any) -> Callable[..., Any]:
    """A face with C classes, whose vectors are the same each time it is made."""

    def make(**more: Any) -> Any:
        made = face(C, C, **settings, **more)
        with torch.no_grad():
            made.weight.copy_(normal(torch.Generator().manual_seed(7), C, C))
        return made

    return make


CASES = [
    Case("arc face", with_proxies(faces.ArcFaceLoss, scale=8.0), classes),
    Case("cos face", with_proxies(faces.CosFaceLoss, scale=8.0), classes),
    Case("sphere face", with_proxies(faces.SphereFaceLoss, margin=3), classes),
    Case("proxy nca", with_proxies(faces.ProxyNCALoss, scale=3.0), classes),
    Case("proxy anchor", with_proxies(faces.ProxyAnchorLoss, alpha=8.0), classes),
]
