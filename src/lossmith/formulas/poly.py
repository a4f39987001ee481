"""Cross-entropy with another weight for the first term of its series in 1 - p. p_c is the probability of class c.

    poly_cross_entropy   sum_c t_c (-log p_c + epsilon (1 - p_c))

Since -log p = sum_j (1 - p)^j / j, the weight of the first term becomes 1 + epsilon: Poly-1.

With s = -log p and epsilon >= 0 both terms are sums of one sign. Below 0 they cancel near p = 1, wholly at
epsilon = -1, where the first term is gone. Then

    s + epsilon (1 - e^(-s)) = (1 + epsilon) s - epsilon (s + e^(-s) - 1)
    s + e^(-s) - 1           = s^2 sum_j (-s)^j / (j + 2)!        for s < 1
"""

from collections.abc import Sequence
from math import factorial, nan
from typing import Annotated, Literal

from lossmith.formulas.softmax import CLASSES, distribution
from lossmith.formulas.terms import complement, share, surprisal
from lossmith.ops import A, Ops
from lossmith.settings import Interval
from lossmith.spec import By, Claims, formula

SERIES: Sequence[float] = [(-1.0) ** j / factorial(j + 2) for j in range(18)]  # the next is 1e-18 of the sum at s = 1
Epsilon = Annotated[float, Interval("a finite number, -1 or more", low=-1.0, open_high=True)]


def _bound(pred_is: str, epsilon: float) -> float | None:
    """The slope in the logit of the label is (1 - p) (1 + epsilon p) in size, the largest of all."""
    if pred_is == "prob":
        return None
    return 1.0 if epsilon <= 1.0 else (1.0 + epsilon) ** 2 / (4.0 * epsilon)


@formula(
    shapes=CLASSES,
    kinds=(By("pred_is", {"logit": "logits", "prob": "simplex"}), "index|dist"),
    source="Leng et al. 2022, https://arxiv.org/abs/2204.12511",
    claims=Claims(smooth=True, monotone=True, shift_invariant=True, grad_bound=_bound),
)
def poly_cross_entropy(
    ops: Ops[A], pred: A, target: A, *, pred_is: Literal["logit", "prob"] = "logit", epsilon: Epsilon = 1.0
) -> A:
    """Poly-1 cross-entropy of each row: cross-entropy and epsilon times the probability that misses the label.

    Shapes    pred: (..., C); target: labels (...) of an integer dtype, or distributions (..., C); result: (...)
    Unit      nats
    Range     [0, inf]
    Gradient  in the logit of the label -(1 - p) (1 + epsilon p), smooth; in a probability -1 / p - epsilon
    Limits    a class of logit -inf (probability 0) costs nothing unless the target has a share of it, then inf;
              one class costs 0; a label out of range gives NaN
    Keywords  pred_is: what pred holds; epsilon >= -1: added to the weight 1 of the first term, 0 is cross-entropy
    Source    Leng et al. 2022, https://arxiv.org/abs/2204.12511

    >>> import numpy as np
    >>> logits = np.array([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    >>> poly_cross_entropy(logits, np.array([0, 2])).round(6)
    array([0.452559, 1.765279])
    """
    part, valid = distribution(ops, pred, target)
    needed = ops.truth(part)
    cost = ops.where(needed, surprisal(ops, pred, pred_is, needed), 0.0)
    if epsilon >= 0.0:
        each = cost + epsilon * (complement(ops, cost) if pred_is == "logit" else 1.0 - pred)
    else:
        each = -epsilon * _beyond_first(ops, cost)
        each = each if epsilon == -1.0 else each + (1.0 + epsilon) * cost  # 0 * inf
    total = ops.sum(share(ops, part, each), axis=-1)
    return total if valid is None else ops.where(valid, total, nan)


def _beyond_first(ops: Ops[A], cost: A) -> A:
    """-log p - (1 - p) from -log p."""
    near = ops.minimum(cost, 1.0)
    series = ops.full_like(near, SERIES[-1])
    for coefficient in reversed(SERIES[:-1]):
        series = coefficient + near * series
    return ops.where(cost < 1.0, ops.square(near) * series, cost + ops.expm1(-cost))
