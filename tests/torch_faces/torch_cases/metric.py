"""Losses between embeddings."""

import lossmith.torch as faces
from torch_cases.data import Case, pairs, with_settings

CASES = [
    Case("contrastive", with_settings(faces.ContrastiveLoss, margin=2.0), pairs),
]
