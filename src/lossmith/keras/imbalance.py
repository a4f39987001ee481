"""Losses for classes of very different sizes; the mathematics is in `lossmith.formulas.imbalance`. Keras has none.

y_pred holds logits; `class_counts` is the number of training samples of each class.
"""

from collections.abc import Sequence
from typing import Any, Literal, final

from lossmith import formulas
from lossmith.class_weights import require_counts
from lossmith.keras.classes import ClassesLoss


class CountsLoss(ClassesLoss):
    """The base of a face that holds the sizes of the classes."""

    class_counts: Sequence[float]

    def __init__(self, *positional: object, **settings: Any) -> None:
        super().__init__(*positional, **settings)
        require_counts(type(self).__name__, self.class_counts)


@final
class LogitAdjusted(CountsLoss, formula=formulas.logit_adjusted, held={"counts": "class_counts"}):
    """Cross-entropy after `tau` log counts is added to the logits; `class_counts` may be shares.

    >>> round(float(LogitAdjusted([3.0, 1.0])([1], [[0.0, 0.0]])), 4)
    1.3863
    """

    tau: float = 1.0


@final
class BalancedSoftmax(CountsLoss, formula=formulas.logit_adjusted, held={"counts": "class_counts"}, fixed={"tau": 1.0}):
    """Cross-entropy of a softmax that is weighted by the class counts: `LogitAdjusted` with `tau` 1.

    >>> round(float(BalancedSoftmax([3.0, 1.0])([1], [[0.0, 0.0]])), 4)
    1.3863
    """


@final
class ClassBalanced(CountsLoss, formula=formulas.class_balanced, held={"counts": "class_counts"}):
    """Cross-entropy or focal loss weighted by the inverse effective number of samples of each class.

    The weights of the present classes have the mean 1.

    >>> round(float(ClassBalanced([3.0, 1.0], beta=0.5)([1], [[0.0, 0.0]])), 4)
    0.8822
    """

    beta: float = 0.9999
    base: Literal["cross_entropy", "focal"] = "cross_entropy"
    gamma: float = 2.0


@final
class LDAM(CountsLoss, formula=formulas.ldam, held={"counts": "class_counts"}, labels=True):
    """Cross-entropy with a margin for each class, `max_margin` for the smallest; y_true holds class numbers.

    y_pred holds cosines in the paper. For deferred re-weighting, compile the model again with `class_weight` after
    some epochs: a model that is compiled already does not see a setting change.

    >>> round(float(LDAM([16.0, 1.0], scale=1.0)([1], [[0.5, 0.5]])), 4)
    0.9741
    """

    max_margin: float = 0.5
    scale: float = 30.0
    class_weight: Sequence[float] | None = None
