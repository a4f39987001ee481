"""Barron's general and adaptive robust loss: one family, alpha its shape, entry by entry. z = |pred - target| / scale.

    general_robust    b / alpha ((z^2 / b + 1)^(alpha / 2) - 1),   b = |alpha - 2|
                      alpha 2: z^2 / 2;   1: Charbonnier;   0: log(1 + z^2 / 2);   -2: Geman-McClure
                      -inf: 1 - e^(-z^2 / 2)
    adaptive_robust   general_robust + log scale + log Z(alpha),   Z = integral over z of e^(-general_robust)

As printed it is 0 / 0 or 0 * inf at the special alphas and loses all digits near them. With L = log(1 + z^2 / b):

    alpha within 1 of 2     (z^2 E + b (E - 1)) / alpha,      E = e^((alpha - 2) L / 2)
    else, |alpha L| < 2     b L / 2 phi(alpha L / 2),         phi(y) = (e^y - 1) / y = e^(y/2) sinh(y/2) / (y/2)
    else                    b / alpha (e^(alpha L / 2) - 1)

phi is a power series there. L is log1p(z^2 / b), or 2 log z - log b + log1p(b / z^2) where z^2 could overflow.

Z has no closed form. It is a sum over z = e^s with steps of 1/8 in s, whose error is about e^(-2 pi 8 pi / 4), below
the rounding of float64, for every alpha from 0 (tails like 1 / z^2) to 2 (normal).
"""

from collections.abc import Sequence
from math import exp, expm1, factorial, inf
from typing import Annotated

from lossmith.formulas.robust import welsch_of
from lossmith.formulas.terms import fitted
from lossmith.ops import A, Ops
from lossmith.settings import Interval, Positive
from lossmith.spec import Claims, formula

Shape = Annotated[float, Interval("a number below inf (-inf is the Welsch loss)", high=inf, open_high=True)]
TailShape = Annotated[float, Interval("a number from 0 to 2", low=0.0, high=2.0)]
SERIES = [1.0 / factorial(2 * k + 1) for k in range(9)]  # sinh(u) / u in u^2, for u up to 1/2
STEP = 1 / 8
NODES = [exp(STEP * i) for i in range(-104, 325)]
# for z and -z; the first stands for all below it too, where e^(-loss) is 1 to rounding
WEIGHTS = [2.0 * STEP * z * (1.0 + (1.0 / expm1(STEP) if i == 0 else 0.0)) for i, z in enumerate(NODES)]


def _bound(alpha: object, scale: object) -> float | None:
    """From alpha 1 down the slope has a bound: its size where the curvature is 0."""
    if not isinstance(alpha, (int, float)) or not isinstance(scale, (int, float)) or alpha > 1:
        return None
    if alpha == 1:
        return 1.0 / scale
    if alpha == -inf:
        return exp(-0.5) / scale
    return ((alpha - 2.0) / (alpha - 1.0)) ** ((alpha - 1.0) / 2.0) / scale


@formula(
    shapes="..., ... -> ...",
    kinds=("real", "real"),
    source="Barron 2019, https://arxiv.org/abs/1701.03077",
    claims=Claims(zero_at_match=True, even=True, smooth=True, monotone=True, grad_bound=_bound),
)
def general_robust(
    ops: Ops[A],
    pred: A,
    target: A,
    *,
    alpha: A | Shape | Sequence[float] = 1.0,
    scale: A | Positive | Sequence[float] = 1.0,
) -> A:
    """Barron's general robust loss of the residual, elementwise: one shape from the square to the Welsch loss.

    Shapes    pred, target: (...) equal; result: (...)
    Unit      dimensionless
    Range     [0, inf), below alpha 0 up to b / |alpha|; 0 exactly when pred == target
    Gradient  r / scale^2 (z^2 / b + 1)^(alpha / 2 - 1): smooth; bounded from alpha 1 down, falling from below 1.
              In alpha it is right to rounding times the value, and at alpha 2, where it is inf, finite by convention
    Limits    r = +-inf gives inf, below alpha 0 the largest value; NaN gives NaN
    Keywords  alpha < inf: the shape, a number or one for each entry of the last axis; scale > 0: in the unit of
              pred, likewise. Both may be arrays and have gradients, but the best alpha of this loss is -inf: to
              learn it is what `adaptive_robust` is for
    Source    Barron 2019, https://arxiv.org/abs/1701.03077

    >>> import numpy as np
    >>> residuals = np.array([1.0, 100.0]), np.array([0.0, 0.0])
    >>> general_robust(*residuals, alpha=0.0).round(6)
    array([0.405465, 8.517393])
    """
    return _loss(ops, *_arguments(ops, "general_robust", pred - target, alpha, scale)[:2])


