"""Losses of the pairs in a batch of labelled embeddings. s_ij is the cosine of embeddings i and j.

    n_pair            log(1 + sum_n e^(a_i p_n - a_i p_i)),          n: the positives of other classes
    multi_similarity  1 / alpha log(1 + sum_p e^(-alpha (s_ip - base))) + 1 / beta log(1 + sum_n e^(beta (s_in - base)))
    circle            log(1 + sum_p e^(-gamma w_p (s_ip - 1 + m)) sum_n e^(gamma w_n (s_in - m))),
                      w_p = max(0, 1 + m - s_ip),  w_n = max(0, s_in + m)

Each log(1 + sum e^x) is the softplus of a logsumexp, which keeps a sum that is small against 1.
"""

from lossmith.formulas.batch import cosines, largest, log_sum, number, pairs, row_sizes, size_of
from lossmith.formulas.terms import unit
from lossmith.ops import A, Ops
from lossmith.settings import Fraction, NonNegative, Positive
from lossmith.spec import By, Claims, Outcome, formula

LABELLED = "... N D, ... N -> ... N"


@formula(
    shapes="... N D, ... N D, ... N -> ... N",
    kinds=("embedding", "embedding", "index"),
    source="Sohn 2016, https://papers.nips.cc/paper/2016/hash/6b180037abbebea991d8b1232f8a8ca9-Abstract.html",
    claims=Claims(),
    coupled="N",
)
def n_pair(ops: Ops[A], first: A, second: A, target: A, *, kept: A | None = None) -> Outcome[A]:
    """Multi-class N-pair loss: an anchor tells its positive from the positives of all other classes.

    Shapes    first (anchors), second (positives): (..., N, D) equal; target: labels (..., N); result: (..., N)
    Unit      nats
    Range     [0, inf)
    Gradient  in an anchor a mean of differences of positives; smooth. Finite, but too small, where the product of the
              largest entries of an anchor and of the positives is beyond the dtype
    Limits    embeddings are not normalised; Sohn adds a penalty on their squared length, which is the caller's. A
              pair of the anchor's own class is no negative; an anchor without a negative has value 0 and count 0
    Source    Sohn 2016, https://papers.nips.cc/paper/2016/hash/6b180037abbebea991d8b1232f8a8ca9-Abstract.html

    >>> import numpy as np
    >>> anchors, positives = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[2.0, 0.0], [0.0, 0.0]])
    >>> n_pair(anchors, positives, np.array([0, 1])).round(6)
    array([0.126928, 0.693147])
    """
    lead = _lead(ops, first, second)
    pair = pairs(ops, target, lead, kept, with_self=True)
    value = ops.where(pair.complete, ops.softplus(log_sum(ops, lead, pair.negative)), 0.0)
    return Outcome(value, counts=number(ops, pair.complete, value))


@formula(
    shapes=LABELLED,
    kinds=("embedding", "index"),
    source="Wang et al. 2019, https://arxiv.org/abs/1904.06627",
    claims=Claims(scale_invariant=True),
    coupled="N",
)
def multi_similarity(
    ops: Ops[A],
    embedding: A,
    target: A,
    *,
    alpha: Positive = 2.0,
    beta: Positive = 50.0,
    base: float = 0.5,
    epsilon: NonNegative | None = 0.1,
    kept: A | None = None,
) -> Outcome[A]:
    """Multi-similarity loss: each pair weighs what its own cosine, and the anchor's other pairs, make it worth.

    Shapes    embedding: (..., N, D); target: labels (..., N) of an integer dtype; result: (..., N)
    Unit      dimensionless
    Range     [0, inf)
    Gradient  in a cosine below 1 in size; in an embedding of length L below 2 / L, across it. 0 for a zero embedding
    Limits    a zero embedding has cosine 0 to all; an anchor without a positive or without a negative has value 0
              and count 0; the choice of pairs has no gradient
    Keywords  alpha, beta > 0: how sharply positives and negatives are weighed; base: the cosine between them, 0.5 as
              in the authors' code; epsilon >= 0: a negative counts where it is nearer than the farthest positive
              - epsilon, a positive where it is farther than the nearest negative + epsilon; None: all pairs count
    Source    Wang et al. 2019, https://arxiv.org/abs/1904.06627

    >>> import numpy as np
    >>> points = np.array([[1.0, 0.0], [0.6, 0.8], [0.8, 0.6]])
    >>> multi_similarity(points, np.array([0, 0, 1])).round(6)
    array([0.599069, 0.759069, 0.      ])
    """
    near = _cosines(ops, embedding)
    pair = pairs(ops, target, near, kept)
    positive, negative = pair.positive, pair.negative
    if epsilon is not None:
        still = ops.stop_gradient(near)
        positive = positive & (still < largest(ops, still, pair.negative) + epsilon)
        negative = negative & (-still < largest(ops, -still, pair.positive) + epsilon)
    pull = ops.softplus(log_sum(ops, -alpha * (near - base), positive)) / alpha
    push = ops.softplus(log_sum(ops, beta * (near - base), negative)) / beta
    value = ops.where(pair.complete, pull + push, 0.0)
    return Outcome(value, counts=number(ops, pair.complete, value))


