"""BYOL: the prediction of one view and the projection of the other, as directions.

    byol   |u - v|^2 = 2 - 2 cos(pred, target),    u = pred / |pred|,  v = target / |target|, constant

The difference is squared, since 2 - 2 cos rounds to 0 where the two are close, and its gradient with it.
"""

from lossmith.formulas.terms import unit
from lossmith.ops import A, Ops
from lossmith.spec import Claims, formula


@formula(
    shapes="... D, ... D -> ...",
    kinds=("embedding", "embedding"),
    source="Grill et al. 2020, https://arxiv.org/abs/2006.07733",
    claims=Claims(range=(0.0, 4.0), scale_invariant=True),
)
def byol(ops: Ops[A], pred: A, target: A) -> A:
    """Squared distance between the directions of a prediction and of a target that gets no gradient.

    Shapes    pred, target: (..., D) equal; result: (...)
    Unit      none
    Range     [0, 4]: 0 for one direction, 2 for a right angle, 4 for opposite directions
    Gradient  at most 2 / |pred| in size; in target 0, always. The paper's loss is symmetric: the sum of the losses
              of both views, each with the other as its target
    Limits    a zero vector has no direction: it costs 2, as a right angle does, with gradient 0
    Source    Grill et al. 2020, https://arxiv.org/abs/2006.07733

    >>> import numpy as np
    >>> byol(np.array([[2.0, 0.0], [1.0, 1.0]]), np.array([[1.0, 0.0], [1.0, 0.0]])).round(6)
    array([0.      , 0.585786])
    """
    target = ops.stop_gradient(target)
    u, v = unit(ops, pred), unit(ops, target)
    # |u|^2 + |v|^2 is 2, or less by 1 for each zero vector
    lengths = ops.max(ops.abs(pred), axis=-1), ops.max(ops.abs(target), axis=-1)
    both = ops.truth(ops.stop_gradient(lengths[0])) & ops.truth(lengths[1])
    return ops.where(both, ops.sum(ops.square(u - v), axis=-1), 2.0)
