"""The losses as `keras.losses.Loss`es, with the names, arguments and defaults of keras where it has the loss.

    from lossmith.keras import Huber

One family a file. What they share, and where they part from keras, is in `lossmith.keras.loss`; what a loss learns is
trained by `LossLayer`, in `lossmith.keras.learned`, or by `Proxies`.
"""

from lossmith.errors import missing_extra

try:
    import keras  # noqa: F401  (its absence is told here, once, before any face is read)
except ImportError as absent:  # only keras itself: a missing back end tells its own story
    if absent.name != "keras":
        raise
    raise missing_extra("lossmith.keras", "keras", "keras") from absent

from lossmith.class_weights import balanced_class_weights as balanced_class_weights
from lossmith.keras.adversarial import GAN
from lossmith.keras.boxes import CIoU, DIoU, GIoU, IoU
from lossmith.keras.classification import (
    AsymmetricMultiLabel,
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    LabelSmoothing,
    Poly,
    SparseCategoricalCrossentropy,
)
from lossmith.keras.combined import Combined
from lossmith.keras.distribution import Distillation, JensenShannon, KLDivergence
from lossmith.keras.images import MSSSIM, SSIM, TotalVariation
from lossmith.keras.imbalance import LDAM, BalancedSoftmax, ClassBalanced, LogitAdjusted
from lossmith.keras.learned import LossLayer
from lossmith.keras.likelihood import GaussianNLL, Poisson
from lossmith.keras.linear import LinearCrossEntropy
from lossmith.keras.loss import Loss
from lossmith.keras.margin import CategoricalHinge, Hinge, SquaredHinge
from lossmith.keras.metric import BatchSimilarity, Circle, Contrastive, MultiSimilarity, NPair, TripletMargin
from lossmith.keras.noise import CategoricalGeneralizedCrossEntropy, GeneralizedCrossEntropy, SymmetricCrossEntropy
from lossmith.keras.penalty import gradient_penalty, r1_penalty, r2_penalty
from lossmith.keras.perceptual import Perceptual, Style
from lossmith.keras.proxies import ArcFace, CosFace, Proxies, ProxyAnchor, ProxyNCA, SphereFace
from lossmith.keras.quantile import Expectile, Quantile
from lossmith.keras.regions import RegionWeighted, edge_weights
from lossmith.keras.regression import AsymmetricMeanSquaredError, Huber, LogCosh, MeanAbsoluteError, MeanSquaredError
from lossmith.keras.robust import (
    AdaptiveRobust,
    Cauchy,
    Charbonnier,
    GemanMcClure,
    GeneralRobust,
    SmoothL1,
    Tukey,
    Welsch,
)
from lossmith.keras.segmentation import Dice, FocalTversky, Jaccard, LovaszHinge, LovaszSoftmax, Tversky
from lossmith.keras.selfsupervised import BYOL, CLIP, BarlowTwins, InfoNCE, NTXent, SigLIP, SupCon, VICReg
from lossmith.keras.several import MultiTask, MultiTaskModel
from lossmith.keras.weighting import DynamicWeightAverage, FixedWeights, RandomWeights, UncertaintyWeighting, Weighting

__all__ = [
    "BYOL",
    "CLIP",
    "GAN",
    "LDAM",
    "MSSSIM",
    "SSIM",
    "AdaptiveRobust",
    "ArcFace",
    "AsymmetricMeanSquaredError",
    "AsymmetricMultiLabel",
    "BalancedSoftmax",
    "BarlowTwins",
    "BatchSimilarity",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CIoU",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
    "CategoricalHinge",
    "Cauchy",
    "Charbonnier",
    "Circle",
    "ClassBalanced",
    "Combined",
    "Contrastive",
    "CosFace",
    "DIoU",
    "Dice",
    "Distillation",
    "DynamicWeightAverage",
    "Expectile",
    "FixedWeights",
    "FocalTversky",
    "GIoU",
    "GaussianNLL",
    "GemanMcClure",
    "GeneralRobust",
    "GeneralizedCrossEntropy",
    "Hinge",
    "Huber",
    "InfoNCE",
    "IoU",
    "Jaccard",
    "JensenShannon",
    "KLDivergence",
    "LabelSmoothing",
    "LinearCrossEntropy",
    "LogCosh",
    "LogitAdjusted",
    "Loss",
    "LossLayer",
    "LovaszHinge",
    "LovaszSoftmax",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "MultiSimilarity",
    "MultiTask",
    "MultiTaskModel",
    "NPair",
    "NTXent",
    "Perceptual",
    "Poisson",
    "Poly",
    "Proxies",
    "ProxyAnchor",
    "ProxyNCA",
    "Quantile",
    "RandomWeights",
    "RegionWeighted",
    "SigLIP",
    "SmoothL1",
    "SparseCategoricalCrossentropy",
    "SphereFace",
    "SquaredHinge",
    "Style",
    "SupCon",
    "SymmetricCrossEntropy",
    "TotalVariation",
    "TripletMargin",
    "Tukey",
    "Tversky",
    "UncertaintyWeighting",
    "VICReg",
    "Weighting",
    "Welsch",
    "edge_weights",
    "gradient_penalty",
    "r1_penalty",
    "r2_penalty",
]
