"""Losses between distributions; the mathematics is in `lossmith.formulas.divergence`."""

from typing import final

from lossmith import formulas
from lossmith.keras.loss import Loss


@final
class KLDivergence(Loss, formula=formulas.kl_divergence, fixed={"pred_is": "prob", "log_target": False}):
    """`keras.losses.KLDivergence` on probabilities over the last axis, which keras moves to 1e-7 or more.

    Here a class with y_true 0 costs exactly 0, and y_pred 0 where y_true is not costs inf.

    >>> round(float(KLDivergence()([[1.0, 0.0]], [[0.5, 0.5]])), 4)
    0.6931
    """
