"""The losses as `nn.Module`s, with the names, arguments and defaults of `torch.nn` where it has the loss.

    from lossmith.torch import HuberLoss

One family a file: regression, classification, distribution, metric. What they share, and where they part from
`torch.nn`, is in `lossmith.torch.loss`.
"""

from lossmith.errors import missing_extra

try:
    import torch  # noqa: F401  (its absence is told here, once, before any face is read)
except ImportError as absent:  # only torch itself: a broken installation of it tells its own story
    if absent.name != "torch":
        raise
    raise missing_extra("lossmith.torch", "torch", "torch") from absent

from lossmith.torch.boxes import CIoULoss, DIoULoss, GIoULoss, IoULoss
from lossmith.torch.classification import (
    BCELoss,
    BCEWithLogitsLoss,
    BinaryFocalLoss,
    CrossEntropyLoss,
    FocalLoss,
    NLLLoss,
)
from lossmith.torch.distribution import KLDivLoss
from lossmith.torch.images import MSSSIMLoss, SSIMLoss, TotalVariationLoss
from lossmith.torch.loss import Loss, PairLoss
from lossmith.torch.metric import ContrastiveLoss
from lossmith.torch.perceptual import PerceptualLoss, StyleLoss
from lossmith.torch.regression import AsymmetricMSELoss, HuberLoss, L1Loss, LogCoshLoss, MSELoss

__all__ = [
    "AsymmetricMSELoss",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BinaryFocalLoss",
    "CIoULoss",
    "ContrastiveLoss",
    "CrossEntropyLoss",
    "DIoULoss",
    "FocalLoss",
    "GIoULoss",
    "HuberLoss",
    "IoULoss",
    "KLDivLoss",
    "L1Loss",
    "LogCoshLoss",
    "Loss",
    "MSELoss",
    "MSSSIMLoss",
    "NLLLoss",
    "PairLoss",
    "PerceptualLoss",
    "SSIMLoss",
    "StyleLoss",
    "TotalVariationLoss",
]
