"""What losses on a batch of labelled embeddings share: which samples pair up, and sums and maxima over the pairs.

A matrix has one row for each sample as an anchor, and one column for each partner. A batch may be empty: a maximum
over a row is taken with one more entry, -inf, which changes none.
"""

from dataclasses import dataclass
from math import inf
from typing import Generic

from lossmith.ops import A, Ops


@dataclass(frozen=True)
class Pairs(Generic[A]):
    """Booleans (..., N, N): partners of the anchor's class, and of another; (..., N): anchors that have both."""

    positive: A
    negative: A
    complete: A


def pairs(ops: Ops[A], target: A, like: A, kept: A | None, *, with_self: bool = False) -> Pairs[A]:
    """The pairs of a batch, those of a sample with itself left out; `like` is any matrix of the batch."""
    same = ops.equal(ops.expand_dims(target, axis=-1), ops.expand_dims(target, axis=-2))
    positive, negative = same, ~same
    if not with_self:
        positive = positive & ~itself(ops, target)
    if kept is not None:
        both = ops.expand_dims(kept, axis=-1) & ops.expand_dims(kept, axis=-2)
        positive, negative = positive & both, negative & both
    complete = ops.truth(counted(ops, positive, like)) & ops.truth(counted(ops, negative, like))
    return Pairs(positive, negative, complete)


def itself(ops: Ops[A], target: A) -> A:
    """True for the pair of a sample with itself."""
    place = ops.positions(target, axis=-1)
    return ops.equal(ops.expand_dims(place, axis=-1), ops.expand_dims(place, axis=-2))


def counted(ops: Ops[A], chosen: A, like: A) -> A:
    """How many entries of each row are chosen, in the dtype of `like`, which has that shape."""
    return ops.sum(ops.where(chosen, ops.full_like(like, 1.0), 0.0), axis=-1)


def number(ops: Ops[A], chosen: A, like: A) -> A:
    """Booleans as 0 and 1, in the dtype of `like`, whose shape fits theirs."""
    return ops.where(chosen, ops.full_like(like, 1.0), 0.0)


def cosines(ops: Ops[A], first: A, second: A) -> A:
    """The matrix of the products of unit vectors, held between -1 and 1; the rounding beyond has the same gradient."""
    near = ops.matmul(first, ops.matrix_transpose(second))
    return near + ops.stop_gradient(ops.minimum(ops.maximum(near, -1.0), 1.0) - near)


def padded(ops: Ops[A], x: A) -> A:
    """One more entry in each row, -inf."""
    return ops.concat([x, ops.full_like(ops.sum(x, axis=-1, keepdims=True), -inf)], axis=-1)


def log_sum(ops: Ops[A], x: A, chosen: A) -> A:
    """log of the sum of e^x over the chosen entries of each row; -inf, with gradient 0, where there are none."""
    return ops.logsumexp(padded(ops, ops.where(chosen, x, -inf)), axis=-1)


def largest(ops: Ops[A], x: A, chosen: A) -> A:
    """The largest chosen entry of each row, as a column; -inf where there is none."""
    return ops.max(padded(ops, ops.where(chosen, x, -inf)), axis=-1, keepdims=True)


def rows(ops: Ops[A], x: A, index: A) -> A:
    """The row of x (..., N, D) that each entry of `index` (..., N) names."""
    everywhere = ops.truth(ops.full_like(x, 1.0))
    return ops.take_along_axis(x, ops.where(everywhere, ops.expand_dims(index, axis=-1), 0), axis=-2)


def row_sizes(ops: Ops[A], x: A) -> A:
    """A number for each row (..., N, 1) by which it may be divided, so that no square over- or underflows.

    It is 1 where the largest |x| is from 1e-8 to 1e8, so that products of small integers stay exact, and ties are
    ties; else that largest |x|. Constant to differentiation.
    """
    return _divisor(ops, ops.max(ops.abs(x), axis=-1, keepdims=True))


def size_of(ops: Ops[A], x: A) -> A:
    """As `row_sizes`, one number for the whole batch, (..., 1, 1)."""
    top = ops.max(padded(ops, ops.max(ops.abs(x), axis=-1)), axis=-1, keepdims=True)
    return _divisor(ops, ops.expand_dims(top, axis=-1))


def _divisor(ops: Ops[A], top: A) -> A:
    top = ops.stop_gradient(top)
    extreme = ops.isfinite(top) & ops.truth(top) & ((top < 1e-8) | (top > 1e8))
    return ops.where(extreme, top, 1.0)
