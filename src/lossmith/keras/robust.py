"""Losses that forgive outliers; the mathematics is in `lossmith.formulas.robust` and `lossmith.formulas.barron`.

Keras has none of them. All are averaged over the last axis.
"""

from collections.abc import Sequence
from typing import Any, final

from keras import ops as kops

from lossmith import formulas
from lossmith.keras.align import Array
from lossmith.keras.loss import Loss


@final
class SmoothL1(Loss, formula=formulas.smooth_l1):
    """Smooth L1 loss, as in torch.nn: a parabola up to beta, then a line of slope 1.

    >>> float(SmoothL1(beta=0.5)([[1.0, 0.0]], [[1.0, 2.0]]))
    0.875
    """

    beta: float = 1.0


@final
class Charbonnier(Loss, formula=formulas.charbonnier):
    """Charbonnier (pseudo-Huber) loss, sqrt(r^2 + scale^2) - scale.

    >>> float(Charbonnier(scale=3.0)([[0.0]], [[4.0]]))
    2.0
    """

    scale: float = 1.0


@final
class Cauchy(Loss, formula=formulas.cauchy):
    """Cauchy (Lorentzian) loss: an outlier costs the logarithm of its size.

    >>> round(float(Cauchy()([[0.0]], [[2.0]])), 4)
    1.0986
    """

    scale: float = 1.0


@final
class Welsch(Loss, formula=formulas.welsch):
    """Welsch (Leclerc) loss: an outlier costs 1 and has no gradient.

    >>> round(float(Welsch()([[0.0]], [[1.0]])), 4)
    0.3935
    """

    scale: float = 1.0


@final
class GemanMcClure(Loss, formula=formulas.geman_mcclure):
    """Geman-McClure loss: an outlier costs at most 2.

    >>> float(GemanMcClure()([[0.0]], [[2.0]]))
    1.0
    """

    scale: float = 1.0


@final
class Tukey(Loss, formula=formulas.tukey):
    """Tukey's biweight: a residual beyond the cutoff has no influence at all.

    >>> float(Tukey(cutoff=3.0)([[0.0]], [[100.0]]))
    1.5
    """

    cutoff: float = 4.685


class _Shaped(Loss):
    """The base of the two losses whose settings may be variables."""

    def _keywords(self) -> dict[str, Any]:
        keywords = super()._keywords()
        return {key: kops.convert_to_tensor(x) if hasattr(x, "shape") else x for key, x in keywords.items()}


@final
class GeneralRobust(_Shaped, formula=formulas.general_robust):
    """Barron's general robust loss: alpha 2 the square, 1 Charbonnier, 0 Cauchy, -2 Geman-McClure, -inf Welsch.

    `alpha` and `scale` are numbers, or one for each entry of the last axis.

    >>> round(float(GeneralRobust(alpha=0.0)([[0.0]], [[2.0]])), 4)
    1.0986
    """

    alpha: Array | float | Sequence[float] = 1.0
    scale: Array | float | Sequence[float] = 1.0


@final
class AdaptiveRobust(_Shaped, formula=formulas.adaptive_robust):
    """Barron's adaptive robust loss: the negative log-likelihood of residuals, with alpha from 0 to 2.

    `alpha` and `scale` are numbers, or one for each entry of the last axis. A loss of keras owns no variables: to learn
    them, let a layer own two `keras.Variable`s, with constraints that keep alpha in (0, 2) and scale above 0.

    >>> round(float(AdaptiveRobust(alpha=2.0)([[0.0]], [[3.0]])), 4)
    5.4189
    """

    alpha: Array | float | Sequence[float] = 1.0
    scale: Array | float | Sequence[float] = 1.0
