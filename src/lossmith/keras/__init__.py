"""The losses as `keras.losses.Loss`es, with the names, arguments and defaults of keras where it has the loss.

    from lossmith.keras import Huber

One family a file. What they share, and where they part from keras, is in `lossmith.keras.loss`; what a loss learns is
trained by `LossLayer`, in `lossmith.keras.learned`.
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
from lossmith.keras.learned import LossLayer
from lossmith.keras.likelihood import GaussianNLL, Poisson
from lossmith.keras.loss import Loss
from lossmith.keras.metric import Contrastive
from lossmith.keras.quantile import Expectile, Quantile
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
from lossmith.keras.selfsupervised import (
    BYOL,
    CLIP,
    BarlowTwins,
    InfoNCE,
    NTXent,
    SigLIP,
    SupCon,
    VICReg,
)

__all__ = [
    "BYOL",
    "CLIP",
    "AdaptiveRobust",
    "AsymmetricMeanSquaredError",
    "BarlowTwins",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "Cauchy",
    "Charbonnier",
    "Contrastive",
    "Distillation",
    "Expectile",
    "GaussianNLL",
    "GemanMcClure",
    "GeneralRobust",
    "Huber",
    "InfoNCE",
    "JensenShannon",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "LossLayer",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "NTXent",
    "Poisson",
    "Quantile",
    "SigLIP",
    "SmoothL1",
    "SparseCategoricalCrossentropy",
    "SupCon",
    "Tukey",
    "VICReg",
    "Welsch",
]
