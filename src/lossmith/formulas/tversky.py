"""Overlap losses with one price for what is too much and one for what is missing; the sums are those of `overlap`.

    tversky         w / (right + w + smooth),  w = alpha over + beta under
    focal_tversky   tversky^gamma

With alpha = beta = 1/2 Tversky is Dice, with alpha = beta = 1 Jaccard.
"""

from lossmith.formulas.overlap import Form, Overlap, overlap, portion
from lossmith.formulas.pixels import PRED, SHAPES, Activation, Classes, PredIs, judged
from lossmith.ops import A, Ops
from lossmith.settings import NonNegative, Positive
from lossmith.spec import Claims, Outcome, formula


def tversky_of(ops: Ops[A], regions: Overlap[A], alpha: float, beta: float, smooth: float) -> A:
    return portion(ops, alpha * regions.over + beta * regions.under, regions.right + smooth)


def focal_tversky_of(ops: Ops[A], regions: Overlap[A], alpha: float, beta: float, gamma: float, smooth: float) -> A:
    loss = tversky_of(ops, regions, alpha, beta, smooth)
    some = ops.truth(loss)
    return ops.where(some, ops.exp(gamma * ops.log(ops.where(some, loss, 1.0))), 0.0)


@formula(
    shapes=SHAPES,
    kinds=(PRED, "index|soft"),
    source="Salehi et al. 2017, https://arxiv.org/abs/1706.05721",
    claims=Claims(range=(0.0, 1.0), monotone=True),
    coupled="P",
)
def tversky(
    ops: Ops[A],
    pred: A,
    target: A,
    *,
    alpha: NonNegative = 0.5,
    beta: NonNegative = 0.5,
    pred_is: PredIs = "logit",
    activation: Activation = "softmax",
    form: Form = "product",
    smooth: NonNegative = 0.0,
    classes: Classes = "all",
    background: bool = True,
    kept: A | None = None,
) -> Outcome[A]:
    """Tversky loss of each class: overlap with one price for what is too much and one for what is missing.

    alpha = beta = 1/2 is `dice` (with half its smooth), alpha = beta = 1 is `jaccard`.

    Shapes    pred: (..., P, C); target: labels (..., P) of an integer dtype, or shares (..., P, C); result: (..., C).
              With C = 1 that is the foreground: label 1 inside, label 0 outside
    Unit      dimensionless
    Range     [0, 1]; for a hard target 0 exactly when p == t at every pixel, with alpha and beta above 0
    Gradient  smooth in the logits; form "l1" has a kink at p = t, where the part of that pixel is 0 by convention
    Limits    a class neither there nor predicted: 0 with gradient 0. With smooth = 0 one that is not there costs 1
              without a gradient wherever p > 0. A label out of range gives NaN in all classes
    Keywords  alpha >= 0 weighs false positives, beta >= 0 false negatives; pred_is: what pred holds; activation:
              "softmax" over the classes, or "sigmoid" for classes that overlap and for C = 1; form: "product", "l1",
              "squared"; smooth >= 0, in pixels; classes: "all", or only those "present" in the target;
              background: whether class 0 counts
    Source    Salehi et al. 2017, https://arxiv.org/abs/1706.05721

    >>> import numpy as np
    >>> probs = np.array([[0.75, 0.25], [0.5, 0.5]])
    >>> tversky(probs, np.array([0, 1]), alpha=0.5, beta=1.5, pred_is="prob").round(6)
    array([0.454545, 0.636364])
    """
    regions = overlap(ops, pred, target, kept, pred_is, activation, form)
    return judged(ops, tversky_of(ops, regions, alpha, beta, smooth), regions.presence, classes, background)


@formula(
    shapes=SHAPES,
    kinds=(PRED, "index|soft"),
    source="Abraham and Khan 2019, https://arxiv.org/abs/1810.07842",
    claims=Claims(range=(0.0, 1.0), monotone=True),
    coupled="P",
)
def focal_tversky(
    ops: Ops[A],
    pred: A,
    target: A,
    *,
    alpha: NonNegative = 0.3,
    beta: NonNegative = 0.7,
    gamma: Positive = 0.75,
    pred_is: PredIs = "logit",
    activation: Activation = "softmax",
    form: Form = "product",
    smooth: NonNegative = 0.0,
    classes: Classes = "all",
    background: bool = True,
    kept: A | None = None,
) -> Outcome[A]:
    """Focal Tversky loss of each class: the Tversky loss to the power gamma.

    The paper writes the power 1 / gamma, with gamma = 4/3, and calls alpha the weight of false negatives; its defaults
    are the ones here.

    Shapes    pred: (..., P, C); target: labels (..., P) of an integer dtype, or shares (..., P, C); result: (..., C).
              With C = 1 that is the foreground: label 1 inside, label 0 outside
    Unit      dimensionless
    Range     [0, 1]; for a hard target 0 exactly when p == t at every pixel, with alpha and beta above 0
    Gradient  in the logits finite at every gamma, and 0 in the limit of a perfect prediction: no logit moves the
              Tversky loss T faster than T itself, which meets T^(gamma - 1). In probabilities without bound there
              for gamma < 1; where T is 0 the gradient is 0 by convention
    Limits    a class neither there nor predicted: 0 with gradient 0. With smooth = 0 one that is not there costs 1
              without a gradient wherever p > 0. A label out of range gives NaN in all classes
    Keywords  alpha >= 0 weighs false positives, beta >= 0 false negatives; gamma > 0: the power, below 1 steeper where
              little is wrong; pred_is: what pred holds; activation: "softmax" over the classes, or "sigmoid" for
              classes that overlap and for C = 1; form: "product", "l1", "squared"; smooth >= 0, in pixels; classes:
              "all", or only those "present" in the target; background: whether class 0 counts
    Source    Abraham and Khan 2019, https://arxiv.org/abs/1810.07842

    >>> import numpy as np
    >>> probs = np.array([[0.75, 0.25], [0.5, 0.5]])
    >>> focal_tversky(probs, np.array([0, 1]), pred_is="prob").round(6)
    array([0.407715, 0.558066])
    """
    regions = overlap(ops, pred, target, kept, pred_is, activation, form)
    loss = focal_tversky_of(ops, regions, alpha, beta, gamma, smooth)
    return judged(ops, loss, regions.presence, classes, background)
