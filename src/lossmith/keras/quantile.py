"""Losses for quantiles and expectiles; the mathematics is in `lossmith.formulas.quantile`. Keras has none of them."""

from collections.abc import Sequence
from typing import final

from lossmith import formulas
from lossmith.keras.align import Array, rank, without_unit_axis
from lossmith.keras.loss import Loss


@final
class Quantile(Loss, formula=formulas.quantile):
    """Quantile (pinball) loss of one quantile, or of several.

    One number: averaged over the last axis. A list of Q numbers: y_pred is (N, Q), y_true (N,) or (N, 1), and a value
    is the mean over the quantiles.

    >>> float(Quantile(quantile=0.75)([[2.0, 2.0]], [[1.0, 3.0]]))
    0.5
    >>> float(Quantile(quantile=[0.25, 0.5, 0.75])([2.0], [[0.0, 2.0, 6.0]]))
    0.5
    """

    quantile: float | Sequence[float] = 0.5

    def _set_up(self) -> None:
        if isinstance(self.quantile, Sequence):
            vars(self)["formula"] = formulas.quantiles

    def _arrays(self, y_true: Array, y_pred: Array) -> tuple[Array, ...]:
        pred, target = super()._arrays(y_true, y_pred)
        return pred, target if self.formula.shapes.elementwise else without_unit_axis(target, rank(pred) - 1)


@final
class Expectile(Loss, formula=formulas.expectile):
    """Expectile loss: squares with weights `expectile` where y_pred < y_true and 1 - `expectile` above.

    >>> float(Expectile(expectile=0.75)([[2.0, 2.0]], [[0.0, 4.0]]))
    2.0
    """

    expectile: float = 0.5
