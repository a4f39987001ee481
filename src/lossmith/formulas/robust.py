"""Losses of the residual r = pred - target that forgive outliers, entry by entry; a = |r|, z = a / scale.

    smooth_l1        a^2 / (2 beta) for a < beta, a - beta / 2 beyond     gradient clip(r / beta, -1, 1)
    charbonnier      sqrt(r^2 + scale^2) - scale                          r / sqrt(r^2 + scale^2)
    cauchy           log(1 + z^2 / 2)                                     r / scale^2 / (1 + z^2 / 2)
    welsch           1 - e^(-z^2 / 2)                                     r / scale^2 e^(-z^2 / 2)
    geman_mcclure    2 z^2 / (z^2 + 4)                                    16 r / scale^2 / (z^2 + 4)^2
    tukey            (1 - (1 - (r / cutoff)^2)^3) cutoff^2 / 6            r (1 - (r / cutoff)^2)^2
                     cutoff^2 / 6 and 0 beyond the cutoff

Each of them is written twice, for a residual below its scale and above, so that no square overflows where the value
is a number and nothing cancels. `where` sends 0 times the slope into the branch not taken: a residual that belongs
to the other branch is replaced first.
"""

from math import exp, inf, log, sqrt

from lossmith.ops import A, Ops
from lossmith.settings import NonNegative, Positive
from lossmith.spec import Claims, formula

LOG_2 = log(2.0)


@formula(
    shapes="..., ... -> ...",
    kinds=("real", "real"),
    source="Girshick 2015, https://arxiv.org/abs/1504.08083",
    claims=Claims(zero_at_match=True, even=True, convex=True, monotone=True, grad_bound=1.0),
)
def smooth_l1(ops: Ops[A], pred: A, target: A, *, beta: A | NonNegative = 1.0) -> A:
    """Smooth L1 loss of the residual, elementwise: the Huber loss divided by its delta.

    Shapes    pred, target: (...) equal; result: (...)
    Unit      the unit of pred
    Range     [0, inf); 0 exactly when pred == target
    Gradient  r / beta for |r| < beta, sign r beyond: continuous, but for beta = 0; 0 at r = 0
    Limits    r = +-inf gives inf with gradient +-1; NaN gives NaN, its gradient is the reader's
    Keywords  beta >= 0: where the parabola becomes a line, in the unit of pred; 0 is the absolute error
    Source    Girshick 2015, https://arxiv.org/abs/1504.08083

    >>> import numpy as np
    >>> smooth_l1(np.array([3.0, 0.5]), np.array([0.0, 0.0]), beta=2.0)
    array([2.    , 0.0625])
    """
    a = ops.abs(pred - target)
    if isinstance(beta, (int, float)) and beta == 0:
        return a
    near = ops.where(a < beta, a, 0.0)
    return ops.where(a < beta, 0.5 * near * (near / beta), a - 0.5 * beta)


@formula(
    shapes="..., ... -> ...",
    kinds=("real", "real"),
    source="Charbonnier et al. 1994, https://doi.org/10.1109/ICIP.1994.413553",
    claims=Claims(zero_at_match=True, even=True, convex=True, smooth=True, monotone=True, grad_bound=1.0),
)
def charbonnier(ops: Ops[A], pred: A, target: A, *, scale: Positive = 1.0) -> A:
    """Charbonnier loss of the residual, elementwise: a parabola near 0, the absolute error far away.

    It is also called pseudo-Huber, up to a factor. Where sqrt(r^2 + eps^2) is used, that is this loss plus a constant.

    Shapes    pred, target: (...) equal; result: (...)
    Unit      the unit of pred
    Range     [0, inf); 0 exactly when pred == target
    Gradient  r / sqrt(r^2 + scale^2): smooth everywhere, 0 at r = 0
    Limits    r = +-inf gives inf with gradient +-1; NaN gives NaN
    Keywords  scale > 0: where the parabola turns into a line, in the unit of pred; 1e-3 in image restoration
    Source    Charbonnier et al. 1994, https://doi.org/10.1109/ICIP.1994.413553

    >>> import numpy as np
    >>> charbonnier(np.array([3.0, 0.0]), np.array([-1.0, 0.0]), scale=3.0)
    array([2., 0.])
    """
    a = ops.abs(pred - target)
    near = ops.where(a < scale, a, scale)
    far = ops.where(a < scale, ops.full_like(a, scale), a)
    w, q = near / scale, scale / far
    small = near * (w / (1.0 + ops.sqrt(1.0 + ops.square(w))))
    large = (far - scale) + scale * (q / (1.0 + ops.sqrt(1.0 + ops.square(q))))
    return ops.where(a < scale, small, large)


