"""Distances of two images by what a network computes of them: f and g are its features at one layer.

    feature_reconstruction   1 / P sum_p (f_p - g_p)^2                        all P numbers of a layer in one row
    style_reconstruction     |G(f) - G(g)|^2,  G(f)_cd = 1 / (C P) sum_p f_pc f_pd      C channels at P positions

The difference of two Gram matrices over the same positions is a product with r = f - g, which keeps its digits as f
comes close to g: f' f - g' g = r' f + g' r. Features are measured in the largest one, so that only a value that the
dtype cannot hold overflows.
"""

from lossmith.formulas.terms import or_one
from lossmith.ops import A, Ops
from lossmith.spec import Claims, formula

SOURCE = "Johnson, Alahi and Fei-Fei 2016, https://arxiv.org/abs/1603.08155"


@formula(
    shapes="... P, ... P -> ...",
    kinds=("real", "real"),
    source=SOURCE,
    claims=Claims(zero_at_match=True, convex=True, smooth=True),
)
def feature_reconstruction(ops: Ops[A], pred: A, target: A) -> A:
    """Mean squared difference of the features of two images at one layer. Of pixels it is their mean squared error.

    Shapes    pred, target: (..., P) equal: the layer's numbers in one row; result: (...)
    Unit      the squared unit of the features
    Range     [0, inf); 0 exactly where the features are equal
    Gradient  2 (f - g) / P
    Limits    no features cost 0
    Source    Johnson, Alahi and Fei-Fei 2016, https://arxiv.org/abs/1603.08155

    >>> import numpy as np
    >>> feature_reconstruction(np.array([[1.0, 3.0]]), np.array([[0.0, 0.0]]))
    array([5.])
    """
    count = or_one(ops, ops.sum(ops.full_like(pred, 1.0), axis=-1, keepdims=True))
    return ops.sum(ops.square(pred - target) / count, axis=-1)


@formula(
    shapes="... P C, ... Q C -> ...",
    kinds=("real", "real"),
    source=SOURCE,
    claims=Claims(zero_at_match=True, smooth=True),
)
def style_reconstruction(ops: Ops[A], pred: A, target: A) -> A:
    """Squared Frobenius distance of the Gram matrices of two images' features at one layer.

    A Gram matrix has forgotten where a feature was: the images may differ in size.

    Shapes    pred: (..., P, C); target: (..., Q, C): channels last, positions in one row; result: (...)
    Unit      the fourth power of the unit of the features
    Range     [0, inf); 0 where the Gram matrices are equal
    Gradient  4 / (C P) (G(f) - G(g)) f, summed over channels
    Limits    inf where a fourth power of the features is too large for the dtype and the Gram matrices differ
    Source    Johnson, Alahi and Fei-Fei 2016, https://arxiv.org/abs/1603.08155

    >>> import numpy as np
    >>> style_reconstruction(np.array([[[1.0, 0.0], [0.0, 1.0]]]), np.array([[[0.0, 2.0]]])).round(6)
    array([3.125])
    """
    unit = _largest(ops, pred, target)
    f, g = pred / unit, target / unit
    if ops.shape(pred) is not None and ops.shape(pred) == ops.shape(target):
        residual = (pred - target) / unit
        apart = (_products(ops, residual, f) + _products(ops, g, residual)) / _count(ops, f)
    else:
        apart = _products(ops, f, f) / _count(ops, f) - _products(ops, g, g) / _count(ops, g)
    squares = ops.square(apart * unit * unit)
    return ops.sum(ops.sum(squares, axis=-1), axis=-1)


def _products(ops: Ops[A], f: A, g: A) -> A:
    """Channel by channel, summed over positions."""
    return ops.matmul(ops.matrix_transpose(f), g)


def _count(ops: Ops[A], f: A) -> A:
    """How many numbers each sample has, as (..., 1, 1)."""
    ones = ops.full_like(f, 1.0)
    return or_one(ops, ops.sum(ops.sum(ones, axis=-1, keepdims=True), axis=-2, keepdims=True))


def _largest(ops: Ops[A], pred: A, target: A) -> A:
    """The largest feature of both, as (..., 1, 1); 1 where all are 0. The result does not depend on it: no gradient."""
    tops = [ops.max(ops.max(ops.abs(x), axis=-1, keepdims=True), axis=-2, keepdims=True) for x in (pred, target)]
    return ops.stop_gradient(or_one(ops, ops.maximum(*tops)))
