"""Losses between embeddings."""

from functools import partial

import torch
from torch import Tensor, nn

import lossmith.torch as faces
from torch_cases.data import C, Case, N, grouped, normal, pairs, views, with_settings


def triplets(g: torch.Generator) -> tuple[Tensor, ...]:
    return normal(g, N, C), normal(g, N, C), normal(g, N, C)


def labelled_pairs(g: torch.Generator) -> tuple[Tensor, ...]:
    return 0.3 * normal(g, N, C), 0.3 * normal(g, N, C), torch.tensor([0, 1, 0, 1, 2, 0])


def classified(g: torch.Generator) -> tuple[Tensor, ...]:
    return normal(g, N, 3), normal(g, N, C), torch.tensor([0, 1, 0, 1, 2, 0])


CASES = [
    Case("contrastive", with_settings(faces.ContrastiveLoss, margin=2.0), pairs),
    Case("triplet", with_settings(faces.TripletMarginLoss, margin=2.0), triplets, targets=0),
    Case("triplet swap", with_settings(faces.TripletMarginLoss, margin=2.0, swap=True, p=1), triplets, targets=0),
    *(
        Case(f"triplet {mining}", with_settings(faces.TripletMarginLoss, margin=4.0, mining=mining), grouped)
        for mining in ("batch_all", "batch_hard", "semi_hard")
    ),
    Case("n pair", faces.NPairLoss, labelled_pairs),
    Case("n pair alone", faces.NPairLoss, views, targets=0),
    Case("multi similarity", with_settings(faces.MultiSimilarityLoss, beta=10.0), grouped),
    Case("circle", with_settings(faces.CircleLoss, gamma=10.0), grouped),
    Case("batch similarity", with_settings(faces.BatchSimilarityLoss, strength=2.0), classified),
]

TRIPLET, PLAIN = faces.TripletMarginLoss, partial(nn.TripletMarginLoss, eps=0.0)
SAME = [
    ("triplet", TRIPLET, PLAIN, {}, triplets),
    ("triplet swap", TRIPLET, PLAIN, {"margin": 3.0, "swap": True}, triplets),
    ("triplet p", TRIPLET, PLAIN, {"p": 1.0}, triplets),
]
