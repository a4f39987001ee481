"""Losses between two distributions, t the target and p the prediction, m = (p + t) / 2.

    kl_divergence           sum_c t_c (log t_c - log p_c)      gradient in log p: -t, in p: -t / p, in logits: p - t
    reverse_kl_divergence   sum_c p_c (log p_c - log t_c)      in p: 1 + log(p / t)
    jensen_shannon          (KL(t || m) + KL(p || m)) / 2      in p: log(p / m) / 2

A class with t_c = 0 (in the reverse, p_c = 0) contributes exactly 0, in value and gradient: it is cut out before the
logarithm, whose slope at 0 is infinite.

Jensen-Shannon, with d = (p - t) / (p + t), so that p = m (1 + d) and t = m (1 - d); its terms are

    m / 2 h(d),   h(d) = (1 + d) log(1 + d) + (1 - d) log(1 - d) = d (log1p(d) - log1p(-d)) + log1p(-d^2)

Both logarithms of the first form cancel near d = 0, those of the second overflow at |d| = 1: each has its half.
"""

from math import log

from lossmith.formulas.terms import PredIs, share, surprisal
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
    pred_is: PredIs = "log_prob",
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


@formula(
    shapes="... C, ... C -> ...",
    kinds=(
        By("pred_is", {"logit": "logits", "log_prob": "logprob", "prob": "simplex"}),
        By("log_target", {False: "dist", True: "logprob"}),
    ),
    source="Kullback and Leibler 1951, https://doi.org/10.1214/aoms/1177729694",
    claims=Claims(smooth=True, shift_invariant=True),
)
def reverse_kl_divergence(
    ops: Ops[A],
    pred: A,
    target: A,
    *,
    pred_is: PredIs = "log_prob",
    log_target: bool = False,
) -> A:
    """Kullback-Leibler divergence from target to prediction, of each row: it avoids what the target excludes.

    Shapes    pred, target: (..., C) equal; result: (...)
    Unit      nats
    Range     [0, inf] for distributions; 0 exactly when they are equal. Close to that the terms cancel: the rounding
              of the value is that of its largest term
    Gradient  in a probability 1 + log(p / t), in its logarithm p times that; in a logit p (log(p / t) - KL)
    Limits    p_c = 0 contributes 0 whatever t_c is, with gradient 0 by convention; t_c = 0 with p_c > 0 gives inf, and
              every logit has p_c > 0
    Keywords  pred_is: what pred holds; log_target: target holds log-probabilities
    Source    Kullback and Leibler 1951, https://doi.org/10.1214/aoms/1177729694

    >>> import numpy as np
    >>> reverse_kl_divergence(np.log([[0.5, 0.5]]), np.array([[0.25, 0.75]])).round(6)
    array([0.143841])
    """
    part, cost = _prediction(ops, pred, pred_is)
    some = ops.truth(part)
    log_part = target if log_target else ops.log(ops.where(some, target, 1.0))
    return ops.sum(share(ops, part, -cost - log_part), axis=-1)


@formula(
    shapes="... C, ... C -> ...",
    kinds=(
        By("pred_is", {"logit": "logits", "log_prob": "logprob", "prob": "simplex"}),
        By("log_target", {False: "dist", True: "logprob"}),
    ),
    source="Lin 1991, https://doi.org/10.1109/18.61115",
    claims=Claims(range=(0.0, log(2.0)), smooth=True, shift_invariant=True),
)
def jensen_shannon(
    ops: Ops[A],
    pred: A,
    target: A,
    *,
    pred_is: PredIs = "logit",
    log_target: bool = False,
) -> A:
    """Jensen-Shannon divergence of prediction and target, of each row: symmetric and bounded.

    Shapes    pred, target: (..., C) equal; result: (...)
    Unit      nats
    Range     [0, log 2]: 0 when they are equal, log 2 when they share no class. Its square root is a metric
    Gradient  in a probability log(p / m) / 2; in its logarithm p times that; it fades where p is small, so that a
              prediction that is sure and wrong hardly learns
    Limits    p_c = 0 or t_c = 0 costs the other's share times log 2 / 2; the gradient in p_c = 0 is finite by
              convention. A class where p + t is below 1e-37 counts as empty
    Keywords  pred_is: what pred holds; log_target: target holds log-probabilities, -inf included
    Source    Lin 1991, https://doi.org/10.1109/18.61115

    >>> import numpy as np
    >>> rows = np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([[0.5, 0.5], [0.0, 1.0]])
    >>> jensen_shannon(*rows, pred_is="prob").round(6)
    array([0.      , 0.693147])
    """
    p, t = _prediction(ops, pred, pred_is)[0], ops.exp(target) if log_target else target
    both = p + t
    some = both > 1e-37
    # the terms depend on ratios only: in units of p + t, held constant, no slope of a quotient overflows
    unit = ops.stop_gradient(ops.where(some, both, 1.0))
    whole = ops.where(some, p / unit + t / unit, 1.0)
    d = ((p - t) / unit) / whole
    close = ops.abs(d) < 0.5
    inner = ops.where(close, d, 0.0)
    near = inner * (ops.log1p(inner) - ops.log1p(-inner)) + ops.log1p(-ops.square(inner))
    larger, smaller = (2.0 * (pick(p, t) / unit / whole) for pick in (ops.maximum, ops.minimum))
    larger, smaller = (ops.where(close, ops.full_like(d, 1.0), x) for x in (larger, smaller))
    far = share(ops, larger, _log(ops, larger)) + share(ops, smaller, _log(ops, smaller))
    return 0.25 * ops.sum(both * ops.where(close, near, far), axis=-1)


def _prediction(ops: Ops[A], pred: A, pred_is: PredIs) -> tuple[A, A]:
    """The probabilities and their surprisals; of a probability of 0 the surprisal counts as 0."""
    cost = surprisal(ops, pred, pred_is, needed=ops.truth(pred))
    return (pred if pred_is == "prob" else ops.exp(-cost)), cost


def _log(ops: Ops[A], x: A) -> A:
    return ops.log(ops.where(ops.truth(x), x, 1.0))
