"""Hinge losses; the mathematics is in `lossmith.formulas.margin`. torch.nn has none of them.

`torch.nn.HingeEmbeddingLoss` takes a distance, `torch.nn.MultiMarginLoss` counts every class that comes too near.
"""

from typing import final

from lossmith import formulas
from lossmith.torch.loss import Loss


@final
class HingeLoss(Loss, formula=formulas.hinge):
    """Hinge loss of scores; the target is -1 and +1, or 0 and 1.

    >>> HingeLoss()(torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0]))
    tensor(1.)
    """


@final
class SquaredHingeLoss(Loss, formula=formulas.squared_hinge):
    """Squared hinge loss of scores; the target is -1 and +1, or 0 and 1.

    >>> SquaredHingeLoss()(torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0]))
    tensor(1.2500)
    """


@final
class CategoricalHingeLoss(Loss, formula=formulas.categorical_hinge):
    """Hinge loss over classes, in keras's form: the score of the label must lead the others, and 0, by 1.

    >>> CategoricalHingeLoss()(torch.tensor([[0.5, 0.25, -1.0]]), torch.tensor([2]))
    tensor(2.5000)
    """

    ignore_index: int = -100
