"""Losses of the residual, averaged over the last axis; the mathematics is in `lossmith.formulas.regression`."""

from typing import final

from lossmith import formulas
from lossmith.face import leading
from lossmith.keras.loss import Loss


@final
class MeanSquaredError(Loss, formula=formulas.squared_error):
    """`keras.losses.MeanSquaredError`, without broadcasting.

    >>> float(MeanSquaredError()([[1.0, 2.0]], [[1.0, 0.0]]))
    2.0
    """


@final
class MeanAbsoluteError(Loss, formula=formulas.absolute_error):
    """`keras.losses.MeanAbsoluteError`, without broadcasting.

    >>> float(MeanAbsoluteError()([[1.0, 2.0]], [[1.0, 0.0]]))
    1.0
    """


@final
class Huber(Loss, formula=formulas.huber):
    """`keras.losses.Huber`, without broadcasting; its delta is saved with the model.

    >>> float(Huber(delta=0.5)([[1.0, 2.0]], [[1.0, 0.0]]))
    0.4375
    """

    delta: float = leading(default=1.0)
    name: str | None = "huber_loss"


@final
class LogCosh(Loss, formula=formulas.log_cosh):
    """`keras.losses.LogCosh`, without broadcasting; exact for small residuals, where keras's rounds to 0.

    >>> round(float(LogCosh()([[0.5]], [[0.0]])), 4)
    0.1201
    """


@final
class AsymmetricMeanSquaredError(Loss, formula=formulas.asymmetric_squared_error):
    """Squared error whose two sides have weights of their own: `under` where y_pred < y_true, `over` where above.

    >>> float(AsymmetricMeanSquaredError(under=3.0)([[0.0, 0.0]], [[1.0, -1.0]]))
    2.0
    """

    under: float = 1.0
    over: float = 1.0
