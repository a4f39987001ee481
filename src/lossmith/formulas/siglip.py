"""SigLIP: every pair of a batch is a yes-or-no question of its own. u, v are embeddings over their length.

    sig_lip    value_i = sum_j softplus(-z_ij (e^t u_i . v_j + b)),    z_ij = 1 where i = j, else -1

t and b are learned; they begin at log 10 and -10, where a pair of random embeddings is taken for a mismatch.
"""

from math import log

from lossmith.formulas.terms import unit
from lossmith.ops import A, Ops
from lossmith.spec import Claims, Outcome, formula

START = log(10.0)  # of the logarithm of the scale


@formula(
    shapes="... N D, ... N D -> ... N",
    kinds=("embedding", "embedding"),
    source="Zhai et al. 2023, https://arxiv.org/abs/2303.15343",
    claims=Claims(scale_invariant=True),
    coupled="N",
)
def sig_lip(
    ops: Ops[A],
    first: A,
    second: A,
    *,
    log_scale: A | float = START,
    bias: A | float = -10.0,
    kept: A | None = None,
) -> Outcome[A]:
    """Sigmoid loss for language-image pairs: does this image belong to this caption, for all N * N of a batch.

    Shapes    first, second: (..., N, D) equal; result: (..., N), the sum over the N questions that the first of a
              sample is asked, as in the paper, whose loss is the mean of it; terms positive and negative: (..., N),
              which add up to it
    Unit      nats
    Range     [0, inf)
    Gradient  of a sum over N cosines, each at most e^log_scale, through the direction of an embedding: it grows as
              1 / length. At the zero vector it is 0 by convention
    Limits    one sample costs what its positive pair costs; the zero vector has cosine 0 with everything
    Keywords  log_scale: the logarithm of what the cosines are multiplied by; bias: what is added to them;
              each a number or, to be learned, an array of no axes
    Source    Zhai et al. 2023, https://arxiv.org/abs/2303.15343

    >>> import numpy as np
    >>> pairs = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[2.0, 0.0], [0.0, 3.0]])
    >>> sig_lip(*pairs).round(6)
    array([0.693193, 0.693193])
    """
    u, v = unit(ops, first), unit(ops, second)
    scale, shift = ops.exp(ops.asarray(log_scale, like=first)), ops.asarray(bias, like=first)
    # a keras symbol stands on the left: an array of jax would read what stands on its right
    logits = ops.matmul(u, ops.matrix_transpose(v)) * scale + shift
    itself = ops.one_hot(ops.positions(logits, axis=-2), logits)
    positive = ops.softplus(-(ops.sum(u * v, axis=-1) * scale + shift))
    each = ops.where(~itself, ops.softplus(logits), 0.0)
    if kept is not None:
        each = ops.where(ops.expand_dims(kept, axis=-2) & ops.expand_dims(kept, axis=-1), each, 0.0)
        positive = ops.where(kept, positive, 0.0)
    negative = ops.sum(each, axis=-1)
    return Outcome(positive + negative, terms={"positive": positive, "negative": negative})