@formula(
    shapes=LABELLED,
    kinds=(By("normalise", {True: "embedding", False: "unit"}), "index"),
    source="Sun et al. 2020, https://arxiv.org/abs/2002.10857",
    claims=Claims(),
    coupled="N",
)
def circle(
    ops: Ops[A],
    embedding: A,
    target: A,
    *,
    gamma: Positive = 80.0,
    margin: Fraction = 0.4,
    constant_weights: bool = False,
    remove_diagonal: bool = True,
    normalise: bool = True,
    kept: A | None = None,
) -> Outcome[A]:
    """Circle loss: each cosine is pushed by as much as it is from its optimum.

    Shapes    embedding: (..., N, D); target: labels (..., N) of an integer dtype; result: (..., N)
    Unit      nats
    Range     [0, inf)
    Gradient  that of the value; with constant_weights the weights w have none, as Eq. 9 of the paper has it. 0 for a
              zero embedding
    Limits    a zero embedding has cosine 0 to all; an anchor without a positive or without a negative has value 0
              and count 0
    Keywords  gamma > 0: the scale; margin from 0 to 1: positives are at their optimum at a cosine of 1 + margin,
              negatives at -margin; constant_weights: see Gradient; remove_diagonal: a sample is no positive of its
              own; normalise: False where the embeddings have length 1 already
    Source    Sun et al. 2020, https://arxiv.org/abs/2002.10857

    >>> import numpy as np
    >>> points = np.array([[1.0, 0.0], [0.6, 0.8], [0.8, 0.6]])
    >>> circle(points, np.array([0, 0, 1]), gamma=4.0).round(6)
    array([2.056807, 3.092835, 0.      ])
    """
    near = _cosines(ops, embedding) if normalise else cosines(ops, embedding, embedding)
    pair = pairs(ops, target, near, kept, with_self=not remove_diagonal)
    weights = ops.stop_gradient(near) if constant_weights else near
    pull = ops.maximum(1.0 + margin - weights, 0.0) * (near - (1.0 - margin))
    push = ops.maximum(weights + margin, 0.0) * (near - margin)
    lead = log_sum(ops, -gamma * pull, pair.positive) + log_sum(ops, gamma * push, pair.negative)
    value = ops.where(pair.complete, ops.softplus(lead), 0.0)
    return Outcome(value, counts=number(ops, pair.complete, value))


def _lead(ops: Ops[A], first: A, second: A) -> A:
    """a_i p_j - a_i p_i, inf or -inf where it is beyond the dtype, and not inf - inf."""
    high, wide = row_sizes(ops, first), size_of(ops, second)
    here, there = first / high, second / wide
    lead = ops.matmul(here, ops.matrix_transpose(there)) - ops.sum(here * there, axis=-1, keepdims=True)
    both = high * wide
    factor = ops.where(ops.isfinite(both), both, wide)  # the slope is finite where lead is 0 and `both` is not
    cut = lead * factor
    return cut + ops.stop_gradient(lead * high * wide - cut)


def _cosines(ops: Ops[A], embedding: A) -> A:
    one = unit(ops, embedding)
    return cosines(ops, one, one)
