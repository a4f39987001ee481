"""Losses that forgive outliers; the mathematics is in `lossmith.formulas.robust` and `lossmith.formulas.barron`."""

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor, nn

from lossmith import formulas
from lossmith.errors import SettingError, message
from lossmith.torch.loss import Loss


@final
class SmoothL1Loss(Loss, formula=formulas.smooth_l1):
    """`torch.nn.SmoothL1Loss`, without broadcasting.

    >>> SmoothL1Loss(beta=0.5)(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.0]))
    tensor(0.8750)
    """

    beta: float = 1.0


@final
class CharbonnierLoss(Loss, formula=formulas.charbonnier):
    """Charbonnier (pseudo-Huber) loss, sqrt(r^2 + scale^2) - scale. torch.nn has none.

    >>> CharbonnierLoss(scale=3.0)(torch.tensor([4.0]), torch.tensor([0.0]))
    tensor(2.)
    """

    scale: float = 1.0


@final
class CauchyLoss(Loss, formula=formulas.cauchy):
    """Cauchy (Lorentzian) loss: an outlier costs the logarithm of its size. torch.nn has none.

    >>> CauchyLoss()(torch.tensor([2.0]), torch.tensor([0.0]))
    tensor(1.0986)
    """

    scale: float = 1.0


@final
class WelschLoss(Loss, formula=formulas.welsch):
    """Welsch (Leclerc) loss: an outlier costs 1 and has no gradient. torch.nn has none.

    >>> WelschLoss()(torch.tensor([1.0]), torch.tensor([0.0]))
    tensor(0.3935)
    """

    scale: float = 1.0


@final
class GemanMcClureLoss(Loss, formula=formulas.geman_mcclure):
    """Geman-McClure loss: an outlier costs at most 2. torch.nn has none.

    >>> GemanMcClureLoss()(torch.tensor([2.0]), torch.tensor([0.0]))
    tensor(1.)
    """

    scale: float = 1.0


@final
class TukeyLoss(Loss, formula=formulas.tukey):
    """Tukey's biweight: a residual beyond the cutoff has no influence at all. torch.nn has none.

    >>> TukeyLoss(cutoff=3.0)(torch.tensor([100.0]), torch.tensor([0.0]))
    tensor(1.5000)
    """

    cutoff: float = 4.685


@final
class GeneralRobustLoss(Loss, formula=formulas.general_robust):
    """Barron's general robust loss: alpha 2 the square, 1 Charbonnier, 0 Cauchy, -2 Geman-McClure, -inf Welsch.

    `alpha` and `scale` are numbers, or tensors with one entry for each of the last axis, which move and are saved with
    the module. An `nn.Parameter` learns; alone it learns to ignore everything: see `AdaptiveRobustLoss`.

    >>> GeneralRobustLoss(alpha=0.0)(torch.tensor([2.0]), torch.tensor([0.0]))
    tensor(1.0986)
    """

    alpha: Tensor | float | Sequence[float] = 1.0
    scale: Tensor | float | Sequence[float] = 1.0


@final
class AdaptiveRobustLoss(Loss, formula=formulas.adaptive_robust, own=("learn",)):
    """Barron's adaptive robust loss: the likelihood of residuals, whose shape and scale are learned with the network.

    `alpha` and `scale` are where they begin, one number, or one for each entry of the last axis. With `learn` the
    module has the parameters `latent_alpha` and `latent_scale`: give `parameters()` to the optimizer. `learned()` says
    where alpha = 2 sigmoid(latent_alpha) and scale = e^latent_scale are now. Without it both stay what they are.

    >>> AdaptiveRobustLoss(alpha=1.0)(torch.tensor([0.0]), torch.tensor([0.0]))
    tensor(1.1855, grad_fn=<DivBackward0>)
    """

    alpha: Tensor | float | Sequence[float] = 1.0
    scale: Tensor | float | Sequence[float] = 1.0
    learn: bool = True

    def learned(self) -> dict[str, Tensor]:
        """The alpha and the scale that the parameters stand for."""
        return {"alpha": 2.0 * torch.sigmoid(self.latent_alpha), "scale": torch.exp(self.latent_scale)}

    def _set_up(self) -> None:
        if not self.learn:
            return
        start: dict[str, Any] = {"alpha": self.alpha, "scale": self.scale}
        self.formula.check_settings(type(self).__name__, start)
        given = start["alpha"]
        if any(alpha in (0, 2) for alpha in (given if isinstance(given, Sequence) else [given])):
            headline = f"{type(self).__name__}: what is to be learned begins between 0 and 2, not at an end"
            raise SettingError(message(headline, {"alpha": repr(given)}, fix="alpha=1.9, or learn=False"))
        alpha, scale = (torch.as_tensor(x, dtype=torch.get_default_dtype()).detach() for x in start.values())
        self.latent_alpha = nn.Parameter(torch.logit(alpha / 2.0))
        self.latent_scale = nn.Parameter(torch.log(scale))

    def _keywords(self) -> dict[str, Any]:
        return dict(self.learned()) if self.learn else super()._keywords()