def _cauchy_bound(scale: float) -> float:
    return sqrt(0.5) / scale


@formula(
    shapes="..., ... -> ...",
    kinds=("real", "real"),
    source="Holland and Welsch 1977, https://doi.org/10.1080/03610927708827533",
    claims=Claims(zero_at_match=True, even=True, smooth=True, monotone=True, grad_bound=_cauchy_bound),
)
def cauchy(ops: Ops[A], pred: A, target: A, *, scale: Positive = 1.0) -> A:
    """Cauchy (Lorentzian) loss of the residual, elementwise: it grows like a logarithm.

    Shapes    pred, target: (...) equal; result: (...)
    Unit      dimensionless
    Range     [0, inf); 0 exactly when pred == target
    Gradient  r / scale^2 / (1 + z^2 / 2): largest at |r| = sqrt(2) scale, and falling like 2 / r
    Limits    r = +-inf gives inf with gradient 0; NaN gives NaN
    Keywords  scale > 0: in the unit of pred; for smaller residuals it is r^2 / (2 scale^2)
    Source    Holland and Welsch 1977, https://doi.org/10.1080/03610927708827533

    >>> import numpy as np
    >>> cauchy(np.array([2.0, 1e30]), np.array([0.0, 0.0])).round(6)
    array([  1.098612, 137.461958])
    """
    z = ops.abs(pred - target) / scale
    near = z < 1e4
    far = ops.where(near, ops.full_like(z, 1e4), z)
    small = ops.log1p(0.5 * ops.square(ops.where(near, z, 0.0)))
    large = 2.0 * ops.log(far) - LOG_2 + ops.log1p(2.0 * ops.square(1.0 / far))
    return ops.where(near, small, large)


def _welsch_bound(scale: float) -> float:
    return exp(-0.5) / scale


@formula(
    shapes="..., ... -> ...",
    kinds=("real", "real"),
    source="Dennis and Welsch 1978, https://doi.org/10.1080/03610917808812083",
    claims=Claims(
        range=(0.0, 1.0), zero_at_match=True, even=True, smooth=True, monotone=True, grad_bound=_welsch_bound
    ),
)
def welsch(ops: Ops[A], pred: A, target: A, *, scale: Positive = 1.0) -> A:
    """Welsch (Leclerc) loss of the residual, elementwise: an outlier costs 1 and has no pull.

    Shapes    pred, target: (...) equal; result: (...)
    Unit      dimensionless
    Range     [0, 1]; 0 exactly when pred == target
    Gradient  r / scale^2 e^(-z^2 / 2): largest at |r| = scale; smaller than float64 can tell from |r| = 39 scale on
    Limits    r = +-inf gives 1 with gradient 0; NaN gives NaN
    Keywords  scale > 0: in the unit of pred; for smaller residuals it is r^2 / (2 scale^2)
    Source    Dennis and Welsch 1978, https://doi.org/10.1080/03610917808812083

    >>> import numpy as np
    >>> welsch(np.array([1.0, 30.0]), np.array([0.0, 0.0])).round(6)
    array([0.393469, 1.      ])
    """
    return welsch_of(ops, ops.abs(pred - target) / scale)


