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

from lossmith.torch.classification import (
    BCELoss,
    BCEWithLogitsLoss,
    BinaryFocalLoss,
    CrossEntropyLoss,
    FocalLoss,
    NLLLoss,
)
from lossmith.torch.distribution import DistillationLoss, JensenShannonLoss, KLDivLoss
from lossmith.torch.likelihood import GaussianNLLLoss, PoissonNLLLoss
from lossmith.torch.loss import Loss, PairLoss
from lossmith.torch.metric import ContrastiveLoss
from lossmith.torch.quantile import ExpectileLoss, QuantileLoss
from lossmith.torch.regions import RegionWeightedLoss, edge_weights
from lossmith.torch.regression import AsymmetricMSELoss, HuberLoss, L1Loss, LogCoshLoss, MSELoss
from lossmith.torch.robust import (
    AdaptiveRobustLoss,
    CauchyLoss,
    CharbonnierLoss,
    GemanMcClureLoss,
    GeneralRobustLoss,
    SmoothL1Loss,
    TukeyLoss,
    WelschLoss,
)
from lossmith.torch.segmentation import (
    DiceLoss,
    FocalTverskyLoss,
    JaccardLoss,
    LovaszHingeLoss,
    LovaszSoftmaxLoss,
    TverskyLoss,
)

__all__ = [
    "AdaptiveRobustLoss",
    "AsymmetricMSELoss",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BinaryFocalLoss",
    "CauchyLoss",
    "CharbonnierLoss",
    "ContrastiveLoss",
    "CrossEntropyLoss",
    "DiceLoss",
    "DistillationLoss",
    "ExpectileLoss",
    "FocalLoss",
    "FocalTverskyLoss",
    "GaussianNLLLoss",
    "GemanMcClureLoss",
    "GeneralRobustLoss",
    "HuberLoss",
    "JaccardLoss",
    "JensenShannonLoss",
    "KLDivLoss",
    "L1Loss",
    "LogCoshLoss",
    "Loss",
    "LovaszHingeLoss",
    "LovaszSoftmaxLoss",
    "MSELoss",
    "NLLLoss",
    "PairLoss",
    "PoissonNLLLoss",
    "QuantileLoss",
    "RegionWeightedLoss",
    "SmoothL1Loss",
    "TukeyLoss",
    "TverskyLoss",
    "WelschLoss",
    "edge_weights",
]
