"""Losses that draw two views of a sample together and the dimensions of an embedding apart. B samples, D dimensions.

    barlow_twins   sum_i (1 - c_ii)^2 + off_diagonal_weight sum_{i != j} c_ij^2
                   c_ij the correlation over the batch of dimension i of one view with dimension j of the other
    vicreg         invariance_weight / (B D) sum (z - z')^2
                   + variance_weight [v(z) + v(z')] + covariance_weight [k(z) + k(z')]
                   v(z) = 1/D sum_j max(0, gamma - sqrt(Var z_j + eps)),   k(z) = 1/D sum_{i != j} Cov(z_i, z_j)^2

A dimension is centred in two steps, its largest entry first: that difference is exact for a dimension that is
constant, of which nothing may be left, since a correlation enlarges whatever is left. Both sums over i != j are over
the D x D matrix without its diagonal; to subtract the diagonal from the whole would cancel.
"""

from math import inf

from lossmith.formulas.terms import unit
from lossmith.ops import A, Ops, across, across_max
from lossmith.settings import NonNegative, Positive
from lossmith.spec import Claims, Outcome, formula

BATCH = "... N D, ... N D -> ..."


@formula(
    shapes=BATCH,
    kinds=("embedding", "embedding"),
    source="Zbontar et al. 2021, https://arxiv.org/abs/2103.03230",
    claims=Claims(scale_invariant=True),
    coupled="N",
)
def barlow_twins(
    ops: Ops[A], first: A, second: A, *, off_diagonal_weight: NonNegative = 0.005, kept: A | None = None
) -> Outcome[A]:
    """Barlow Twins: the cross-correlation of two views is drawn to the identity.

    Shapes    first, second: (..., N, D) equal; result: (...), one value a batch; terms on_diagonal and off_diagonal:
              (...), which add up to it; counts: 0 with fewer than two samples, else 1
    Unit      none
    Range     [0, inf)
    Gradient  through the standardised dimensions: it grows as 1 / (standard deviation of a dimension)
    Limits    a dimension that is constant over the batch has correlation 0 with everything, and gradient 0; one
              sample has no correlation: value 0, count 0
    Keywords  off_diagonal_weight: the paper's lambda
    Source    Zbontar et al. 2021, https://arxiv.org/abs/2103.03230

    >>> import numpy as np
    >>> batch = np.array([[[1.0, 0.0], [-1.0, 0.0]]]), np.array([[[3.0, 1.0], [1.0, -1.0]]])
    >>> barlow_twins(*batch).round(6)
    array([1.005])
    """
    # halved, so that no difference overflows; a correlation has no scale
    u, v = (unit(ops, ops.matrix_transpose(_centred(ops, 0.5 * x, kept)), shared=True) for x in (first, second))
    enough = ~(_number(ops, first, kept) < 2.0)
    own, matrix = across(ops, ops.sum(u * v, axis=-1)), across(ops, ops.matmul(u, ops.matrix_transpose(v)))
    on = ops.where(enough, ops.sum(ops.square(1.0 - own), axis=-1), 0.0)
    off = ops.where(enough, off_diagonal_weight * _off_diagonal(ops, matrix), 0.0)
    counts = ops.where(enough, ops.full_like(on, 1.0), 0.0)
    return Outcome(on + off, counts=counts, terms={"on_diagonal": on, "off_diagonal": off})


@formula(
    shapes=BATCH,
    kinds=("embedding", "embedding"),
    source="Bardes, Ponce and LeCun 2022, https://arxiv.org/abs/2105.04906",
    claims=Claims(),
    coupled="N",
)
def vicreg(
    ops: Ops[A],
    first: A,
    second: A,
    *,
    invariance_weight: NonNegative = 25.0,
    variance_weight: NonNegative = 25.0,
    covariance_weight: NonNegative = 1.0,
    gamma: Positive = 1.0,
    eps: NonNegative = 1e-4,
    kept: A | None = None,
) -> Outcome[A]:
    """VICReg: views alike, every dimension spread out, no two dimensions alike; weights as in its Algorithm 1.

    Shapes    first, second: (..., N, D) equal; result: (...), one value a batch; terms invariance, variance and
              covariance: (...), with their weights: they add up to it
    Unit      none
    Range     [0, inf)
    Gradient  of a standard deviation s at most 1 / sqrt(B - 1) in an entry; 0 where a dimension is constant, and
              where s reaches gamma
    Limits    one sample has neither variance nor covariance: the invariance is left. The eps of the paper is part
              of its definition: a collapsed dimension has s = sqrt(eps). At eps 0 it has s = 0 with gradient 0
    Keywords  invariance_weight, variance_weight, covariance_weight: the paper's lambda, mu, nu; gamma > 0: how far
              a dimension should spread; eps >= 0: added to the variance under the root
    Source    Bardes, Ponce and LeCun 2022, https://arxiv.org/abs/2105.04906

    >>> import numpy as np
    >>> batch = np.array([[[1.0, 0.0], [-1.0, 0.0]]]), np.array([[[1.0, 0.0], [-1.0, 0.0]]])
    >>> vicreg(*batch).round(6)
    array([24.75])
    """
    number = _number(ops, first, kept)
    enough = ~(number < 2.0)
    less = ops.where(enough, number - 1.0, 1.0)
    invariance = across(ops, ops.sum(_mean(ops, ops.square(first - second)), axis=-1)) / ops.maximum(number, 1.0)
    sides = [_spread(ops, _centred(ops, x, kept), less, gamma, eps) for x in (first, second)]
    terms = {
        "invariance": invariance_weight * invariance,
        "variance": ops.where(enough, variance_weight * (sides[0][0] + sides[1][0]), 0.0),
        "covariance": covariance_weight * (sides[0][1] + sides[1][1]),
    }
    return Outcome(terms["invariance"] + terms["variance"] + terms["covariance"], terms=terms)


