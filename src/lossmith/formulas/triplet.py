"""Losses of triplets: an anchor is nearer to its positive than to its negative, by a margin. d is the distance.

    triplet_margin   max(0, margin + d(a, p) - d(a, n));  swap: min(d(a, n), d(p, n)) in place of d(a, n)
    triplet_mined    the same on triplets out of a batch with labels, in one of three ways

Mining, for an anchor with positives P and negatives N:

    batch_all    every (p, n) of P x N that costs something; the value is their mean, its count their number
    batch_hard   the farthest positive and the nearest negative
    semi_hard    for each p the nearest negative farther than p, or the farthest of all where none is; the value is
                 the mean over P, its count the number of P

batch_hard computes the distances of its triplets from the residuals. The other two need all distances of the batch:
without an array of N x N x D, |a|^2 + |b|^2 - 2 a b gives them with an error of an ulp of |a|^2. The origin is
therefore laid into the batch: for two samples of a class it is the first one of that class, for others the first of
the batch. What is lost is relative to the width of the class, or of the batch, and not to how far away it lies.

Sums over triplets come from sorted rows, in N^2 log N:

    sum over d_n < t of (t - d_n)  =  k t - (the sum of the k smallest d_n),   t = d_p + margin
"""

from math import inf
from typing import Literal

from lossmith.formulas.batch import Pairs, counted, number, padded, pairs, rows, size_of
from lossmith.formulas.contrastive import distance
from lossmith.ops import A, Ops
from lossmith.settings import Positive
from lossmith.spec import Claims, Outcome, formula

Mining = Literal["batch_all", "batch_hard", "semi_hard"]


@formula(
    shapes="... D, ... D, ... D -> ...",
    kinds=("embedding", "embedding", "embedding"),
    source="Weinberger and Saul 2009, https://jmlr.org/papers/v10/weinberger09a.html; distances not squared, and swap: "
    "Balntas et al. 2016, https://doi.org/10.5244/C.30.119",
    claims=Claims(),
)
def triplet_margin(
    ops: Ops[A],
    anchor: A,
    positive: A,
    negative: A,
    *,
    margin: Positive = 1.0,
    p: Literal[1, 2] = 2,
    swap: bool = False,
) -> Outcome[A]:
    """Triplet margin loss: the positive is to be nearer than the negative, by a margin.

    Shapes    anchor, positive, negative: (..., D) equal; result: (...)
    Unit      the unit of the embeddings
    Range     [0, inf); 0 where the negative is farther than the positive by the margin or more
    Gradient  in the anchor the difference of two unit vectors (p = 1: of two vectors of signs); 0 for a distance of
              0, where its direction is undefined, and where the negative is farther by the margin exactly. With
              swap, anchor and positive equally near to the negative: that of the anchor's distance
    Limits    the term `active` is the number of triplets that cost something
    Keywords  margin > 0, in the unit of the embeddings; p: 2 for Euclidean distances, 1 for sums of absolute
              differences; swap: the nearer of anchor and positive to the negative counts
    Source    Weinberger and Saul 2009, https://jmlr.org/papers/v10/weinberger09a.html; distances not squared, and
              swap: Balntas et al. 2016, https://doi.org/10.5244/C.30.119

    >>> import numpy as np
    >>> triplet_margin(np.array([0.0, 0.0]), np.array([0.3, 0.4]), np.array([0.0, 1.25])).round(6)
    np.float64(0.25)
    """

    def apart(one: A, other: A) -> A:
        return distance(ops, one, other) if p == 2 else ops.sum(ops.abs(one - other), axis=-1)

    far = apart(anchor, negative)
    if swap:
        other = apart(positive, negative)
        far = ops.where(other < far, other, far)
    value = _hinge(ops, margin + (apart(anchor, positive) - far))
    return Outcome(value, terms={"active": value > 0.0})


@formula(
    shapes="... N D, ... N -> ... N",
    kinds=("embedding", "index"),
    source="batch-all, batch-hard: Hermans, Beyer and Leibe 2017, https://arxiv.org/abs/1703.07737; semi-hard: "
    "Schroff, Kalenichenko and Philbin 2015, https://arxiv.org/abs/1503.03832",
    claims=Claims(),
    coupled="N",
)
def triplet_mined(
    ops: Ops[A],
    embedding: A,
    target: A,
    *,
    margin: Positive = 1.0,
    mining: Mining = "batch_hard",
    kept: A | None = None,
) -> Outcome[A]:
    """Triplet margin loss on triplets that are chosen out of a batch with labels; one value for each anchor.

    Shapes    embedding: (..., N, D); target: labels (..., N) of an integer dtype; result: (..., N)
    Unit      the unit of the embeddings, which are not normalised here
    Range     [0, inf)
    Gradient  that of the chosen triplets: the choice itself has none
    Limits    an anchor without a positive or without a negative has value 0 and count 0: no mean contains it;
              the term `active` is the number of triplets that cost something
    Keywords  margin > 0, in the unit of the embeddings; mining: batch_all (the mean is over the triplets that cost
              something), batch_hard (over the anchors), semi_hard (over the pairs of anchor and positive)
    Source    batch-all, batch-hard: Hermans, Beyer and Leibe 2017, https://arxiv.org/abs/1703.07737; semi-hard:
              Schroff, Kalenichenko and Philbin 2015, https://arxiv.org/abs/1503.03832

    >>> import numpy as np
    >>> points = np.array([[0.0], [0.5], [1.0], [3.0]])
    >>> triplet_mined(points, np.array([0, 0, 1, 1]), mining="batch_hard")
    array([0.5, 1. , 2.5, 0.5])
    """
    apart = _distances(ops, embedding, target)
    pair = pairs(ops, target, apart, kept)
    if mining == "batch_hard":
        return _hard(ops, embedding, ops.stop_gradient(apart), pair, margin)
    return (_all if mining == "batch_all" else _semi_hard)(ops, apart, pair, margin)


