"""Losses for noisy labels."""

import lossmith.torch as faces
from torch_cases.data import Case, classes, pixels, soft_classes, with_settings

GCE, SCE = faces.GeneralizedCrossEntropyLoss, faces.SymmetricCrossEntropyLoss
CASES = [
    Case("gce", with_settings(GCE, q=0.5, truncation=0.1), classes),
    Case("gce_pixels", GCE, pixels),
    Case("sce", with_settings(SCE, alpha=6.0, beta=0.5, log_zero=-6.0), classes),
    Case("sce_soft", SCE, soft_classes),
]
