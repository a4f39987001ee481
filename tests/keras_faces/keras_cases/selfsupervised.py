"""Losses of two views, and supervised contrast."""

import numpy as np

from keras_cases.data import Arrays, N, case, normal, real


def views(g: np.random.Generator) -> Arrays:
    return np.zeros(N, "float32"), normal(g, N, 2, 3)


def views_and_negatives(g: np.random.Generator) -> Arrays:
    return np.zeros(N, "float32"), normal(g, N, 4, 3)


def grouped(g: np.random.Generator) -> Arrays:
    return np.array([0, 1, 0, 1, 1, 0]), normal(g, N, 3)


def grouped_views(g: np.random.Generator) -> Arrays:
    return np.array([0, 1, 2, 1, 3, 0]), normal(g, N, 2, 3)


CASES = [
    case("nt_xent", "NTXent", views),
    case("info_nce", "InfoNCE", views, temperature=0.5),
    case("info_nce negatives", "InfoNCE", views_and_negatives, temperature=0.5, in_batch=False),
    case("clip", "CLIP", views, log_scale=1.0),
    case("sig_lip", "SigLIP", views),
    case("sup_con", "SupCon", grouped, temperature=0.5),
    case("sup_con views", "SupCon", grouped_views, temperature=0.5),
    case("barlow_twins", "BarlowTwins", views),
    case("vicreg", "VICReg", views, gamma=3.0),
    case("byol", "BYOL", real),
]
