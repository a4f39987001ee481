"""A loss as after some training: what begins at one number (a dual variable, centres of 0) hides the rest."""

import copy
from dataclasses import replace

import torch

from lossmith.checker.sample import generator
from lossmith.checker.subject import Subject


def after_some_training(subject: Subject, least: int = 1) -> Subject:
    """The loss with its parameters moved a little, if one of at least so many entries is the same number everywhere."""
    level = [p for p in ([] if subject.module is None else subject.module.parameters()) if p.numel() >= least]
    if not any(bool((p == p.flatten()[0]).all()) for p in level):
        return subject
    loss, g = copy.deepcopy(subject.loss), generator(7)
    with torch.no_grad():
        for p in loss.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=g).to(p))
    return replace(subject, loss=loss, _twins={}, cache={})
