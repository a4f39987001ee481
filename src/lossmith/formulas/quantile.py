"""Losses whose best constant prediction is a quantile or an expectile. r = pred - target, q the share wanted below.

    quantile    -q r for r < 0, (1 - q) r for r > 0                  gradient -q, 1 - q; 1/2 - q at r = 0
    quantiles   mean over k of quantile_k of pred_k - target         one target, one prediction for each q
    expectile   q r^2 for r < 0, (1 - q) r^2 for r > 0               gradient 2 q r, 2 (1 - q) r

At the kink the slope is the mean of its two sides. 1 - q is formed in the precision of Python, so that q = 0.999
keeps its digits in float32.
"""

from collections.abc import Sequence
from typing import Annotated, Any, cast

from lossmith.formulas.terms import fitted
from lossmith.ops import A, Ops
from lossmith.settings import Interval
from lossmith.spec import Claims, formula

Level = Annotated[float, Interval("a number between 0 and 1", low=0.0, high=1.0, open_low=True, open_high=True)]
MANY = (0.1, 0.5, 0.9)


def _quantile_bound(quantile: object) -> float | None:
    return max(quantile, 1.0 - quantile) if isinstance(quantile, (int, float)) else None


def _quantiles_bound(quantile: object) -> float | None:
    """Each prediction has a part of the mean."""
    if not isinstance(quantile, Sequence):
        return None
    levels = cast("Sequence[float]", quantile)
    return max(max(q, 1.0 - q) for q in levels) / len(levels)


@formula(
    shapes="..., ... -> ...",
    kinds=("real", "real"),
    source="Koenker and Bassett 1978, https://doi.org/10.2307/1913643",
    claims=Claims(zero_at_match=True, convex=True, monotone=True, grad_bound=_quantile_bound),
)
def quantile(ops: Ops[A], pred: A, target: A, *, quantile: A | Level = 0.5) -> A:
    """Quantile (pinball, check) loss, elementwise: it costs least, on average, at a quantile of the target.

    Shapes    pred, target: (...) equal; result: (...)
    Unit      the unit of pred
    Range     [0, inf); 0 exactly when pred == target
    Gradient  -q below the target, 1 - q above, 1/2 - q at r = 0
    Limits    r = +-inf gives inf; NaN gives NaN
    Keywords  quantile in (0, 1): the share of targets that should lie below the prediction. At 0.5 the loss is half
              the absolute error
    Source    Koenker and Bassett 1978, https://doi.org/10.2307/1913643

    >>> import numpy as np
    >>> quantile(np.array([1.0, 3.0]), np.array([2.0, 2.0]), quantile=0.75)
    array([0.75, 0.25])
    """
    return _tilted(ops, pred - target, quantile, 1.0 - quantile, 0.5 - quantile)


@formula(
    shapes="... Q, ... -> ...",
    kinds=("real", "real"),
    source="Koenker and Bassett 1978, https://doi.org/10.2307/1913643; for networks: Wen et al. 2017, "
    "https://arxiv.org/abs/1711.11053",
    claims=Claims(convex=True, grad_bound=_quantiles_bound),
)
def quantiles(ops: Ops[A], pred: A, target: A, *, quantile: A | Level | Sequence[float] = MANY) -> A:
    """Mean of the quantile losses of several predictions of one target, one for each quantile.

    Shapes    pred: (..., Q), one prediction for each quantile; target: (...); result: (...)
    Unit      the unit of pred
    Range     [0, inf); 0 exactly when every prediction is the target
    Gradient  -q / Q below the target, (1 - q) / Q above, (1/2 - q) / Q at r = 0
    Limits    a prediction of +-inf gives inf; NaN gives NaN. Nothing keeps the predictions in order
    Keywords  quantile: Q numbers in (0, 1), in the order of the last axis of pred
    Source    Koenker and Bassett 1978, https://doi.org/10.2307/1913643; for networks: Wen et al. 2017,
              https://arxiv.org/abs/1711.11053

    >>> import numpy as np
    >>> quantiles(np.array([[0.0, 2.0, 6.0]]), np.array([2.0]), quantile=[0.25, 0.5, 0.75])
    array([0.5])
    """
    residual = pred - ops.expand_dims(target, axis=-1)
    below, above, between = (fitted(ops, "quantiles", "quantile", each, residual) for each in _slopes(quantile))
    costs = _tilted(ops, residual, below, above, between)
    return ops.sum(costs, axis=-1) / ops.sum(ops.full_like(costs, 1.0), axis=-1)


def _slopes(levels: Any) -> tuple[Any, Any, Any]:
    """q, 1 - q and 1/2 - q, of a number, a sequence of numbers or an array."""
    if isinstance(levels, Sequence):
        numbers = cast("Sequence[float]", levels)
        return numbers, [1.0 - q for q in numbers], [0.5 - q for q in numbers]
    return levels, 1.0 - levels, 0.5 - levels


def _tilted(ops: Ops[A], residual: A, below: A | float, above: A | float, between: A | float) -> A:
    """Slopes -below and above, and `between` at 0 (and NaN)."""
    rest = ops.where(residual < 0.0, residual * -below, residual * between)
    return ops.where(residual > 0.0, residual * above, rest)


@formula(
    shapes="..., ... -> ...",
    kinds=("real", "real"),
    source="Newey and Powell 1987, https://doi.org/10.2307/1911031",
    claims=Claims(zero_at_match=True, convex=True, smooth=True, monotone=True),
)
def expectile(ops: Ops[A], pred: A, target: A, *, expectile: A | Level = 0.5) -> A:
    """Expectile loss, elementwise: squares that are weighted like the quantile loss weighs residuals.

    Shapes    pred, target: (...) equal; result: (...)
    Unit      the squared unit of pred
    Range     [0, inf); 0 exactly when pred == target
    Gradient  2 q r below the target, 2 (1 - q) r above: continuous, 0 at r = 0
    Limits    r = +-inf gives inf; NaN gives NaN
    Keywords  expectile in (0, 1): the weight of the targets above the prediction. At 0.5 the loss is half the
              squared error, and its best constant is the mean
    Source    Newey and Powell 1987, https://doi.org/10.2307/1911031

    >>> import numpy as np
    >>> expectile(np.array([0.0, 4.0]), np.array([2.0, 2.0]), expectile=0.75)
    array([3., 1.])
    """
    residual = pred - target
    under, over = ops.square(ops.minimum(residual, 0.0)), ops.square(ops.maximum(residual, 0.0))
    return expectile * under + (1.0 - expectile) * over