def _hard(ops: Ops[A], embedding: A, apart: A, pair: Pairs[A], margin: float) -> Outcome[A]:
    near, far = (
        distance(ops, embedding, rows(ops, embedding, ops.argmax(padded(ops, level), axis=-1)))
        for level in (ops.where(pair.positive, apart, -inf), ops.where(pair.negative, -apart, -inf))
    )
    return of_triplets(ops, near, far, pair.complete, margin)


def of_triplets(ops: Ops[A], positive: A, negative: A, complete: A, margin: float) -> Outcome[A]:
    """What one triplet for each anchor costs, of its two distances; anchors that are not complete do not count."""
    value = ops.where(complete, _hinge(ops, margin + (positive - negative)), 0.0)
    return _outcome(ops, value, number(ops, complete, value), number(ops, value > 0.0, value))


def _all(ops: Ops[A], apart: A, pair: Pairs[A], margin: float) -> Outcome[A]:
    triplets = counted(ops, pair.positive, apart) * counted(ops, pair.negative, apart)
    # the sum over all triplets of an anchor may overflow where their mean does not
    part = 1.0 / ops.expand_dims(ops.maximum(triplets, 1.0), axis=-1)
    reach = apart + margin
    levels, below = _ranked(ops, ops.where(pair.negative, apart, inf), reach)
    sums = ops.cumulative_sum(part * levels, axis=-1)
    sums = ops.concat([ops.full_like(ops.sum(sums, axis=-1, keepdims=True), 0.0), sums], axis=-1)
    count = ops.astype(below, apart)
    over = count * (part * reach) - ops.take_along_axis(sums, below, axis=-1)
    whole = ops.sum(ops.where(pair.positive, _hinge(ops, over), 0.0), axis=-1)
    active = ops.sum(ops.where(pair.positive, count, 0.0), axis=-1)
    value = whole * (ops.maximum(triplets, 1.0) / ops.maximum(active, 1.0))
    return _outcome(ops, value, active, active)


def _semi_hard(ops: Ops[A], apart: A, pair: Pairs[A], margin: float) -> Outcome[A]:
    # the farthest negative first: the one before the first that is no farther than the positive, or the first
    levels, farther = _ranked(ops, ops.where(pair.negative, -apart, inf), -apart)
    place = ops.where(farther < 1, farther, farther - 1)
    far = -ops.take_along_axis(levels, place, axis=-1)
    here = pair.positive & ops.expand_dims(pair.complete, axis=-1)
    each = ops.where(here, _hinge(ops, margin + (apart - far)), 0.0)
    counts = counted(ops, here, apart)
    value = ops.sum(each / ops.expand_dims(ops.maximum(counts, 1.0), axis=-1), axis=-1)
    return _outcome(ops, value, counts, counted(ops, each > 0.0, apart))


def _hinge(ops: Ops[A], gap: A) -> A:
    """max(0, gap), with gradient 0 at 0."""
    return ops.where(gap <= 0.0, ops.full_like(gap, 0.0), gap)


def _outcome(ops: Ops[A], value: A, counts: A, active: A) -> Outcome[A]:
    whole = ops.sum(ops.astype(active, ops.positions(value, axis=-1)))  # as integers: float16 ends at 65504
    return Outcome(value, counts=counts, terms={"active": whole})


def _distances(ops: Ops[A], x: A, target: A) -> A:
    """The distances of all pairs (..., N, N), with gradient 0 where they are 0."""
    same = ops.equal(ops.expand_dims(target, axis=-1), ops.expand_dims(target, axis=-2))
    row = ops.expand_dims(ops.sum(x, axis=-1), axis=-2)
    first = ops.argmax(padded(ops, number(ops, same, row)), axis=-1)
    within, across = (
        _gram_distances(ops, x - ops.stop_gradient(origin)) for origin in (rows(ops, x, first), x[..., :1, :])
    )
    return ops.where(same, within, across)


def _gram_distances(ops: Ops[A], x: A) -> A:
    size = size_of(ops, x)
    scaled = x / size
    squares = ops.sum(ops.square(scaled), axis=-1)
    both = ops.expand_dims(squares, axis=-1) + ops.expand_dims(squares, axis=-2)
    squared = both - 2.0 * ops.matmul(scaled, ops.matrix_transpose(scaled))
    apart = ~(squared <= 0.0)  # True for NaN as well
    return ops.where(apart, size * ops.sqrt(ops.where(apart, squared, 1.0)), 0.0)


def _ranked(ops: Ops[A], levels: A, bounds: A) -> tuple[A, A]:
    """The levels of each row in rising order, inf as 0, and how many levels lie below each bound of the row."""
    rising = ops.take_along_axis(levels, ops.argsort(levels, axis=-1), axis=-1)
    merged = ops.argsort(ops.argsort(ops.concat([bounds, levels], axis=-1), axis=-1), axis=-1)
    first = ops.where(ops.truth(ops.full_like(bounds, 1.0)), ops.positions(bounds, axis=-1), 0)
    among_all = ops.take_along_axis(merged, first, axis=-1)
    among_bounds = ops.argsort(ops.argsort(bounds, axis=-1), axis=-1)
    return ops.where(ops.isfinite(rising), rising, 0.0), among_all - among_bounds
