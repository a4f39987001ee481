"""Losses between two distributions, t the target and p the prediction.

    kl_divergence   sum_c t_c (log t_c - log p_c)      gradient in log p: -t, in p: -t / p, in logits: p - t

A class with t_c = 0 contributes exactly 0, in value and gradient: it is cut out before the logarithm, whose
slope at 0 is infinite.
"""

from typing import Literal

from lossmith.formulas.terms import share, surprisal
from lossmith.ops import A, Ops
from lossmith.spec import By, Claims, formula


@formula(
    shapes="... C, ... C -> ...",
    kinds=(
        By("pred_is", {"logit": "logits", "log_prob": "logprob", "prob": "simplex"}),
        By("log_target", {False: "dist", True: "logprob"}),
    ),
    source="Kullback and Leibler 1951, https://doi.org/10.1214/aoms/1177729694",
    claims=Claims(convex=True, smooth=True, proper=True),
)
def kl_divergence(
    ops: Ops[A],
    pred: A,
    target: A,
    *,
    pred_is: Literal["log_prob", "prob", "logit"] = "log_prob",
    log_target: bool = False,
) -> A:
    """Kullback-Leibler divergence from prediction to target, of each row.

    Shapes    pred, target: (..., C) equal; result: (...)
    Unit      nats
    Range     [0, inf] for distributions; 0 exactly when they are equal. Close to that the terms cancel: the rounding
              of the value is that of its largest term
    Gradient  in a log-probability -t; in a probability -t / p; in a logit p - t
    Limits    t_c = 0 contributes 0 whatever p_c is; p_c = 0 with t_c > 0 gives inf
    Keywords  pred_is: what pred holds; log_target: target holds log-probabilities, -inf included
    Source    Kullback and Leibler 1951, https://doi.org/10.1214/aoms/1177729694

    >>> import numpy as np
    >>> kl_divergence(np.log([[0.5, 0.5]]), np.array([[1.0, 0.0]])).round(6)
    array([0.693147])
    """
    part = ops.exp(target) if log_target else target
    some = ops.truth(part)
    log_part = ops.where(some, target, 0.0) if log_target else ops.log(ops.where(some, target, 1.0))
    return ops.sum(share(ops, part, log_part + surprisal(ops, pred, pred_is, needed=some)), axis=-1)
