"""The losses as `keras.losses.Loss`es, with the names, arguments and defaults of keras where it has the loss.

    from lossmith.keras import Huber

One family a file: regression, classification, imbalance, noise, margin, distribution, metric. What they share, and where they part from
keras, is in `lossmith.keras.loss`.
"""

from lossmith.errors import missing_extra

try:
    import keras  # noqa: F401  (its absence is told here, once, before any face is read)
except ImportError as absent:  # only keras itself: a missing back end tells its own story
    if absent.name != "keras":
        raise
    raise missing_extra("lossmith.keras", "keras", "keras") from absent

from lossmith.class_weights import balanced_class_weights as balanced_class_weights
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
from lossmith.keras.distribution import KLDivergence
from lossmith.keras.imbalance import LDAM, BalancedSoftmax, ClassBalanced, LogitAdjusted
from lossmith.keras.loss import Loss
from lossmith.keras.margin import CategoricalHinge, Hinge, SquaredHinge
from lossmith.keras.metric import Contrastive
from lossmith.keras.noise import (
    CategoricalGeneralizedCrossEntropy,
    GeneralizedCrossEntropy,
    SymmetricCrossEntropy,
)
from lossmith.keras.regression import (
    AsymmetricMeanSquaredError,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanSquaredError,
)

__all__ = [
    "LDAM",
    "AsymmetricMeanSquaredError",
    "AsymmetricMultiLabel",
    "BalancedSoftmax",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
    "CategoricalHinge",
    "ClassBalanced",
    "Contrastive",
    "GeneralizedCrossEntropy",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LabelSmoothing",
    "LogCosh",
    "LogitAdjusted",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Poly",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "SymmetricCrossEntropy",
]
