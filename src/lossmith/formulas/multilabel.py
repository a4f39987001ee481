"""Losses of many yes-or-no labels of which few are yes. x is a logit, p = sigmoid x, t the target in [0, 1].

    asymmetric_multilabel   -(t (1 - p)^gamma_pos log p + (1 - t) q^gamma_neg log(1 - q)),   q = max(p - clip, 0)

With x0 the logit at which p = clip, q is a product in which nothing cancels but x - x0:

    q = p (1 - clip) (1 - e^(-(x - x0)))        1 - q = (1 - p) + clip
"""

from math import log, log1p

from lossmith.formulas.terms import complement, share
from lossmith.ops import A, Ops
from lossmith.settings import NonNegative, ProperFraction
from lossmith.spec import Claims, formula


def _bound(gamma_pos: float, gamma_neg: float, clip: object, stop_focusing: object) -> float:
    """q^gamma (p (1 - p) / (1 - q) + gamma p (1 - p) (-log(1 - q)) / q), and -log(1 - q) <= q / (1 - q)."""
    return 1.0 + max(gamma_pos, gamma_neg)


@formula(
    shapes="..., ... -> ...",
    kinds=("logits", "soft"),
    source="Ridnik et al. 2021, https://arxiv.org/abs/2009.14119",
    claims=Claims(monotone=True, grad_bound=_bound),
)
def asymmetric_multilabel(
    ops: Ops[A],
    pred: A,
    target: A,
    *,
    gamma_pos: NonNegative = 1.0,
    gamma_neg: NonNegative = 4.0,
    clip: ProperFraction = 0.05,
    stop_focusing: bool = False,
) -> A:
    """Asymmetric loss of each label: easy negatives fade faster than easy positives, the easiest count for nothing.

    Shapes    pred, target: (...) equal; result: (...)
    Unit      nats
    Range     [0, inf]; for a negative at most -(1 - clip)^gamma_neg log clip
    Gradient  finite in every logit, at most 1 + max(gamma_pos, gamma_neg) in size; a negative with p <= clip has
              none. Continuous, but with gamma_neg 0 it jumps where p = clip. With stop_focusing it is that of the
              logarithm alone times the focusing factor, as in the authors' code
    Limits    sure and right gives 0; a sure and wrong positive inf, its gradient may be NaN. A soft target mixes the
              two costs in proportion; the authors' code mixes the probabilities inside the factor
    Keywords  gamma_pos >= 0, gamma_neg >= 0: how fast right positives and negatives fade; clip in [0, 1): taken
              from the probability of a negative; stop_focusing: the focusing factor is a constant to the gradient
    Source    Ridnik et al. 2021, https://arxiv.org/abs/2009.14119

    >>> import numpy as np
    >>> asymmetric_multilabel(np.array([0.0, 2.0, -4.0]), np.array([1.0, 0.0, 0.0])).round(6)
    array([0.346574, 0.846415, 0.      ])
    """

    def faded(part: A, log_missed: A, cost: A, gamma: float) -> A:
        if not gamma:
            return share(ops, part, cost)
        factor = ops.exp(gamma * log_missed)
        return share(ops, part, (ops.stop_gradient(factor) if stop_focusing else factor) * cost)

    # the slope of factor * cost is 0 * inf where the cost is inf: what the target does not need stays away from it
    x = ops.where(ops.truth(target), pred, 0.0)
    positive = faded(target, -ops.softplus(x), ops.softplus(-x), gamma_pos)
    absent = 1.0 - target
    if not clip:
        x = ops.where(ops.truth(absent), pred, 0.0)
        return positive + faded(absent, -ops.softplus(-x), ops.softplus(x), gamma_neg)
    edge = log(clip) - log1p(-clip)
    counted = ops.truth(absent) & ~(pred <= edge)
    x = ops.where(counted, pred, edge + 1.0)
    log_shifted = log1p(-clip) - ops.softplus(-x) + ops.log(complement(ops, x - edge))
    shifted = ops.minimum(ops.exp(log_shifted), 0.5)
    far = -ops.log(ops.exp(-ops.softplus(x)) + clip)
    cost = ops.where(shifted < 0.5, -ops.log1p(-shifted), far)
    return positive + faded(ops.where(counted, absent, 0.0), log_shifted, cost, gamma_neg)
