"""The losses as `keras.losses.Loss`es, with the names, arguments and defaults of keras where it has the loss.

    from lossmith.keras import Huber

One family a file: regression, classification, distribution, metric. What they share, and where they part from
keras, is in `lossmith.keras.loss`.
"""

from lossmith.errors import missing_extra

try:
    import keras  # noqa: F401  (its absence is told here, once, before any face is read)
except ImportError as absent:  # only keras itself: a missing back end tells its own story
    if absent.name != "keras":
        raise
    raise missing_extra("lossmith.keras", "keras", "keras") from absent

from lossmith.keras.classification import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    SparseCategoricalCrossentropy,
)
from lossmith.keras.distribution import Distillation, JensenShannon, KLDivergence
from lossmith.keras.likelihood import GaussianNLL, Poisson
from lossmith.keras.loss import Loss
from lossmith.keras.metric import Contrastive
from lossmith.keras.quantile import Expectile, Quantile
from lossmith.keras.regions import RegionWeighted, edge_weights
from lossmith.keras.regression import (
    AsymmetricMeanSquaredError,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanSquaredError,
)
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

__all__ = [
    "AdaptiveRobust",
    "AsymmetricMeanSquaredError",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "Cauchy",
    "Charbonnier",
    "Contrastive",
    "Dice",
    "Distillation",
    "Expectile",
    "FocalTversky",
    "GaussianNLL",
    "GemanMcClure",
    "GeneralRobust",
    "Huber",
    "Jaccard",
    "JensenShannon",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "LovaszHinge",
    "LovaszSoftmax",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Poisson",
    "Quantile",
    "RegionWeighted",
    "SmoothL1",
    "SparseCategoricalCrossentropy",
    "Tukey",
    "Tversky",
    "Welsch",
    "edge_weights",
]
