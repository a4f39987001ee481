"""Losses that tell the partner of an embedding from the rest of the batch. u, v are embeddings over their length.

    s_ij = u_i . v_j / temperature,    -log p_i = log sum_j e^(s_ij) - s_i+ = softplus(log sum_{j != +} e^(s_ij) - s_i+)

    info_nce   the others j are the partners of the other samples, and embeddings that nobody is a partner of
    nt_xent    the partners of the other samples and these samples themselves, for both embeddings of a sample
    clip       the mean of `info_nce` from the first to the second and back; 1 / temperature is learned
    sup_con    the mean of -log p over all samples of the same class

The softplus is what is left where the partner leads: log sum e^s - s_+ would round to 0 as soon as it leads by 17
(float32), and the gradient with it. An embedding that is removed (the sample itself, one that is not kept) stands in
the sum as e^-inf. One more column of -inf keeps the sum defined where no embedding is left: it is then 0, and
-log p = softplus(-inf) = 0 with gradient 0.

A cosine is right to one rounding of 1, and a logit to 1 / temperature of them.
"""

from collections.abc import Sequence
from math import inf, log

from lossmith.formulas.terms import standing, unit
from lossmith.ops import A, Ops
from lossmith.settings import Positive
from lossmith.spec import Claims, Outcome, formula

START = log(1 / 0.07)  # of the logarithm of CLIP's scale
PAIRED = "... N D, ... N D -> ... N"


@formula(
    shapes=PAIRED,
    kinds=("embedding", "embedding"),
    source="Chen et al. 2020, https://arxiv.org/abs/2002.05709",
    claims=Claims(scale_invariant=True),
    coupled="N",
)
def nt_xent(ops: Ops[A], first: A, second: A, *, temperature: Positive = 0.5, kept: A | None = None) -> A:
    """Normalised temperature-scaled cross-entropy (SimCLR): the two views of a sample among the 2N of the batch.

    Shapes    first, second: (..., N, D) equal, the two views of N samples; result: (..., N), the mean over the two
              anchors of a sample
    Unit      nats
    Range     [0, inf)
    Gradient  of a sum over 2N - 1 cosines, each at most 1 / temperature, through the direction of an embedding: it
              grows as 1 / length. At the zero vector it is 0 by convention
    Limits    one sample (no other to tell it from) costs 0; the zero vector has cosine 0 with everything
    Keywords  temperature > 0: what the cosines are divided by
    Source    Chen et al. 2020, https://arxiv.org/abs/2002.05709

    >>> import numpy as np
    >>> views = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[2.0, 0.0], [0.0, 3.0]])
    >>> nt_xent(*views).round(6)
    array([0.239545, 0.239545])
    """
    u, v = unit(ops, first), unit(ops, second)
    own = ops.sum(u * v, axis=-1) / temperature
    across = _cosines(ops, u, v) / temperature
    rows = [
        _others(ops, [_cosines(ops, u, u) / temperature, across], own, kept),
        _others(ops, [_cosines(ops, v, v) / temperature, ops.matrix_transpose(across)], own, kept),
    ]
    return _left(ops, 0.5 * (ops.softplus(rows[0] - own) + ops.softplus(rows[1] - own)), kept)


