"""Penalties on the gradient g of a discriminator's score by its sample, one gradient a sample.

    gradient_penalty       (|g| - norm)^2;  one-sided: max(0, |g| - norm)^2
    zero_centred_penalty   |g|^2 / 2

|g| is the `distance` of g from 0: no square over- or underflows on the way, and at g = 0, where the norm has no
direction, the gradient is 0. A penalty whose square root is taken of a bare sum is NaN there.
"""

from lossmith.formulas.contrastive import distance
from lossmith.ops import A, Ops
from lossmith.settings import Positive
from lossmith.spec import Claims, formula


@formula(
    shapes="... D -> ...",
    kinds=("real",),
    source="Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028",
    claims=Claims(),
)
def gradient_penalty(ops: Ops[A], pred: A, *, norm: Positive = 1.0, one_sided: bool = False) -> A:
    """How far the norm of a gradient is from `norm`, squared: keeps a critic close to Lipschitz.

    Shapes    pred: gradients (..., D), all axes of a sample as one; result: (...)
    Unit      the squared unit of pred
    Range     [0, inf); 0 exactly where |g| = norm
    Gradient  2 (|g| - norm) g / |g|; 0 at g = 0 by convention, though that is a peak
    Limits    an infinite entry gives inf
    Keywords  norm > 0: the norm that costs nothing (0 is `zero_centred_penalty`); one_sided: a smaller one costs
              nothing either
    Source    Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028

    >>> import numpy as np
    >>> gradient_penalty(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([16.,  1.])
    """
    excess = distance(ops, pred, ops.full_like(pred, 0.0)) - norm
    return ops.square(ops.maximum(excess, 0.0) if one_sided else excess)


@formula(
    shapes="... D -> ...",
    kinds=("real",),
    source="Mescheder, Geiger and Nowozin 2018, https://arxiv.org/abs/1801.04406",
    claims=Claims(convex=True, smooth=True),
)
def zero_centred_penalty(ops: Ops[A], pred: A) -> A:
    """Half the squared norm of a gradient: R1 on real samples, R2 on generated ones.

    Shapes    pred: gradients (..., D), all axes of a sample as one; result: (...)
    Unit      the squared unit of pred
    Range     [0, inf); 0 exactly where g = 0
    Gradient  g
    Limits    an infinite entry gives inf
    Source    Mescheder, Geiger and Nowozin 2018, https://arxiv.org/abs/1801.04406

    >>> import numpy as np
    >>> zero_centred_penalty(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([12.5,  0. ])
    """
    return 0.5 * ops.sum(ops.square(pred), axis=-1)
