"""A classifier whose embeddings are to be alike within a class and at right angles between classes.

    batch_similarity   -log p_y  +  strength / (N - 1) sum_{j != i} (s_ij - [y_i = y_j])^2

with the cosines s_ij of the embeddings of a batch. No array of N x N is made: with z the unit embeddings, S_c the sum
of those of class c and n_c their number, the sum over all j is

    z_i' (Z'Z) z_i  -  2 z_i S_y  +  n_y

in arrays of D x D and C x D; over the whole batch |ZZ'|^2 = |Z'Z|^2. The pair of a sample with itself is taken out:
(z_i z_i - 1)^2 is 0, or 1 for a zero embedding.
"""

from lossmith.formulas.margins import labelled_cost
from lossmith.formulas.terms import unit
from lossmith.ops import A, Ops, across
from lossmith.settings import NonNegative
from lossmith.spec import Claims, Outcome, formula


@formula(
    shapes="... N C, ... N D, ... N -> ... N",
    kinds=("logits", "embedding", "index"),
    source="Cristianini et al. 2001, On Kernel-Target Alignment, NIPS 14, in the form of a squared difference",
    claims=Claims(),
    coupled="N",
)
def batch_similarity(
    ops: Ops[A], pred: A, embedding: A, target: A, *, strength: NonNegative = 1.0, kept: A | None = None
) -> Outcome[A]:
    """Cross-entropy, and the mean squared difference of the batch's cosines from its same-class matrix.

    Shapes    pred: (..., N, C); embedding: (..., N, D); target: labels (..., N); result: (..., N)
    Unit      nats for the first part; the second is dimensionless
    Range     [0, inf)
    Gradient  in a logit p - t; in an embedding across it, 0 for a zero embedding
    Limits    a sample alone in its batch has no pair, and costs its cross-entropy; a zero embedding has cosine 0 to
              all; a label out of range gives NaN. The terms are `classification` and `similarity`, the latter
              without its strength; where all cosines are right it is 0 up to the rounding of N
    Keywords  strength >= 0: of the second part
    Source    Cristianini et al. 2001, On Kernel-Target Alignment, NIPS 14, in the form of a squared difference

    >>> import numpy as np
    >>> logits, points = np.zeros((3, 2)), np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    >>> batch_similarity(logits, points, np.array([0, 0, 1])).round(6)
    array([0.773147, 1.093147, 1.013147])
    """
    hot = ops.one_hot(target, pred)
    cost = labelled_cost(ops, pred, hot)
    one = unit(ops, embedding)
    alike = _alike(ops, one, ops.astype(hot, pred), _ones(ops, cost, kept))
    if kept is not None:
        cost, alike = ops.where(kept, cost, 0.0), ops.where(kept, alike, 0.0)
    return Outcome(cost + strength * alike, terms={"classification": cost, "similarity": alike})


def _ones(ops: Ops[A], like: A, kept: A | None) -> A:
    ones = ops.full_like(like, 1.0)
    return ones if kept is None else ops.where(kept, ones, 0.0)


def _alike(ops: Ops[A], one: A, hot: A, here: A) -> A:
    """The mean of (s_ij - [y_i = y_j])^2 over the other samples j that are `here`, for each i."""
    column = ops.expand_dims(here, axis=-1)
    own, classes = one * column, hot * column
    gram = across(ops, ops.matmul(ops.matrix_transpose(own), own))
    squares = ops.sum(ops.matmul(one, gram) * one, axis=-1)
    sums = across(ops, ops.matmul(ops.matrix_transpose(classes), own))
    products = ops.sum(one * ops.matmul(hot, sums), axis=-1)
    members = ops.sum(hot * across(ops, ops.sum(classes, axis=-2, keepdims=True)), axis=-1)
    length = ops.sum(ops.square(one), axis=-1)
    whole = squares - 2.0 * products + members - ops.square(length - 1.0) * here
    others = across(ops, ops.sum(here, axis=-1, keepdims=True)) - 1.0
    return ops.maximum(whole, 0.0) / ops.maximum(others, 1.0)