@formula(
    shapes="..., ... -> ...",
    kinds=("real", "real"),
    source="Barron 2019, https://arxiv.org/abs/1701.03077",
    claims=Claims(range=(-inf, inf), even=True, smooth=True, monotone=True, grad_bound=_bound),
)
def adaptive_robust(
    ops: Ops[A],
    pred: A,
    target: A,
    *,
    alpha: A | TailShape | Sequence[float] = 1.0,
    scale: A | Positive | Sequence[float] = 1.0,
) -> A:
    """Barron's adaptive robust loss: the negative log-likelihood of a residual whose tails `alpha` describes.

    Shapes    pred, target: (...) equal; result: (...)
    Unit      nats
    Range     [log scale + log Z(alpha), inf), which may be below 0
    Gradient  in pred as that of `general_robust`; in alpha and scale it weighs outliers against the width
    Limits    r = +-inf gives inf; NaN gives NaN
    Keywords  alpha from 0 (Cauchy) to 2 (normal): a number or one for each entry of the last axis; scale > 0: in
              the unit of pred, likewise. An array may be learned; it is not checked: for 2 sigmoid(x) and e^x every
              x is right
    Source    Barron 2019, https://arxiv.org/abs/1701.03077

    >>> import numpy as np
    >>> adaptive_robust(np.array([0.0, 3.0]), np.array([0.0, 0.0]), alpha=2.0).round(6)
    array([0.918939, 5.418939])
    """
    z, shape, width = _arguments(ops, "adaptive_robust", pred - target, alpha, scale)
    nodes, weights = ops.asarray(NODES, like=z), ops.asarray(WEIGHTS, like=z)
    apart = shape if isinstance(shape, (int, float)) else ops.expand_dims(shape, axis=-1)
    total = ops.logsumexp(ops.log(weights) - _loss(ops, nodes, apart), axis=-1)
    return _loss(ops, z, shape) + (ops.log(width) + total)


def _arguments(
    ops: Ops[A], caller: str, residual: A, alpha: A | float | Sequence[float], scale: A | float | Sequence[float]
) -> tuple[A, A | float, A]:
    """z, alpha and scale; alpha stays a number where it is one, so that its distance from 2 is not rounded."""
    width = fitted(ops, caller, "scale", scale, residual)
    number = isinstance(alpha, (int, float))
    return ops.abs(residual) / width, alpha if number else fitted(ops, caller, "alpha", alpha, residual), width


def _loss(ops: Ops[A], z: A, alpha: A | float) -> A:
    """The general loss of z >= 0."""
    if isinstance(alpha, (int, float)):
        if alpha < -1e30:
            return welsch_of(ops, z)
        shape, gap = ops.asarray(alpha, like=z), ops.asarray(alpha - 2.0, like=z)
        found = z < inf if alpha >= 0 else None
        part = _near_two if abs(alpha - 2.0) <= 1.0 else _elsewhere
        values = part(ops, z if found is None else ops.where(found, z, 1.0), shape, gap)
        return values if found is None else ops.where(found, values, z)
    found = (z < inf) | (alpha < 0.0)
    inner = ops.where(found, z, 1.0)
    near, far = ops.abs(alpha - 2.0) <= 1.0, alpha < -1e30
    close, other = ops.where(near, alpha, 2.0), ops.where(near | far, ops.full_like(alpha, 0.0), alpha)
    rest = ops.where(far, welsch_of(ops, inner), _elsewhere(ops, inner, other, other - 2.0))
    return ops.where(found, ops.where(near, _near_two(ops, inner, close, close - 2.0), rest), z)


def _near_two(ops: Ops[A], z: A, alpha: A, gap: A) -> A:
    """The loss for alpha = 2 + gap from 1 to 3."""
    b = ops.abs(gap)
    exponent = _log_ratio(ops, z, ops.where(ops.truth(b), b, 1.0)) * (0.5 * gap)
    big = z > 1.0
    large, small = ops.where(big, z, 1.0), ops.where(big, ops.full_like(z, 1.0), z)
    # z E as an exponential: the slope of z (z E) with respect to E is z^2, which overflows
    square = ops.where(big, large * ops.exp(exponent + ops.log(large)), small * (small * ops.exp(exponent)))
    return (square + ops.expm1(exponent) * b) / alpha


def _elsewhere(ops: Ops[A], z: A, alpha: A, gap: A) -> A:
    """The loss for other alphas, 0 among them, where the quotient is only used for large exponents."""
    b = ops.abs(gap)
    ratio = _log_ratio(ops, z, b)
    exponent = ratio * (0.5 * alpha)
    small = ops.abs(exponent) < 1.0
    near = ratio * (0.5 * b) * _phi(ops, ops.where(small, exponent, 0.0))
    steep = ops.where(ops.abs(alpha) > 1e-4, alpha, 1.0)  # no exponent is large below
    far = (ops.exp(ops.where(small, ops.full_like(exponent, 1.0), exponent)) - 1.0) * (b / steep)
    return ops.where(small, near, far)


def _phi(ops: Ops[A], y: A) -> A:
    """(e^y - 1) / y for |y| < 1, with full accuracy of its slope at 0 too."""
    u2 = ops.square(0.5 * y)
    series = ops.full_like(y, SERIES[-1])
    for coefficient in SERIES[-2::-1]:
        series = series * u2 + coefficient
    return ops.exp(0.5 * y) * series


def _log_ratio(ops: Ops[A], z: A, b: A) -> A:
    """log(1 + z^2 / b)."""
    near = ops.square(z) < b
    small = ops.log1p(ops.square(ops.where(near, z, 0.0)) / b)
    far = ops.where(near, ops.full_like(z, 1.0), z)
    return ops.where(near, small, 2.0 * ops.log(far) - ops.log(b) + ops.log1p(ops.square(1.0 / far) * b))
