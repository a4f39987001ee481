"""Losses of a choice between C classes. x are the logits of a row, p = softmax x, t the target distribution.

    softmax_cross_entropy   -sum_c w_c t_c log p_c                        gradient in x: p - t, with weights 1
    softmax_focal           -sum_c alpha_c t_c (1 - p_c)^gamma log p_c

A label y is the distribution that is 1 at y. Label smoothing s replaces t by (1 - s) t + s / C; for a label that is

    (1 - s) w_y (-log p_y) + s / C sum_c w_c (-log p_c)

How -log p and 1 - p keep their accuracy when one class leads by far is told in `terms`. As in `binary`, the
focusing factor is an exponential: (1 - p)^gamma as a power has slope 0 * inf at p = 1 when gamma < 1.

A label outside 0 ... C - 1 gives NaN in every framework; which labels to ignore is a mask's business.
"""

from collections.abc import Sequence
from math import e, nan
from typing import Literal

from lossmith.formulas.binary import focused_prob
from lossmith.formulas.terms import PredIs, fitted, log_complement, share, standing, surprisal
from lossmith.ops import A, Ops
from lossmith.settings import Fraction, NonNegative
from lossmith.spec import By, Claims, formula

CLASSES = "... C, ... | ... C -> ..."


def _cross_entropy_bound(pred_is: PredIs, class_weight: object, label_smoothing: float) -> float | None:
    """The slope in a logit is p - t, in a log-probability -t; in a probability it has no bound."""
    return 1.0 if pred_is != "prob" and class_weight is None and label_smoothing <= 1.0 else None


def _focal_bound(pred_is: str, gamma: float, alpha: object) -> float | None:
    """As for `binary_focal`: a logit moves the margin by at most as much as itself."""
    return 1.0 + gamma / e if pred_is == "logit" and alpha is None else None


@formula(
    shapes=CLASSES,
    kinds=(By("pred_is", {"logit": "logits", "log_prob": "logprob", "prob": "simplex"}), "index|dist"),
    source="Good 1952, https://doi.org/10.1111/j.2517-6161.1952.tb00104.x; label smoothing: Szegedy et al. 2016, "
    "https://arxiv.org/abs/1512.00567",
    claims=Claims(
        convex=True, smooth=True, monotone=True, proper=True, shift_invariant=True, grad_bound=_cross_entropy_bound
    ),
)
def softmax_cross_entropy(
    ops: Ops[A],
    pred: A,
    target: A,
    *,
    pred_is: PredIs = "logit",
    class_weight: A | Sequence[float] | None = None,
    label_smoothing: Fraction = 0.0,
) -> A:
    """Cross-entropy of each row against a label or a distribution.

    Shapes    pred: (..., C); target: labels (...) of an integer dtype, or distributions (..., C); result: (...)
    Unit      nats
    Range     [0, inf]; for a distribution the smallest value is its entropy
    Gradient  in a logit p - t, smooth, at most 1 in size; in a log-probability -t; in a probability -t / p
    Limits    a class of logit -inf (probability 0) costs nothing unless the target has a share of it, then inf;
              one class costs 0; a label out of range gives NaN. Where the target has no share of a class, the
              gradient with respect to that share is 0
    Keywords  pred_is: what pred holds; class_weight: C factors; label_smoothing in [0, 1]: the share of the target
              that is spread evenly
    Source    Good 1952, https://doi.org/10.1111/j.2517-6161.1952.tb00104.x; label smoothing: Szegedy et al. 2016,
              https://arxiv.org/abs/1512.00567

    >>> import numpy as np
    >>> logits = np.array([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    >>> softmax_cross_entropy(logits, np.array([0, 2])).round(6)
    array([0.239545, 1.098612])
    """
    part, valid = distribution(ops, pred, target)
    if label_smoothing:
        part = (1.0 - label_smoothing) * part + label_smoothing * even(ops, pred)
    if class_weight is not None:
        part = part * fitted(ops, "softmax_cross_entropy", "class_weight", class_weight, pred)
    cost = surprisal(ops, pred, pred_is, needed=ops.truth(part))
    total = ops.sum(share(ops, part, cost), axis=-1)
    return total if valid is None else ops.where(valid, total, nan)


@formula(
    shapes=CLASSES,
    kinds=(By("pred_is", {"logit": "logits", "prob": "simplex"}), "index|dist"),
    source="Lin et al. 2017, https://arxiv.org/abs/1708.02002",
    claims=Claims(smooth=True, monotone=True, shift_invariant=True, grad_bound=_focal_bound),
)
def softmax_focal(
    ops: Ops[A],
    pred: A,
    target: A,
    *,
    pred_is: Literal["logit", "prob"] = "logit",
    gamma: NonNegative = 2.0,
    alpha: A | NonNegative | Sequence[float] | None = None,
) -> A:
    """Focal loss of each row: cross-entropy that fades where the prediction is right already.

    Shapes    pred: (..., C); target: labels (...) of an integer dtype, or distributions (..., C); result: (...)
    Unit      nats
    Range     [0, inf]
    Gradient  in a logit finite at every gamma, below 1 too, and at most 1 + gamma / e in size with alpha None; in
              a probability without bound towards sure and wrong
    Limits    a class of logit -inf costs nothing unless the target has a share of it, then inf, where the gradient
              may be NaN; one class costs 0; a label out of range gives NaN
    Keywords  pred_is: what pred holds; gamma >= 0: 0 is cross-entropy; alpha: one factor, or C of them
    Source    Lin et al. 2017, https://arxiv.org/abs/1708.02002

    >>> import numpy as np
    >>> logits = np.array([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    >>> softmax_focal(logits, np.array([0, 2])).round(6)
    array([0.010869, 0.488272])
    """
    part, valid = distribution(ops, pred, target)
    if alpha is not None:
        part = part * fitted(ops, "softmax_focal", "alpha", alpha, pred)
    if pred_is == "prob":
        each = focused_prob(ops, part, pred, gamma)
    else:
        row = standing(ops, pred)
        # at gamma 0 the factor is 1 even where 1 - p is 0
        factor = ops.exp(gamma * log_complement(ops, row)) if gamma else 1.0
        # the slope of factor * cost is 0 * inf where a class that the target does not need has logit -inf
        each = share(ops, part, factor * ops.where(ops.truth(part), row.surprisal, 0.0))
    total = ops.sum(each, axis=-1)
    return total if valid is None else ops.where(valid, total, nan)


def distribution(ops: Ops[A], pred: A, target: A) -> tuple[A, A | None]:
    """The target as a distribution; for labels also where they name a class."""
    if ops.number_kind(target) != "integer":
        return target, None
    hot = ops.astype(ops.one_hot(target, pred), pred)
    return hot, ops.truth(ops.sum(hot, axis=-1))


def even(ops: Ops[A], pred: A) -> A:
    """The even distribution over the classes."""
    ones = ops.full_like(pred, 1.0)
    return ones / ops.sum(ones, axis=-1, keepdims=True)
