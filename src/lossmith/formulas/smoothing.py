"""Cross-entropy against a target that is not quite sure. t is the target distribution over C classes, s the smoothing.

    smoothed_cross_entropy   -sum_c u_c log p_c,   u = (1 - s) t + s / C               over="all"
                                                   u = (1 - s) t + s (1 - t) / (C - 1)   over="others"

A label y is the distribution that is 1 at y. Under "all" its class keeps 1 - s + s / C, under "others" 1 - s: the
first with s (C - 1) / C is the second with s. torch.nn, keras, optax and timm spread over all classes.
"""

from math import nan
from typing import Literal

from lossmith.formulas.softmax import CLASSES, distribution, even, softmax_cross_entropy
from lossmith.formulas.terms import PredIs
from lossmith.ops import A, Ops
from lossmith.settings import Fraction
from lossmith.spec import By, Claims, formula


def _bound(pred_is: PredIs, smoothing: object, over: object) -> float | None:
    """The slope in a logit is p - u, in a log-probability -u; in a probability it has no bound."""
    return None if pred_is == "prob" else 1.0


@formula(
    shapes=CLASSES,
    kinds=(By("pred_is", {"logit": "logits", "log_prob": "logprob", "prob": "simplex"}), "index|dist"),
    source="Szegedy et al. 2016, https://arxiv.org/abs/1512.00567",
    claims=Claims(convex=True, smooth=True, shift_invariant=True, grad_bound=_bound),
)
def smoothed_cross_entropy(
    ops: Ops[A],
    pred: A,
    target: A,
    *,
    pred_is: PredIs = "logit",
    smoothing: Fraction = 0.1,
    over: Literal["all", "others"] = "all",
) -> A:
    """Cross-entropy of each row against a label of which a part is spread evenly over the classes.

    Shapes    pred: (..., C); target: labels (...) of an integer dtype, or distributions (..., C); result: (...)
    Unit      nats
    Range     [0, inf]; the smallest value is the entropy of the smoothed target
    Gradient  in a logit p - u, smooth, at most 1 in size; in a log-probability -u; in a probability -u / p
    Limits    a sure prediction costs inf, right or wrong, where the other classes have a share; one class costs 0;
              a label out of range gives NaN
    Keywords  pred_is: what pred holds; smoothing in [0, 1]: the share of the target that is spread; over: "all" C
              classes, or the C - 1 "others", each as much as it lacks to 1
    Source    Szegedy et al. 2016, https://arxiv.org/abs/1512.00567

    >>> import numpy as np
    >>> logits = np.array([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    >>> smoothed_cross_entropy(logits, np.array([0, 2]), over="others").round(6)
    array([0.439545, 1.098612])
    """
    part, valid = distribution(ops, pred, target)
    share = even(ops, pred)
    if over == "others":
        alone = share >= 1.0  # one class has no others: nothing is spread
        share = ops.where(alone, part, (1.0 - part) * share / ops.where(~alone, 1.0 - share, 1.0))
    total: A = softmax_cross_entropy.body(ops, pred, (1.0 - smoothing) * part + smoothing * share, pred_is=pred_is)
    return total if valid is None else ops.where(valid, total, nan)
