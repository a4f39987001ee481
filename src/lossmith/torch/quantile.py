"""Losses for quantiles and expectiles; the mathematics is in `lossmith.formulas.quantile`."""

from collections.abc import Sequence
from typing import final

from lossmith import formulas
from lossmith.torch.loss import Loss


@final
class QuantileLoss(Loss, formula=formulas.quantile):
    """Quantile (pinball) loss of one quantile, or of several. torch.nn has none.

    One number: input and target have one shape. A list of Q numbers: the last axis of the input holds the quantiles,
    the target has no such axis, and a value is the mean over the quantiles.

    >>> QuantileLoss(quantile=0.75)(torch.tensor([1.0, 3.0]), torch.tensor([2.0, 2.0]))
    tensor(0.5000)
    >>> QuantileLoss(quantile=[0.25, 0.5, 0.75])(torch.tensor([[0.0, 2.0, 6.0]]), torch.tensor([2.0]))
    tensor(0.5000)
    """

    quantile: float | Sequence[float] = 0.5

    def _set_up(self) -> None:
        if isinstance(self.quantile, Sequence):
            vars(self)["formula"] = formulas.quantiles


@final
class ExpectileLoss(Loss, formula=formulas.expectile):
    """Squares with weights `expectile` where input < target and 1 - `expectile` above. torch.nn has none.

    >>> ExpectileLoss(expectile=0.75)(torch.tensor([0.0, 4.0]), torch.tensor([2.0, 2.0]))
    tensor(2.)
    """

    expectile: float = 0.5
