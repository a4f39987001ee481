"""Losses between distributions."""

import lossmith.torch as faces
from torch_cases.data import Case, distributions, log_distributions, with_settings

CASES = [
    Case("kl", faces.KLDivLoss, distributions),
    Case("kl_log", with_settings(faces.KLDivLoss, log_target=True), log_distributions),
]
