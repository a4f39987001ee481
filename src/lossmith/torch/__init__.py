"""The losses as `nn.Module`s, with the names, arguments and defaults of `torch.nn` where it has the loss.

    from lossmith.torch import HuberLoss

One family a file. What they share, and where they part from `torch.nn`, is in `lossmith.torch.loss`.
"""

from lossmith.errors import missing_extra

try:
    import torch  # noqa: F401  (its absence is told here, once, before any face is read)
except ImportError as absent:  # only torch itself: a broken installation of it tells its own story
    if absent.name != "torch":
        raise
    raise missing_extra("lossmith.torch", "torch", "torch") from absent

from lossmith.class_weights import balanced_class_weights as balanced_class_weights
from lossmith.torch.adversarial import GANLoss
from lossmith.torch.boxes import CIoULoss, DIoULoss, GIoULoss, IoULoss
from lossmith.torch.classification import (
    AsymmetricMultiLabelLoss,
    BCELoss,
    BCEWithLogitsLoss,
    BinaryFocalLoss,
    CrossEntropyLoss,
    FocalLoss,
    LabelSmoothing,
    NLLLoss,
    PolyLoss,
)
from lossmith.torch.combined import Combined
from lossmith.torch.distribution import DistillationLoss, JensenShannonLoss, KLDivLoss
from lossmith.torch.images import MSSSIMLoss, SSIMLoss, TotalVariationLoss
from lossmith.torch.imbalance import BalancedSoftmaxLoss, ClassBalancedLoss, LDAMLoss, LogitAdjustedLoss
from lossmith.torch.likelihood import GaussianNLLLoss, PoissonNLLLoss
from lossmith.torch.linear import LinearCrossEntropyLoss
from lossmith.torch.loss import Loss, PairLoss
from lossmith.torch.margin import CategoricalHingeLoss, HingeLoss, SquaredHingeLoss
from lossmith.torch.metric import (
    BatchSimilarityLoss,
    CircleLoss,
    ContrastiveLoss,
    MultiSimilarityLoss,
    NPairLoss,
    TripletMarginLoss,
)
from lossmith.torch.noise import GeneralizedCrossEntropyLoss, SymmetricCrossEntropyLoss
from lossmith.torch.penalty import gradient_penalty, r1_penalty, r2_penalty
from lossmith.torch.perceptual import PerceptualLoss, StyleLoss
from lossmith.torch.proxies import ArcFaceLoss, CosFaceLoss, ProxyAnchorLoss, ProxyNCALoss, SphereFaceLoss
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
from lossmith.torch.selfsupervised import (
    BarlowTwinsLoss,
    BYOLLoss,
    CLIPLoss,
    InfoNCELoss,
    NTXentLoss,
    SigLIPLoss,
    SupConLoss,
    VICRegLoss,
)
from lossmith.torch.several import MultiTaskLoss
from lossmith.torch.weighting import DynamicWeightAverage, FixedWeights, RandomWeights, UncertaintyWeighting, Weighting

__all__ = [
    "AdaptiveRobustLoss",
    "ArcFaceLoss",
    "AsymmetricMSELoss",
    "AsymmetricMultiLabelLoss",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BYOLLoss",
    "BalancedSoftmaxLoss",
    "BarlowTwinsLoss",
    "BatchSimilarityLoss",
    "BinaryFocalLoss",
    "CIoULoss",
    "CLIPLoss",
    "CategoricalHingeLoss",
    "CauchyLoss",
    "CharbonnierLoss",
    "CircleLoss",
    "ClassBalancedLoss",
    "Combined",
    "ContrastiveLoss",
    "CosFaceLoss",
    "CrossEntropyLoss",
    "DIoULoss",
    "DiceLoss",
    "DistillationLoss",
    "DynamicWeightAverage",
    "ExpectileLoss",
    "FixedWeights",
    "FocalLoss",
    "FocalTverskyLoss",
    "GANLoss",
    "GIoULoss",
    "GaussianNLLLoss",
    "GemanMcClureLoss",
    "GeneralRobustLoss",
    "GeneralizedCrossEntropyLoss",
    "HingeLoss",
    "HuberLoss",
    "InfoNCELoss",
    "IoULoss",
    "JaccardLoss",
    "JensenShannonLoss",
    "KLDivLoss",
    "L1Loss",
    "LDAMLoss",
    "LabelSmoothing",
    "LinearCrossEntropyLoss",
    "LogCoshLoss",
    "LogitAdjustedLoss",
    "Loss",
    "LovaszHingeLoss",
    "LovaszSoftmaxLoss",
    "MSELoss",
    "MSSSIMLoss",
    "MultiSimilarityLoss",
    "MultiTaskLoss",
    "NLLLoss",
    "NPairLoss",
    "NTXentLoss",
    "PairLoss",
    "PerceptualLoss",
    "PoissonNLLLoss",
    "PolyLoss",
    "ProxyAnchorLoss",
    "ProxyNCALoss",
    "QuantileLoss",
    "RandomWeights",
    "RegionWeightedLoss",
    "SSIMLoss",
    "SigLIPLoss",
    "SmoothL1Loss",
    "SphereFaceLoss",
    "SquaredHingeLoss",
    "StyleLoss",
    "SupConLoss",
    "SymmetricCrossEntropyLoss",
    "TotalVariationLoss",
    "TripletMarginLoss",
    "TukeyLoss",
    "TverskyLoss",
    "UncertaintyWeighting",
    "VICRegLoss",
    "Weighting",
    "WelschLoss",
    "edge_weights",
    "gradient_penalty",
    "r1_penalty",
    "r2_penalty",
]