@formula(
    shapes="... N D, ... N D, ... M D | ... N M D -> ... N",
    kinds=("embedding", "embedding", "embedding|embedding"),
    source="van den Oord, Li and Vinyals 2018, https://arxiv.org/abs/1807.03748",
    claims=Claims(scale_invariant=True),
    coupled="N",
)
def info_nce(
    ops: Ops[A],
    first: A,
    second: A,
    negatives: A,
    *,
    temperature: Positive = 0.1,
    in_batch: bool = True,
    kept: A | None = None,
) -> A:
    """InfoNCE in one direction: each first among its second, the seconds of the other samples, and further negatives.

    Shapes    first, second: (..., N, D) equal, queries and the positive of each; negatives: (..., M, D) for all
              queries, or (..., N, M, D) for each, and M may be 0; result: (..., N)
    Unit      nats
    Range     [0, inf)
    Gradient  of a sum over the cosines, each at most 1 / temperature, through the direction of an embedding: it
              grows as 1 / length. At the zero vector it is 0 by convention
    Limits    no negative (M = 0, and one sample or in_batch False) costs 0; the zero vector has cosine 0 with
              everything
    Keywords  temperature > 0: what the cosines are divided by; in_batch: whether the positives of the other samples
              are negatives too
    Source    van den Oord, Li and Vinyals 2018, https://arxiv.org/abs/1807.03748

    >>> import numpy as np
    >>> pairs = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[2.0, 0.0], [0.0, 3.0]])
    >>> info_nce(*pairs, np.array([[1.0, 0.0]]), temperature=0.5).round(6)
    array([0.758624, 0.239545])
    """
    u, v = unit(ops, first), unit(ops, second)
    own = ops.sum(u * v, axis=-1) / temperature
    rows = [_others(ops, [_cosines(ops, u, v) / temperature], own, kept)] if in_batch else []
    if (ops.shape(negatives) or ())[-2:-1] != (0,):  # keras takes no largest entry of an array without entries
        rows.append(_all(ops, _given(ops, u, unit(ops, negatives)) / temperature, own))
    rivals = _all(ops, ops.concat([ops.expand_dims(row, axis=-1) for row in rows], axis=-1), own) if rows else None
    return _left(ops, ops.full_like(own, 0.0) if rivals is None else ops.softplus(rivals - own), kept)


@formula(
    shapes=PAIRED,
    kinds=("embedding", "embedding"),
    source="Radford et al. 2021, https://arxiv.org/abs/2103.00020",
    claims=Claims(scale_invariant=True),
    coupled="N",
)
def clip(ops: Ops[A], first: A, second: A, *, log_scale: A | float = START, kept: A | None = None) -> Outcome[A]:
    """CLIP: each image among the captions of the batch and each caption among the images, with a learned scale.

    Shapes    first, second: (..., N, D) equal; result: (..., N), the mean of the two directions; terms
              first_to_second and second_to_first: (..., N)
    Unit      nats
    Range     [0, inf)
    Gradient  of a sum over 2N - 1 cosines, each at most e^log_scale, through the direction of an embedding: it
              grows as 1 / length, and is 0 at the zero vector by convention. In a log_scale beyond log 100 it is
              that at log 100, so that the scale finds back
    Limits    one sample (no other to tell it from) costs 0; the zero vector has cosine 0 with everything
    Keywords  log_scale: the logarithm of what the cosines are multiplied by, which is at most 100; a number or,
              to be learned, an array of no axes
    Source    Radford et al. 2021, https://arxiv.org/abs/2103.00020

    >>> import numpy as np
    >>> pairs = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[2.0, 0.0], [0.0, 3.0]])
    >>> clip(*pairs, log_scale=np.log(2.0)).round(6)
    array([0.126928, 0.126928])
    """
    u, v = unit(ops, first), unit(ops, second)
    scale = capped_scale(ops, log_scale, first)
    own, across = ops.sum(u * v, axis=-1) * scale, _cosines(ops, u, v) * scale
    there, back = (
        _left(ops, ops.softplus(_others(ops, [block], own, kept) - own), kept)
        for block in (across, ops.matrix_transpose(across))
    )
    return Outcome(0.5 * (there + back), terms={"first_to_second": there, "second_to_first": back})


