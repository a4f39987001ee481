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

from lossmith.keras.boxes import CIoU, DIoU, GIoU, IoU
from lossmith.keras.classification import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    SparseCategoricalCrossentropy,
)
from lossmith.keras.distribution import KLDivergence
from lossmith.keras.images import MSSSIM, SSIM, TotalVariation
from lossmith.keras.loss import Loss
from lossmith.keras.metric import Contrastive
from lossmith.keras.perceptual import Perceptual, Style
from lossmith.keras.regression import (
    AsymmetricMeanSquaredError,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanSquaredError,
)

__all__ = [
    "MSSSIM",
    "SSIM",
    "AsymmetricMeanSquaredError",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CIoU",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "Contrastive",
    "DIoU",
    "GIoU",
    "Huber",
    "IoU",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Perceptual",
    "SparseCategoricalCrossentropy",
    "Style",
    "TotalVariation",
]
