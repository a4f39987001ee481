"""Pieces that several families share: how sure a row of logits is, and products that keep 0 at 0.

Let a be the class with the largest logit and m the margin by which the others together trail it:

    gap_c = x_a - x_c                      0 or more, 0 for the leader
    m     = log sum_{j != a} e^(-gap_j)    -inf with one class
    -log p_c     = gap_c + softplus(m)     the surprisal s_c, in nats
    log(1 - p_a) = -softplus(-m)           for the leader
    log(1 - p_c) = log1p(-e^(-s_c))        for the others, whose p is at most 1/2

Nothing cancels: each sum is of terms of one sign. The usual logsumexp(x) - x_c rounds to 0 as soon as the leader
is ahead by 17 (float32), and its gradient p - t with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log
from typing import Generic, Literal

from lossmith.errors import ShapeError, message
from lossmith.ops import A, Ops, Shape, across, across_max

LOG_2 = log(2.0)
PredIs = Literal["logit", "log_prob", "prob"]


@dataclass(frozen=True)
class Standing(Generic[A]):
    """How the classes of each row stand: who leads, and -log p of each class."""

    leader: A
    margin: A
    surprisal: A


def standing(ops: Ops[A], logits: A) -> Standing[A]:
    """Compare every class with the leader of its row; the classes are the last axis."""
    leader = ops.one_hot(ops.argmax(logits, axis=-1), logits)
    top = ops.sum(ops.where(leader, logits, 0.0), axis=-1, keepdims=True)
    gap = ops.where(~leader, top - logits, 0.0)
    # the leader's own term would be 1, and swallow what is smaller than its rounding
    margin = ops.logsumexp(ops.where(~leader, -gap, -inf), axis=-1, keepdims=True)
    return Standing(leader, margin, gap + ops.softplus(margin))


def log_complement(ops: Ops[A], row: Standing[A]) -> A:
    """log(1 - p) of each class."""
    others = ops.where(~row.leader, row.surprisal, 1.0)  # the leader's may be 0, where this branch has no slope
    return ops.where(row.leader, -ops.softplus(-row.margin), ops.log1p(-ops.exp(-others)))


def surprisal(ops: Ops[A], pred: A, pred_is: PredIs, needed: A) -> A:
    """-log p of each class. Where `needed` is False a probability counts as 1: log has no slope at 0."""
    if pred_is == "logit":
        return standing(ops, pred).surprisal
    return -pred if pred_is == "log_prob" else -ops.log(ops.where(needed, pred, 1.0))


def share(ops: Ops[A], part: A, cost: A) -> A:
    """part * cost; 0 with gradient 0 where `part` is 0, even if the cost is inf there: 0 log 0 = 0."""
    return part * ops.where(ops.truth(part), cost, 0.0)


def complement(ops: Ops[A], cost: A) -> A:
    """1 - e^(-cost) for a cost of 0 or more, with nothing cancelled in the value, nor in the slope e^(-cost).

    Frameworks make the slope of expm1 from its value, which has no digits left of it where the value is nearly -1.
    """
    near = ops.minimum(cost, LOG_2)
    return ops.where(cost < LOG_2, -ops.expm1(-near), 1.0 - ops.exp(-cost))


def or_one(ops: Ops[A], x: A) -> A:
    """x as a divisor: 1 where it is 0."""
    return ops.where(ops.truth(x), x, 1.0)


def fitted(ops: Ops[A], caller: str, name: str, weights: A | float | Sequence[float], like: A) -> A:
    """A keyword that is one number, or one for each class, as an array that broadcasts over the last axis.

    More axes are aligned from the last one, such as (C, 1, 1) for the channels of an image.
    """
    array = ops.asarray(weights, like=like)
    own, full = ops.shape(array), ops.shape(like)
    if own is None or full is None or _expands(own, full):
        return array
    given = {name: own, "classes": full[-1] if full else "no axis"}
    raise ShapeError(message(f"{caller}: {name} must be one number, or one for each class (the last axis)", given))


def _expands(own: Shape, full: Shape) -> bool:
    """Whether one shape broadcasts to the other without enlarging it; a single axis has its full length."""
    if len(own) == 1:
        return own == full[-1:]
    pairs = zip(reversed(own), reversed(full), strict=False)
    return len(own) <= len(full) and all(a in (1, b) or a is None or b is None for a, b in pairs)


def unit(ops: Ops[A], x: A, *, shared: bool = False) -> A:
    """x / |x| along the last axis; the zero vector stays, with gradient 0.

    The length is that of x / max |x|, so that no square over- or underflows. `shared`: the axis is one of samples, of
    which other processes may hold some.
    """
    largest = ops.stop_gradient(ops.max(ops.abs(x), axis=-1, keepdims=True))
    largest = across_max(ops, largest) if shared else largest
    there = ops.truth(largest)  # True for NaN as well, which must not turn into a zero vector
    scaled = x / ops.where(ops.isfinite(largest) & there, largest, 1.0)
    squares = ops.sum(ops.square(scaled), axis=-1, keepdims=True)
    squares = across(ops, squares) if shared else squares
    return ops.where(there, scaled / ops.sqrt(ops.where(there, squares, 1.0)), 0.0)
