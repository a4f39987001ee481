"""Losses of two embeddings of which it is known whether they belong together. y = 1: they do, y = 0: they do not.

    contrastive   y d^2 / 2 + (1 - y) max(0, margin - d)^2 / 2,    d = |first - second|

The distance is computed as M sqrt(sum((r / M)^2)) with M = max |r|, so that no square over- or underflows: in
float32 a distance of 1e-25 would otherwise be 0, and its gradient with it. At d = 0 the direction is undefined and
the gradient is 0 by convention; the square root has no slope there, so 0 is kept out of it.
"""

from lossmith.formulas.terms import share
from lossmith.ops import A, Ops
from lossmith.settings import Positive
from lossmith.spec import Claims, formula


@formula(
    shapes="... D, ... D, ... -> ...",
    kinds=("embedding", "embedding", "soft"),
    source="Hadsell, Chopra and LeCun 2006, https://doi.org/10.1109/CVPR.2006.100",
    claims=Claims(),
)
def contrastive(ops: Ops[A], first: A, second: A, target: A, *, margin: Positive = 1.0) -> A:
    """Pairwise contrastive loss: pulls similar pairs together, pushes others apart up to a margin.

    Shapes    first, second: (..., D) equal; target: (...); result: (...)
    Unit      the squared unit of the embeddings
    Range     [0, inf); 0 for a similar pair at distance 0 and for a dissimilar one at the margin or beyond
    Gradient  in first: (y - (1 - y) max(0, margin - d) / d) (first - second), the opposite in second. Where d = 0
              it is 0 by convention, though a dissimilar pair there is a peak; where d = margin it is continuous
    Limits    d = inf gives inf for a similar pair and 0 for a dissimilar one
    Keywords  margin > 0: the distance from which a dissimilar pair costs nothing, in the unit of the embeddings
    Source    Hadsell, Chopra and LeCun 2006, https://doi.org/10.1109/CVPR.2006.100

    >>> import numpy as np
    >>> pairs = np.array([[0.0, 0.0], [0.0, 0.0]]), np.array([[0.3, 0.4], [0.3, 0.4]])
    >>> contrastive(*pairs, np.array([1.0, 0.0])).round(6)
    array([0.125, 0.125])
    """
    squared = ops.sum(ops.square(first - second), axis=-1)
    hinge = ops.maximum(margin - distance(ops, first, second), 0.0)
    return 0.5 * (share(ops, target, squared) + share(ops, 1.0 - target, ops.square(hinge)))


def distance(ops: Ops[A], first: A, second: A) -> A:
    """The Euclidean distance along the last axis, with gradient 0 where it is 0."""
    residual = first - second
    largest = ops.stop_gradient(ops.max(ops.abs(residual), axis=-1, keepdims=True))
    apart = ops.truth(largest)  # True for NaN as well, which must not turn into a distance of 0
    scale = ops.where(ops.isfinite(largest) & apart, largest, 1.0)
    squares = ops.sum(ops.square(residual / scale), axis=-1, keepdims=True)
    return ops.sum(ops.where(apart, scale * ops.sqrt(ops.where(apart, squares, 1.0)), 0.0), axis=-1)
