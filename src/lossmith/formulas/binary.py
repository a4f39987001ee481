"""Losses of one yes-or-no prediction, entry by entry. x is a logit, p = sigmoid x, t the target in [0, 1].

    binary_cross_entropy   -(c t log p + (1 - t) log(1 - p))
                           gradient in x: c t (p - 1) + (1 - t) p
    binary_focal           -(alpha t (1 - p)^gamma log p + (1 - alpha) (1 - t) p^gamma log(1 - p))

On logits, -log p = softplus(-x) and -log(1 - p) = softplus(x), so no probability is formed, nothing is clamped,
and both ends stay exact: p rounds to 1 in float32 from x = 17, softplus(-17) does not round to 0.

The focusing factor is (1 - p)^gamma = exp(-gamma softplus(x)). As a power its slope is 0 * inf at p = 1 when
gamma < 1; as an exponential both value and gradient are finite at every x.
"""

from collections.abc import Sequence
from math import e
from typing import Literal

from lossmith.formulas.terms import fitted, share
from lossmith.ops import A, Ops
from lossmith.settings import Fraction, NonNegative, Positive
from lossmith.spec import By, Claims, formula


def _cross_entropy_bound(pred_is: str, pos_weight: object) -> float | None:
    """The slope in a logit is p - t, times the positive weight; the slope in a probability has no bound."""
    if pred_is == "prob" or not isinstance(pos_weight, (int, float, type(None))):
        return None
    return max(1.0, pos_weight or 1.0)


def _focal_bound(pred_is: str, gamma: float, alpha: object) -> float | None:
    """The slope in a logit is (1 - p)^gamma (1 - p + gamma p (-log p)), and p (-log p) is at most 1 / e."""
    return None if pred_is == "prob" else 1.0 + gamma / e


@formula(
    shapes="..., ... -> ...",
    kinds=(By("pred_is", {"logit": "logits", "prob": "prob"}), "soft"),
    source="Good 1952, https://doi.org/10.1111/j.2517-6161.1952.tb00104.x",
    claims=Claims(convex=True, smooth=True, monotone=True, proper=True, grad_bound=_cross_entropy_bound),
)
def binary_cross_entropy(
    ops: Ops[A],
    pred: A,
    target: A,
    *,
    pred_is: Literal["logit", "prob"] = "logit",
    pos_weight: A | Positive | Sequence[float] | None = None,
) -> A:
    """Binary cross-entropy, elementwise.

    Shapes    pred, target: (...) equal; result: (...)
    Unit      nats
    Range     [0, inf]; for a target strictly between 0 and 1 the smallest value is the entropy of the target
    Gradient  in a logit, p - t with pos_weight 1: smooth; in a probability, (p - t) / (p (1 - p)), which grows
              without bound towards a wrong 0 or 1
    Limits    sure and right (logit +-inf, probability 0 or 1) gives 0; sure and wrong gives inf. No logarithm is
              clamped: torch stops at 100, keras moves p by 1e-7
    Keywords  pred_is: what pred holds; pos_weight > 0: factor of the positive part, a number or one for each
              entry of the last axis
    Source    Good 1952, https://doi.org/10.1111/j.2517-6161.1952.tb00104.x

    >>> import numpy as np
    >>> binary_cross_entropy(np.array([0.0, -2.0]), np.array([1.0, 0.0])).round(6)
    array([0.693147, 0.126928])
    """
    negative = 1.0 - target
    positive = target
    if pos_weight is not None:
        positive = target * fitted(ops, "binary_cross_entropy", "pos_weight", pos_weight, pred)
    if pred_is == "logit":
        return share(ops, positive, ops.softplus(-pred)) + share(ops, negative, ops.softplus(pred))
    # log has no slope at 0: a probability that no share of the target needs is moved away from it
    yes = -ops.log(ops.where(ops.truth(positive), pred, 1.0))
    no = -ops.log1p(-ops.where(ops.truth(negative), pred, 0.0))
    return share(ops, positive, yes) + share(ops, negative, no)


def _focused(ops: Ops[A], part: A, logit: A, gamma: float) -> A:
    """part (1 - p)^gamma (-log p) for p = sigmoid(logit), of an event that happened."""
    x = ops.where(ops.truth(part), logit, 0.0)  # the slope of factor * cost is 0 * inf where the cost is inf
    cost = ops.softplus(-x)
    # at gamma 0 the factor is 1 even where softplus is inf
    return share(ops, part, ops.exp(-gamma * ops.softplus(x)) * cost if gamma else cost)


def focused_prob(ops: Ops[A], part: A, prob: A, gamma: float, *, happened: bool = True) -> A:
    """part (1 - p)^gamma (-log p) from a probability, of an event that happened; else with p and 1 - p exchanged."""
    inside = ops.truth(part)
    if gamma:  # sure and right costs 0, but the logarithm of 0 in its factor has no slope
        inside = inside & ops.truth(1.0 - prob if happened else prob)
    p = ops.where(inside, prob, 0.5)
    log_p, log_rest = ops.log(p), ops.log1p(-p)
    cost, fade = (log_p, log_rest) if happened else (log_rest, log_p)
    return share(ops, ops.where(inside, part, 0.0), -ops.exp(gamma * fade) * cost if gamma else -cost)


@formula(
    shapes="..., ... -> ...",
    kinds=(By("pred_is", {"logit": "logits", "prob": "prob"}), "soft"),
    source="Lin et al. 2017, https://arxiv.org/abs/1708.02002",
    claims=Claims(smooth=True, monotone=True, grad_bound=_focal_bound),
)
def binary_focal(
    ops: Ops[A],
    pred: A,
    target: A,
    *,
    pred_is: Literal["logit", "prob"] = "logit",
    gamma: NonNegative = 2.0,
    alpha: A | Fraction | Sequence[float] | None = None,
) -> A:
    """Binary focal loss, elementwise: cross-entropy that fades where the prediction is right already.

    Shapes    pred, target: (...) equal; result: (...)
    Unit      nats
    Range     [0, inf]
    Gradient  in a logit finite at every gamma, below 1 too, and at most 1 + gamma / e in size; in a probability
              without bound towards sure and wrong
    Limits    sure and right gives 0, with gradient 0 for gamma > 0; sure and wrong (an infinite logit, a
              probability of 0 or 1) gives inf, its gradient may be NaN. A soft target mixes the two costs in
              proportion: torchvision's form, which mixes the probabilities first, differs there
    Keywords  pred_is: what pred holds; gamma >= 0: 0 is cross-entropy; alpha in [0, 1]: the weight of the
              positive class, 1 - alpha that of the negative one, a number or one for each entry of the last axis;
              None weighs both with 1
    Source    Lin et al. 2017, https://arxiv.org/abs/1708.02002

    >>> import numpy as np
    >>> binary_focal(np.array([0.0, 2.0]), np.array([1.0, 0.0])).round(6)
    array([0.173287, 1.650078])
    """
    positive, negative = target, 1.0 - target
    if alpha is not None:
        share_of_ones = fitted(ops, "binary_focal", "alpha", alpha, pred)
        # a symbolic tensor stands on the left: on jax an array there refuses it
        positive, negative = positive * share_of_ones, negative * (1.0 - share_of_ones)
    if pred_is == "logit":
        return _focused(ops, positive, pred, gamma) + _focused(ops, negative, -pred, gamma)
    missed = focused_prob(ops, negative, pred, gamma, happened=False)
    return focused_prob(ops, positive, pred, gamma) + missed
