"""Losses for classes of very different sizes. x are the logits of a row, n_c the number of samples of class c.

    logit_adjusted   -log softmax(x + tau log n)_y                    tau = 1: balanced softmax
    class_balanced   w_y times cross-entropy or focal loss
                     w_c = K v_c / sum v,   v_c = (1 - beta) / (1 - beta^n_c),   K the number of classes
    ldam             w_y (-log softmax(z)_y),   z = scale (x - m_y onehot(y))
                     m_c = max_margin (min n / n_c)^(1/4)

1 - beta^n is 1 - e^(n log beta): at beta = 0.9999 and n = 1 the power would leave three digits of it in float32.
Logits are compared with the largest of their row before anything is added to them or multiplies them.

A class without samples takes no part in `min n`, K and the sum.
"""

from collections.abc import Sequence
from math import inf, log
from typing import Literal

from lossmith.formulas.softmax import CLASSES, softmax_cross_entropy, softmax_focal
from lossmith.formulas.terms import complement
from lossmith.ops import A, Ops
from lossmith.settings import NonNegative, Positive, ProperFraction
from lossmith.spec import Claims, formula

WITH_COUNTS = CLASSES.replace(" ->", ", C ->")


def _margin_bound(max_margin: object, scale: float, class_weight: object) -> float | None:
    return scale if class_weight is None else None


@formula(
    shapes=WITH_COUNTS,
    kinds=("logits", "index|dist", "count"),
    source="Menon et al. 2021, https://arxiv.org/abs/2007.07314; tau = 1: Ren et al. 2020, "
    "https://arxiv.org/abs/2007.10740",
    claims=Claims(convex=True, smooth=True, monotone=True, shift_invariant=True, grad_bound=1.0),
)
def logit_adjusted(ops: Ops[A], pred: A, target: A, counts: A, *, tau: NonNegative = 1.0) -> A:
    """Cross-entropy of each row after the logarithm of the class sizes is added to its logits.

    The scores that it learns are those for classes of one size: predict by the logits as they are.

    Shapes    pred: (..., C); target: labels (...) of an integer dtype, or distributions (..., C); counts: (C);
              result: (...)
    Unit      nats
    Range     [0, inf]
    Gradient  in a logit p - t, with p that of the adjusted logits: smooth, at most 1 in size
    Limits    counts may be shares: only their ratios matter. A class of count 0 has probability 0 for tau > 0: it
              costs nothing unless the target has a share of it, then inf; all counts 0: no adjustment; one class
              costs 0; a label out of range gives NaN
    Keywords  tau >= 0: 0 is cross-entropy, 1 balanced softmax
    Source    Menon et al. 2021, https://arxiv.org/abs/2007.07314; tau = 1: Ren et al. 2020,
              https://arxiv.org/abs/2007.10740

    >>> import numpy as np
    >>> logits = np.array([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    >>> logit_adjusted(logits, np.array([0, 2]), np.array([8.0, 1.0, 1.0])).round(6)
    array([0.033274, 2.302585])
    """
    present = ops.truth(counts)
    largest = ops.max(counts, axis=-1, keepdims=True)
    some = ops.truth(largest)
    ratio = ops.where(present, counts / ops.where(some, largest, 1.0), 1.0)
    bias = ops.where(present | ~some, tau * ops.log(ratio), -inf if tau else 0.0)
    total: A = softmax_cross_entropy.body(ops, _behind(ops, pred) + bias, target)
    return total


