"""Losses of the residual r = pred - target, entry by entry.

    squared_error              r^2                                          gradient 2 r
    absolute_error             |r|                                          sign r, 0 at r = 0
    huber                      r^2 / 2            for |r| < delta           clip(r, -delta, delta)
                               delta (|r| - delta / 2)  beyond
    asymmetric_squared_error   under r^2 for r < 0, over r^2 for r >= 0     2 under r, 2 over r
    log_cosh                   log cosh r                                   tanh r

Huber: `where` sends 0 times the slope into the branch not taken, so the parabola is drawn over min(|r|, delta),
whose slope is finite at r = inf.

Log-cosh, with a = |r|. Taken literally, cosh r overflows float32 before a = 90.

    a < 1     log cosh r = log1p(e^a expm1(-a)^2 / 2)     keeps the leading r^2 / 2
    a >= 1    log cosh r = a + log1p(e^(-2a)) - log 2     never forms cosh r

With the second line alone, a = 1e-4 already rounds to 0.
"""

from math import log

from lossmith.ops import A, Ops
from lossmith.settings import Positive
from lossmith.spec import Claims, formula

LOG_2 = log(2.0)


@formula(
    shapes="..., ... -> ...",
    kinds=("real", "real"),
    source="Legendre 1805, Nouvelles méthodes pour la détermination des orbites des comètes, appendix",
    claims=Claims(zero_at_match=True, even=True, convex=True, smooth=True, monotone=True),
)
def squared_error(ops: Ops[A], pred: A, target: A) -> A:
    """Squared residual, elementwise.

    Shapes    pred, target: (...) equal; result: (...)
    Unit      the squared unit of pred
    Range     [0, inf); 0 exactly when pred == target
    Gradient  2 r, without the half that some texts put in front
    Limits    r = +-inf gives inf with gradient +-inf; NaN gives NaN
    Source    Legendre 1805, Nouvelles méthodes pour la détermination des orbites des comètes

    >>> import numpy as np
    >>> squared_error(np.array([3.0, 1.0]), np.array([0.0, 1.0]))
    array([9., 0.])
    """
    return ops.square(pred - target)


@formula(
    shapes="..., ... -> ...",
    kinds=("real", "real"),
    source="Laplace 1774, Mémoire sur la probabilité des causes par les évènements",
    claims=Claims(zero_at_match=True, even=True, convex=True, monotone=True, grad_bound=1.0),
)
def absolute_error(ops: Ops[A], pred: A, target: A) -> A:
    """Absolute residual, elementwise.

    Shapes    pred, target: (...) equal; result: (...)
    Unit      the unit of pred
    Range     [0, inf); 0 exactly when pred == target
    Gradient  sign r; 0 at the kink r = 0
    Limits    r = +-inf gives inf with gradient +-1; NaN gives NaN, its gradient is the reader's
    Source    Laplace 1774, Mémoire sur la probabilité des causes par les évènements

    >>> import numpy as np
    >>> absolute_error(np.array([3.0, 1.0]), np.array([0.0, 1.0]))
    array([3., 0.])
    """
    return ops.abs(pred - target)


def _huber_bound(delta: float) -> float:
    return delta


@formula(
    shapes="..., ... -> ...",
    kinds=("real", "real"),
    source="Huber 1964, https://doi.org/10.1214/aoms/1177703732",
    claims=Claims(zero_at_match=True, even=True, convex=True, smooth=True, monotone=True, grad_bound=_huber_bound),
)
def huber(ops: Ops[A], pred: A, target: A, *, delta: Positive = 1.0) -> A:
    """Huber loss of the residual, elementwise: a parabola that goes on as a line.

    Shapes    pred, target: (...) equal; result: (...)
    Unit      the squared unit of pred
    Range     [0, inf); 0 exactly when pred == target
    Gradient  clip(r, -delta, delta): continuous at |r| = delta, 0 at r = 0
    Limits    r = +-inf gives inf with gradient +-delta; NaN gives NaN, its gradient is the reader's
    Keywords  delta > 0: where the parabola becomes a line, in the unit of pred
    Source    Huber 1964, https://doi.org/10.1214/aoms/1177703732

    >>> import numpy as np
    >>> huber(np.array([3.0]), np.array([0.0]), delta=1.0)
    array([2.5])
    """
    a = ops.abs(pred - target)
    near = ops.minimum(a, delta)
    return ops.where(a < delta, 0.5 * ops.square(near), delta * (a - 0.5 * delta))


@formula(
    shapes="..., ... -> ...",
    kinds=("real", "real"),
    source="Newey and Powell 1987, https://doi.org/10.2307/1911031",
    claims=Claims(zero_at_match=True, convex=True, smooth=True, monotone=True),
)
def asymmetric_squared_error(ops: Ops[A], pred: A, target: A, *, under: Positive = 1.0, over: Positive = 1.0) -> A:
    """Squared residual with one factor for under-prediction and one for over-prediction, elementwise.

    Its best constant prediction is an expectile: with under = over, the mean.

    Shapes    pred, target: (...) equal; result: (...)
    Unit      the squared unit of pred
    Range     [0, inf); 0 exactly when pred == target
    Gradient  2 under r for r < 0, 2 over r for r > 0: continuous, 0 at r = 0
    Limits    r = +-inf gives inf; NaN gives NaN
    Keywords  under > 0: the factor where pred < target; over > 0: the factor where pred > target
    Source    Newey and Powell 1987, https://doi.org/10.2307/1911031

    >>> import numpy as np
    >>> asymmetric_squared_error(np.array([1.0, 3.0]), np.array([2.0, 2.0]), under=4.0)
    array([4., 1.])
    """
    residual = pred - target
    return under * ops.square(ops.minimum(residual, 0.0)) + over * ops.square(ops.maximum(residual, 0.0))


@formula(
    shapes="..., ... -> ...",
    kinds=("real", "real"),
    source="Chen et al. 2019, https://openreview.net/forum?id=rkglvsC9Ym",
    claims=Claims(zero_at_match=True, even=True, convex=True, smooth=True, monotone=True, grad_bound=1.0),
)
def log_cosh(ops: Ops[A], pred: A, target: A) -> A:
    """Log-cosh of the residual, elementwise. Its scale is r = 1: rescale `pred` first.

    Shapes    pred, target: (...) equal; result: (...)
    Unit      dimensionless: r must be
    Range     [0, inf); 0 exactly when pred == target
    Gradient  tanh r: smooth everywhere, 0 at r = 0
    Limits    r = +-inf gives inf with gradient +-1; NaN gives NaN, its gradient is the reader's
    Source    Chen et al. 2019, https://openreview.net/forum?id=rkglvsC9Ym

    >>> import numpy as np
    >>> log_cosh(np.array([0.0, 2.0]), np.array([0.0, 0.0])).round(6)
    array([0.      , 1.325003])
    """
    a = ops.abs(pred - target)
    near = ops.minimum(a, 1.0)  # `where` differentiates both branches: the unused one stays finite
    small = ops.log1p(0.5 * ops.exp(near) * ops.square(ops.expm1(-near)))
    large = a + ops.log1p(ops.exp(-2.0 * a)) - LOG_2
    return ops.where(a < 1.0, small, large)
