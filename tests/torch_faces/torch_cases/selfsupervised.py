"""Losses of two views, and supervised contrast."""

import torch

import lossmith.torch as faces
from torch_cases.data import Case, grouped, normal, views, with_settings


def views_and_negatives(g: torch.Generator) -> tuple[torch.Tensor, ...]:
    """Negatives of its own for each query."""
    return *views(g), normal(g, 6, 2, 4)


def grouped_views(g: torch.Generator) -> tuple[torch.Tensor, ...]:
    return normal(g, 6, 2, 3), torch.tensor([0, 1, 2, 1, 3, 0])


CASES = [
    Case("nt_xent", faces.NTXentLoss, views, targets=0),
    Case("info_nce", with_settings(faces.InfoNCELoss, temperature=0.5), views, targets=0),
    Case("info_nce_negatives", with_settings(faces.InfoNCELoss, in_batch=False), views_and_negatives, targets=0),
    Case("clip", with_settings(faces.CLIPLoss, log_scale=1.0), views, targets=0),
    Case("sig_lip", faces.SigLIPLoss, views, targets=0),
    Case("sup_con", with_settings(faces.SupConLoss, temperature=0.5), grouped),
    Case("sup_con_views", with_settings(faces.SupConLoss, temperature=0.5), grouped_views),
    Case("barlow_twins", faces.BarlowTwinsLoss, views, targets=0),
    Case("vicreg", with_settings(faces.VICRegLoss, gamma=3.0), views, targets=0),
    Case("byol", faces.BYOLLoss, views),
]