def welsch_of(ops: Ops[A], z: A) -> A:
    """1 - e^(-z^2 / 2)."""
    half = 0.5 * ops.square(ops.minimum(z, 100.0))  # e^-5000 is 0
    # the gradient of expm1 is rounded as value + 1 is, which is 0 long before e^-half is
    return ops.where(half < 1.0, -ops.expm1(-ops.where(half < 1.0, half, 0.0)), 1.0 - ops.exp(-half))


def _geman_bound(scale: float) -> float:
    return 3.0 * sqrt(3.0) / 8.0 / scale


@formula(
    shapes="..., ... -> ...",
    kinds=("real", "real"),
    source="Geman and McClure 1987, Statistical methods for tomographic image reconstruction; in this scaling Barron "
    "2019, https://arxiv.org/abs/1701.03077",
    claims=Claims(range=(0.0, 2.0), zero_at_match=True, even=True, smooth=True, monotone=True, grad_bound=_geman_bound),
)
def geman_mcclure(ops: Ops[A], pred: A, target: A, *, scale: Positive = 1.0) -> A:
    """Geman-McClure loss of the residual, elementwise: an outlier costs at most 2.

    Shapes    pred, target: (...) equal; result: (...)
    Unit      dimensionless
    Range     [0, 2]; 0 exactly when pred == target
    Gradient  16 r / scale^2 / (z^2 + 4)^2: largest at |r| = 2 / sqrt(3) scale, and falling like 16 scale^2 / r^3
    Limits    r = +-inf gives 2 with gradient 0; NaN gives NaN
    Keywords  scale > 0: in the unit of pred; for smaller residuals it is r^2 / (2 scale^2)
    Source    Geman and McClure 1987, Statistical methods for tomographic image reconstruction

    >>> import numpy as np
    >>> geman_mcclure(np.array([2.0, 1e30]), np.array([0.0, 0.0]))
    array([1., 2.])
    """
    z = ops.abs(pred - target) / scale
    near = z < 2.0
    u = ops.square(0.5 * ops.where(near, z, 0.0))
    q = ops.square(2.0 / ops.where(near, ops.full_like(z, 2.0), z))
    return ops.where(near, 2.0 * (u / (1.0 + u)), 2.0 / (1.0 + q))


def _tukey_bound(cutoff: float) -> float:
    return 16.0 * cutoff / (25.0 * sqrt(5.0))


@formula(
    shapes="..., ... -> ...",
    kinds=("real", "real"),
    source="Beaton and Tukey 1974, https://doi.org/10.1080/00401706.1974.10489171",
    claims=Claims(range=(0.0, inf), zero_at_match=True, even=True, smooth=True, monotone=True, grad_bound=_tukey_bound),
)
def tukey(ops: Ops[A], pred: A, target: A, *, cutoff: Positive = 4.685) -> A:
    """Tukey's biweight of the residual, elementwise: beyond the cutoff a residual has no influence at all.

    Shapes    pred, target: (...) equal; result: (...)
    Unit      the squared unit of pred
    Range     [0, cutoff^2 / 6]; 0 exactly when pred == target
    Gradient  r (1 - (r / cutoff)^2)^2 up to the cutoff, 0 beyond: smooth everywhere
    Limits    r = +-inf gives cutoff^2 / 6 with gradient 0; NaN gives NaN
    Keywords  cutoff > 0, in the unit of pred; 4.685 standard deviations keep 95 % efficiency on normal residuals
    Source    Beaton and Tukey 1974, https://doi.org/10.1080/00401706.1974.10489171

    >>> import numpy as np
    >>> tukey(np.array([1.0, 100.0]), np.array([0.0, 0.0]), cutoff=3.0).round(6)
    array([0.446502, 1.5     ])
    """
    a = ops.minimum(ops.abs(pred - target), cutoff)
    u = ops.square(a / cutoff)
    left = ((cutoff - a) / cutoff) * ((cutoff + a) / cutoff)  # 1 - u, which rounds to nothing close to the cutoff
    small, large = u * (3.0 - u * (3.0 - u)), 1.0 - ops.square(left) * left
    return cutoff * cutoff / 6.0 * ops.where(u < 0.5, small, large)