@formula(
    shapes=WITH_COUNTS,
    kinds=("logits", "index|dist", "count"),
    source="Cui et al. 2019, https://arxiv.org/abs/1901.05555",
    claims=Claims(smooth=True, monotone=True, shift_invariant=True),
)
def class_balanced(
    ops: Ops[A],
    pred: A,
    target: A,
    counts: A,
    *,
    beta: ProperFraction = 0.9999,
    base: Literal["cross_entropy", "focal"] = "cross_entropy",
    gamma: NonNegative = 2.0,
) -> A:
    """Cross-entropy or focal loss of each row, weighted by the inverse effective number of samples of its class.

    Shapes    pred: (..., C); target: labels (...) of an integer dtype, or distributions (..., C); counts: (C);
              result: (...)
    Unit      nats
    Range     [0, inf]
    Gradient  w_y times that of the base: smooth
    Limits    equal counts give the base itself; a class of count 0 has weight 0; one class costs 0; a label out of
              range gives NaN
    Keywords  beta in [0, 1): 0 weighs all classes with 1, towards 1 with the inverse of their counts; base: the loss
              that is weighted; gamma >= 0: how fast its focal form fades
    Source    Cui et al. 2019, https://arxiv.org/abs/1901.05555

    >>> import numpy as np
    >>> logits = np.array([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    >>> class_balanced(logits, np.array([0, 2]), np.array([8.0, 1.0, 1.0])).round(6)
    array([0.042287, 1.55095 ])
    """
    present = ops.truth(counts)
    samples = ops.where(present, counts, 1.0)
    number = complement(ops, -log(beta) * samples) if beta else ops.full_like(samples, 1.0)
    weight = ops.where(present, 1.0 / number, 0.0)
    total = ops.sum(weight, axis=-1, keepdims=True)
    classes = ops.sum(ops.where(present, ops.full_like(counts, 1.0), 0.0), axis=-1, keepdims=True)
    weight = weight * classes / ops.where(ops.truth(total), total, 1.0)
    values: A = (
        softmax_cross_entropy.body(ops, pred, target, class_weight=weight)
        if base == "cross_entropy"
        else softmax_focal.body(ops, pred, target, gamma=gamma, alpha=weight)
    )
    return values


@formula(
    shapes="... C, ..., C -> ...",
    kinds=("logits", "index", "count"),
    source="Cao et al. 2019, https://arxiv.org/abs/1906.07413",
    claims=Claims(convex=True, smooth=True, monotone=True, shift_invariant=True, grad_bound=_margin_bound),
)
def ldam(
    ops: Ops[A],
    pred: A,
    target: A,
    counts: A,
    *,
    max_margin: NonNegative = 0.5,
    scale: Positive = 30.0,
    class_weight: A | Sequence[float] | None = None,
) -> A:
    """Label-distribution-aware margin loss: cross-entropy in which the smaller a class, the wider its margin.

    Shapes    pred: (..., C), cosines in the paper; target: (...) of an integer dtype; counts: (C); result: (...)
    Unit      nats
    Range     [0, inf]
    Gradient  in a logit scale (p - onehot), with p that of z: smooth, at most scale in size
    Limits    counts may be shares: only their ratios matter. A class of count 0 has the margin max_margin; one class
              costs 0; a label out of range gives NaN
    Keywords  max_margin >= 0: the margin of the smallest class, in the unit of pred; scale > 0: multiplies logits
              and margins; class_weight: C factors, for the second stage of deferred re-weighting
    Source    Cao et al. 2019, https://arxiv.org/abs/1906.07413

    >>> import numpy as np
    >>> cosines = np.array([[0.75, 0.0, 0.0], [0.75, 0.0, 0.0]])
    >>> ldam(cosines, np.array([0, 2]), np.array([16.0, 1.0, 1.0]), scale=4.0).round(6)
    array([0.239545, 5.054985])
    """
    present = ops.truth(counts)
    least = -ops.max(ops.where(present, -counts, -inf), axis=-1, keepdims=True)
    ratio = ops.where(present, least / ops.where(present, counts, 1.0), 1.0)
    margin = max_margin * ops.sqrt(ops.sqrt(ratio))
    z = scale * (_behind(ops, pred) - ops.where(ops.one_hot(target, pred), margin, 0.0))
    total: A = softmax_cross_entropy.body(ops, z, target, class_weight=class_weight)
    return total


def _behind(ops: Ops[A], logits: A) -> A:
    """How far each logit is behind the largest of its row."""
    return logits - ops.stop_gradient(ops.max(logits, axis=-1, keepdims=True))
