"""Losses for labels of which some are wrong. p_c is the probability of class c, t the target distribution.

    generalized_cross_entropy   sum_c t_c (1 - p_c^q) / q            q -> 0: cross-entropy; q = 1: 1 - p
                                with truncation k, p_c below k counts as k
    symmetric_cross_entropy     -alpha sum_c t_c log p_c - beta sum_c p_c max(log t_c, A)

With s = -log p, 1 - p^q = 1 - e^(-q s): accurate at both ends, and with the slope e^(-q s).
For a label the second sum of the symmetric form is A (1 - p), its gradient A p (1 - p) in the logit of the label.
"""

from math import expm1, inf, log, nan
from typing import Annotated, Literal

from lossmith.formulas.softmax import CLASSES, distribution
from lossmith.formulas.terms import complement, share, standing, surprisal
from lossmith.ops import A, Ops
from lossmith.settings import Interval, NonNegative, ProperFraction
from lossmith.spec import By, Claims, formula

Power = Annotated[float, Interval("a number above 0, up to 1", low=0.0, high=1.0, open_low=True)]
NonPositive = Annotated[float, Interval("a finite number, 0 or less", high=0.0, low=-inf, open_low=True)]
PredIs = Literal["logit", "prob"]


def _power_bound(pred_is: PredIs, q: float, truncation: object) -> float | None:
    """The slope in a logit is at most p^q (1 - p) in size, largest at p = q / (1 + q)."""
    return None if pred_is == "prob" else (q / (1.0 + q)) ** q / (1.0 + q)


def _symmetric_bound(pred_is: PredIs, alpha: float, beta: float, log_zero: float) -> float | None:
    """p - t is at most 1, p (1 - p) at most 1 / 4."""
    return None if pred_is == "prob" else alpha - beta * log_zero / 4.0


@formula(
    shapes=CLASSES,
    kinds=(By("pred_is", {"logit": "logits", "prob": "simplex"}), "index|dist"),
    source="Zhang and Sabuncu 2018, https://arxiv.org/abs/1805.07836",
    claims=Claims(monotone=True, shift_invariant=True, grad_bound=_power_bound),
)
def generalized_cross_entropy(
    ops: Ops[A],
    pred: A,
    target: A,
    *,
    pred_is: PredIs = "logit",
    q: Power = 0.7,
    truncation: ProperFraction | None = None,
) -> A:
    """Generalised cross-entropy of each row: between cross-entropy and mean absolute error, bounded by 1 / q.

    Shapes    pred: (..., C); target: labels (...) of an integer dtype, or distributions (..., C); result: (...)
    Unit      dimensionless
    Range     [0, 1 / q]; with truncation k at most (1 - k^q) / q
    Gradient  in the logit of the label -p^q (1 - p): smooth, but for a jump to 0 where p falls to `truncation`; in a
              probability -p^(q - 1), where p = 0 and q < 1 infinite, and 0 by convention
    Limits    sure and wrong gives 1 / q; one class costs 0; a label out of range gives NaN
    Keywords  pred_is: what pred holds; q in (0, 1]: the larger, the less a wrong label weighs; truncation k in
              [0, 1): a row whose label has a probability of k or less has no gradient; None and 0 truncate none
    Source    Zhang and Sabuncu 2018, https://arxiv.org/abs/1805.07836

    >>> import numpy as np
    >>> logits = np.array([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    >>> generalized_cross_entropy(logits, np.array([0, 2])).round(6)
    array([0.220538, 0.766481])
    """
    part, valid = distribution(ops, pred, target)
    needed = ops.truth(part)
    if pred_is == "prob":
        needed = needed & ops.truth(pred)  # the logarithm of 0 has no slope
    cost = ops.where(needed, surprisal(ops, pred, pred_is, needed), 0.0)
    largest = -expm1(q * log(truncation)) / q if truncation else 1.0 / q
    each = complement(ops, q * cost) / q
    if truncation:
        each = ops.where(cost < -log(truncation), each, largest)
    if pred_is == "prob":
        each = ops.where(ops.truth(pred), each, largest)
    total = ops.sum(share(ops, part, each), axis=-1)
    return total if valid is None else ops.where(valid, total, nan)


@formula(
    shapes=CLASSES,
    kinds=(By("pred_is", {"logit": "logits", "prob": "simplex"}), "index|dist"),
    source="Wang et al. 2019, https://arxiv.org/abs/1908.06112",
    claims=Claims(smooth=True, monotone=True, shift_invariant=True, grad_bound=_symmetric_bound),
)
def symmetric_cross_entropy(
    ops: Ops[A],
    pred: A,
    target: A,
    *,
    pred_is: PredIs = "logit",
    alpha: NonNegative = 0.1,
    beta: NonNegative = 1.0,
    log_zero: NonPositive = -4.0,
) -> A:
    """Symmetric cross-entropy of each row: that of the prediction, and that of the target under the prediction.

    Shapes    pred: (..., C); target: labels (...) of an integer dtype, or distributions (..., C); result: (...)
    Unit      nats
    Range     [0, inf]
    Gradient  in the logit of the label alpha (p - 1) + beta log_zero p (1 - p), smooth
    Limits    a class of logit -inf (probability 0) costs nothing unless the target has a share of it, then inf for
              alpha > 0 and -beta log_zero for alpha = 0; one class costs 0; a label out of range gives NaN. The
              gradient with respect to a share of the target is 0 where its logarithm is at most log_zero
    Keywords  pred_is: what pred holds; alpha >= 0: the factor of cross-entropy; beta >= 0: that of the reverse;
              log_zero <= 0: what stands for log 0, and for the logarithm of any smaller share
    Source    Wang et al. 2019, https://arxiv.org/abs/1908.06112

    >>> import numpy as np
    >>> logits = np.array([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    >>> symmetric_cross_entropy(logits, np.array([0, 2])).round(6)
    array([0.87601 , 2.776528])
    """
    part, valid = distribution(ops, pred, target)
    needed = ops.truth(part)
    row = standing(ops, pred).surprisal if pred_is == "logit" else surprisal(ops, pred, pred_is, needed)
    cost = ops.where(needed, row, 0.0)
    if valid is not None and pred_is == "logit":
        reverse = -log_zero * share(ops, part, complement(ops, cost))
    else:
        prob = ops.exp(-row) if pred_is == "logit" else pred
        reverse = -prob * ops.maximum(ops.log(ops.where(needed, part, 1.0)), log_zero)
        reverse = ops.where(needed, reverse, -log_zero * prob)
    forward = share(ops, part, cost) if alpha else 0.0
    total = ops.sum(alpha * forward + beta * reverse, axis=-1)
    return total if valid is None else ops.where(valid, total, nan)