@formula(
    shapes="... N D, ... N -> ... N",
    kinds=("embedding", "index"),
    source="Khosla et al. 2020, https://arxiv.org/abs/2004.11362",
    claims=Claims(scale_invariant=True),
    coupled="N",
)
def sup_con(ops: Ops[A], embedding: A, target: A, *, temperature: Positive = 0.1, kept: A | None = None) -> Outcome[A]:
    """Supervised contrastive loss, the paper's L_out: the samples of a class among all others of the batch.

    Shapes    embedding: (..., N, D); target: labels (..., N) of an integer dtype; result: (..., N), one value an
              anchor: the mean of -log p over the samples of its class; counts: 0 for an anchor without one, else 1
    Unit      nats
    Range     [0, inf)
    Gradient  of a sum over N - 1 cosines, each at most 1 / temperature, through the direction of an embedding: it
              grows as 1 / length. At the zero vector it is 0 by convention
    Limits    an anchor without another sample of its class has value 0 and counts in no mean, though others are told
              from it; a label that occurs once is such a class. The zero vector has cosine 0 with everything
    Keywords  temperature > 0: what the cosines are divided by
    Source    Khosla et al. 2020, https://arxiv.org/abs/2004.11362

    >>> import numpy as np
    >>> sup_con(np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]), np.array([0, 0, 1]), temperature=0.5).round(6)
    array([0.126928, 0.126928, 0.      ])
    """
    u = unit(ops, embedding)
    logits = _cosines(ops, u, u) / temperature
    others = ~_itself(ops, logits)
    if kept is not None:
        others = others & ops.expand_dims(kept, axis=-2) & ops.expand_dims(kept, axis=-1)
    counted = ops.where(others, ops.full_like(logits, 1.0), 0.0)
    same = ops.equal(ops.expand_dims(target, axis=-1), ops.expand_dims(target, axis=-2))
    positive = ops.where(same, counted, 0.0)
    # one more entry leads where there are no others: -inf cannot be told from -inf
    number = ops.sum(counted, axis=-1, keepdims=True)
    alone = ops.where(~ops.truth(number), ops.full_like(number, 0.0), -inf)
    cost = standing(ops, ops.concat([ops.where(others, logits, -inf), alone], axis=-1)).surprisal[..., :-1]
    count = ops.sum(positive, axis=-1)
    total = ops.sum(ops.where(ops.truth(positive), cost, 0.0), axis=-1)
    defined = ops.where(ops.truth(count), ops.full_like(count, 1.0), 0.0)
    return Outcome(total / ops.maximum(count, 1.0), counts=defined)


def capped_scale(ops: Ops[A], log_scale: A | float, like: A) -> A:
    """e^log_scale, at most 100; beyond, its gradient is that at 100."""
    exponent = ops.asarray(log_scale, like=like)
    beyond = ops.stop_gradient(ops.maximum(exponent - log(100.0), 0.0))
    return ops.exp(exponent - beyond)


def _cosines(ops: Ops[A], u: A, v: A) -> A:
    """u_i . v_j, (..., N, N)."""
    return ops.matmul(u, ops.matrix_transpose(v))


def _given(ops: Ops[A], u: A, w: A) -> A:
    """u_i . w_j or u_i . w_ij, (..., N, M)."""
    axes, full = ops.shape(u), ops.shape(w)
    if axes is not None and full is not None and len(full) > len(axes):
        return ops.sum(ops.matmul(w, ops.expand_dims(u, axis=-1)), axis=-1)
    return _cosines(ops, u, w)


def _itself(ops: Ops[A], block: A) -> A:
    """True on the diagonal, (N, N)."""
    return ops.one_hot(ops.positions(block, axis=-2), block)


def _others(ops: Ops[A], blocks: Sequence[A], own: A, kept: A | None) -> A:
    """log sum e^s over the samples of these blocks (..., N, N) but the anchor's own, and those that are not kept."""
    there = [ops.where(~_itself(ops, block), block, -inf) for block in blocks]
    if kept is not None:
        there = [ops.where(ops.expand_dims(kept, axis=-2), block, -inf) for block in there]
    return _all(ops, ops.concat(there, axis=-1), own)


def _all(ops: Ops[A], logits: A, own: A) -> A:
    """log sum e^s over the last axis, which may be empty."""
    nothing = ops.expand_dims(ops.full_like(own, -inf), axis=-1)
    return ops.logsumexp(ops.concat([logits, nothing], axis=-1), axis=-1)


def _left(ops: Ops[A], values: A, kept: A | None) -> A:
    """The values of the samples that are kept; the others cost 0."""
    return values if kept is None else ops.where(kept, values, 0.0)
