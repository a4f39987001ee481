"""Cross-entropy of a linear layer, in one formula, so that a kernel need not hold its logits.

    linear_cross_entropy   -log p_y + z_weight (log sum_c e^(t_c))^2,   t_c = cap(h . w_c + b_c),  p = softmax t

cap(x) = c tanh(x / c) where a soft-cap c is given, else x. Label smoothing s spreads s of the target evenly over the
classes, as in `softmax_cross_entropy`. The second term, a z-loss, keeps the sum of the exponentials near 1.
"""

from lossmith.formulas.margins import PROXIES
from lossmith.formulas.softmax import softmax_cross_entropy
from lossmith.ops import A, Ops
from lossmith.settings import Fraction, NonNegative, Positive
from lossmith.spec import Claims, formula


@formula(
    shapes=PROXIES,
    kinds=("embedding", "index", "embedding"),
    source="Good 1952, https://doi.org/10.1111/j.2517-6161.1952.tb00104.x; z-loss: Chowdhery et al. 2022, "
    "https://arxiv.org/abs/2204.02311; soft-cap: Gemma Team 2024, https://arxiv.org/abs/2408.00118",
    claims=Claims(),
)
def linear_cross_entropy(
    ops: Ops[A],
    hidden: A,
    target: A,
    classes: A,
    *,
    bias: A | None = None,
    label_smoothing: Fraction = 0.0,
    z_weight: NonNegative = 0.0,
    soft_cap: Positive | None = None,
) -> A:
    """Cross-entropy of the logits that a linear layer makes of each row.

    Shapes    hidden: (..., D); target: labels (...) of an integer dtype; classes: (C, D); bias: (C,); result: (...)
    Unit      nats
    Range     [0, inf)
    Gradient  in a logit at most 1 in size, and z_weight times twice the log of the sum
    Limits    one class costs 0 and its z-loss; a label out of range gives NaN
    Keywords  bias: added to the logits; label_smoothing in [0, 1]: the share of the target that is spread evenly;
              z_weight >= 0: of the squared log-sum-exp; soft_cap > 0: the logits stay inside -soft_cap and soft_cap
    Source    Good 1952, https://doi.org/10.1111/j.2517-6161.1952.tb00104.x; z-loss: Chowdhery et al. 2022,
              https://arxiv.org/abs/2204.02311; soft-cap: Gemma Team 2024, https://arxiv.org/abs/2408.00118

    >>> import numpy as np
    >>> classes = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> linear_cross_entropy(np.array([[2.0, 0.0], [1.0, 1.0]]), np.array([0, 1]), classes).round(6)
    array([0.126928, 0.693147])
    """
    logits = linear_logits(ops, hidden, classes, bias, soft_cap)
    cost = softmax_cross_entropy.body(ops, logits, target, label_smoothing=label_smoothing)
    return cost + z_weight * ops.square(ops.logsumexp(logits, axis=-1)) if z_weight else cost


def linear_logits(ops: Ops[A], hidden: A, classes: A, bias: A | None, soft_cap: float | None) -> A:
    """t, (..., C)."""
    row = ops.expand_dims(hidden, axis=-2)
    logits = ops.sum(ops.matmul(row, ops.matrix_transpose(classes)), axis=-2)
    return capped(ops, logits if bias is None else logits + ops.asarray(bias, like=hidden), soft_cap)


def capped(ops: Ops[A], x: A, soft_cap: float | None) -> A:
    """c tanh(x / c). With y = x / c: E / (E + 2), E = expm1(2 y), near 0; -+expm1(-2 |y|) / (1 + e^(-2 |y|)) far."""
    if soft_cap is None:
        return x
    y = x / soft_cap
    rise = ops.expm1(2.0 * ops.maximum(ops.minimum(y, 1.0), -1.0))
    size = ops.abs(y)  # whose slope at 0 is 0
    far = -ops.expm1(-2.0 * size) / (1.0 + ops.exp(-2.0 * size))
    return soft_cap * ops.where(size < 0.5, rise / (rise + 2.0), ops.where(y < 0.0, -far, far))
