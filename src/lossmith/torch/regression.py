"""Losses of the residual, elementwise; the mathematics is in `lossmith.formulas.regression`."""

from typing import final

from lossmith import formulas
from lossmith.torch.loss import Loss


@final
class MSELoss(Loss, formula=formulas.squared_error):
    """`torch.nn.MSELoss`, without broadcasting.

    >>> MSELoss()(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.0]))
    tensor(2.)
    """


@final
class L1Loss(Loss, formula=formulas.absolute_error):
    """`torch.nn.L1Loss`, without broadcasting.

    >>> L1Loss()(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.0]))
    tensor(1.)
    """


@final
class HuberLoss(Loss, formula=formulas.huber):
    """`torch.nn.HuberLoss`, without broadcasting.

    >>> HuberLoss(delta=0.5)(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.0]))
    tensor(0.4375)
    """

    delta: float = 1.0


@final
class AsymmetricMSELoss(Loss, formula=formulas.asymmetric_squared_error):
    """Squared error whose two sides have weights of their own: `under` where input < target, `over` where above.

    >>> AsymmetricMSELoss(under=3.0)(torch.tensor([1.0, -1.0]), torch.tensor([0.0, 0.0]))
    tensor(2.)
    """

    under: float = 1.0
    over: float = 1.0


@final
class LogCoshLoss(Loss, formula=formulas.log_cosh):
    """Log-cosh of the residual: a parabola near 0, the absolute error far away. torch.nn has none.

    >>> LogCoshLoss()(torch.tensor([0.5]), torch.tensor([0.0]))
    tensor(0.1201)
    """