def _spread(ops: Ops[A], rows: A, less: A, gamma: float, eps: float) -> tuple[A, A]:
    """What the deviations of centred rows lack to gamma, and their covariances squared: both by dimension."""
    less = ops.expand_dims(less, axis=-1)
    columns = ops.matrix_transpose(rows)
    short = gamma - _deviation(ops, columns, less, eps)
    lack = _mean(ops, ops.where(short > 0.0, short, 0.0))
    covariance = across(ops, ops.matmul(columns, rows)) / ops.expand_dims(less, axis=-1)
    return lack, _off_diagonal(ops, covariance) / ops.sum(ops.full_like(short, 1.0), axis=-1)


def _deviation(ops: Ops[A], columns: A, less: A, eps: float) -> A:
    """sqrt(sum x^2 / less + eps) along the last axis, of numbers over the largest: no square over- or underflows."""
    largest = ops.maximum(across_max(ops, ops.stop_gradient(ops.max(ops.abs(columns), axis=-1))), eps**0.5)
    there = ops.truth(largest)
    scale = ops.where(ops.isfinite(largest) & there, largest, 1.0)
    squares = across(ops, ops.sum(ops.square(columns / ops.expand_dims(scale, axis=-1)), axis=-1)) / less
    squares = squares + ops.square(eps**0.5 / scale)
    return ops.where(there, scale * ops.sqrt(ops.where(there, squares, 1.0)), 0.0)


def _centred(ops: Ops[A], x: A, kept: A | None) -> A:
    """x without the mean of each dimension over the samples that are kept; 0 in the others, and in one more row.

    The row more gives a batch without samples a largest entry.
    """
    number = _wide(ops, ops.maximum(_number(ops, x, kept), 1.0))
    rows = (
        ops.full_like(x, 1.0) if kept is None else ops.where(ops.expand_dims(kept, axis=-1), ops.full_like(x, 1.0), 0.0)
    )
    nothing = ops.full_like(ops.sum(x, axis=-2, keepdims=True), 0.0)
    there = ops.truth(ops.concat([rows, nothing], axis=-2))
    x = ops.concat([x, nothing], axis=-2)
    top = across_max(ops, ops.stop_gradient(ops.max(ops.where(there, x, -inf), axis=-2, keepdims=True)))
    below = ops.where(there, x - ops.where(ops.isfinite(top), top, 0.0), 0.0)
    return ops.where(there, below - across(ops, ops.sum(below, axis=-2, keepdims=True)) / number, 0.0)


def _number(ops: Ops[A], x: A, kept: A | None) -> A:
    """How many samples are kept, (...)."""
    ones = ops.full_like(x[..., 0], 1.0)
    return across(ops, ops.sum(ones if kept is None else ops.where(kept, ones, 0.0), axis=-1))


def _wide(ops: Ops[A], x: A) -> A:
    """With two more axes of length 1."""
    return ops.expand_dims(ops.expand_dims(x, axis=-1), axis=-1)


def _mean(ops: Ops[A], x: A) -> A:
    """The mean over the last axis."""
    return ops.sum(x, axis=-1) / ops.sum(ops.full_like(x, 1.0), axis=-1)


def _off_diagonal(ops: Ops[A], matrix: A) -> A:
    """The sum of the squares beside the diagonal."""
    itself = ops.one_hot(ops.positions(matrix, axis=-2), matrix)
    return ops.sum(ops.sum(ops.square(ops.where(~itself, matrix, 0.0)), axis=-1), axis=-1)
