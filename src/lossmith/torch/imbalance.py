"""Losses for classes of very different sizes, on logits; the mathematics is in `lossmith.formulas.imbalance`.

`class_counts` is the number of training samples of each class, a buffer of the module. torch.nn has none of them.
"""

from collections.abc import Sequence
from typing import Any, Literal, final

from torch import Tensor

from lossmith import formulas
from lossmith.class_weights import require_counts
from lossmith.face import leading
from lossmith.torch.loss import Loss


class CountsLoss(Loss):
    """The base of a face that holds the sizes of the classes."""

    class_counts: Tensor | Sequence[float]

    def __init__(self, *positional: object, **settings: Any) -> None:
        super().__init__(*positional, **settings)
        require_counts(type(self).__name__, self.class_counts)


@final
class LogitAdjustedLoss(CountsLoss, formula=formulas.logit_adjusted, held={"counts": "class_counts"}):
    """Cross-entropy after `tau` log counts is added to the logits; `class_counts` may be shares.

    >>> LogitAdjustedLoss([3.0, 1.0])(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
    tensor(1.3863)
    """

    tau: float = 1.0
    ignore_index: int = -100


@final
class BalancedSoftmaxLoss(
    CountsLoss, formula=formulas.logit_adjusted, held={"counts": "class_counts"}, fixed={"tau": 1.0}
):
    """Cross-entropy of a softmax that is weighted by the class counts: `LogitAdjustedLoss` with `tau` 1.

    >>> BalancedSoftmaxLoss([3.0, 1.0])(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
    tensor(1.3863)
    """

    ignore_index: int = -100


@final
class ClassBalancedLoss(CountsLoss, formula=formulas.class_balanced, held={"counts": "class_counts"}):
    """Cross-entropy or focal loss weighted by the inverse effective number of samples of each class.

    The weights of the present classes have the mean 1; `mean` divides by the number of samples.

    >>> ClassBalancedLoss([3.0, 1.0], beta=0.5)(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
    tensor(0.8822)
    """

    beta: float = 0.9999
    base: Literal["cross_entropy", "focal"] = "cross_entropy"
    gamma: float = 2.0
    ignore_index: int = -100


@final
class LDAMLoss(
    CountsLoss,
    formula=formulas.ldam,
    held={"counts": "class_counts"},
    renamed={"weight": "class_weight"},
    class_weight="weight",
):
    """Cross-entropy with a margin for each class, `max_margin` for the smallest; the input holds cosines.

    For deferred re-weighting set `loss.weight` after some epochs, for instance to `balanced_class_weights`. The
    authors' mean then divides by the sum of the labels' weights: that is `weighted_mean`.

    >>> LDAMLoss([16.0, 1.0], scale=1.0)(torch.tensor([[0.5, 0.5]]), torch.tensor([1]))
    tensor(0.9741)
    """

    weight: Tensor | None = leading(default=None)
    max_margin: float = 0.5
    scale: float = 30.0
    ignore_index: int = -100
