"""Losses of the overlap of a predicted region and the true one, for each class: 0 where they are one, 1 where disjoint.

Over the pixels of an image, p the probability of the class and t its true share:

    right = sum p t    over = sum p (1 - t)    under = sum (1 - p) t    wrong = over + under

    dice      wrong / (2 right + wrong + smooth)               1 - 2 sum p t / (sum p + sum t)
    jaccard   wrong / (right + wrong + smooth)                 1 - intersection / union

These are the usual expressions, brought to one fraction: 1 - 2 sum p t / ... rounds to a multiple of 1e-7 (float32)
where the prediction is nearly right, this keeps its digits. `smooth` stands where it usually stands, above and below
in 1 - (... + smooth) / (... + smooth): it does not move the minimum from p = t. At its default of 0 a class that is
neither there nor predicted costs 0 with gradient 0, and one that is not there but predicted costs 1, whatever p > 0 is,
so without a gradient: `classes="present"` leaves it out, `smooth` or a larger region (the batch) teaches p = 0.

`form` says what is summed where t is a share, not 0 or 1. With hard targets "l1" and "product" are one.

    product    as above; its smallest value over p is at p = 0 or 1, not at p = t (Wang et al. 2023)
    l1         right = sum min(p, t), over = sum max(p - t, 0), under = sum max(t - p, 0): 0 only at p = t
    squared    right = sum p t, wrong = sum (p - t)^2, so that dice is 1 - 2 sum p t / (sum p^2 + sum t^2), the form
               of V-Net: 0 only at p = t

A fraction a / (a + b) is computed as 1 / (1 + b / a) or (a / b) / (1 + a / b), by which of a and b is larger: the
slopes of the plain quotient, 1 / (a + b) and a / (a + b)^2, cancel where b is 0 and leave a rounding error over a.
"""

from dataclasses import dataclass
from math import inf
from typing import Generic, Literal

from lossmith.formulas.pixels import (
    PRED,
    SHAPES,
    Activation,
    Classes,
    PredIs,
    Presence,
    chances,
    judged,
    membership,
    over_pixels,
)
from lossmith.ops import A, Ops
from lossmith.settings import NonNegative
from lossmith.spec import Claims, Outcome, formula

Form = Literal["product", "l1", "squared"]
SMALLEST = 1.2e-38  # the smallest normal float32: the reciprocal of anything smaller may overflow


@dataclass(frozen=True)
class Overlap(Generic[A]):
    """The sums over the pixels of each class, and what `judged` needs to finish."""

    right: A
    over: A
    under: A
    presence: Presence[A]


def overlap(
    ops: Ops[A], pred: A, target: A, kept: A | None, pred_is: PredIs, activation: Activation, form: Form
) -> Overlap[A]:
    share, valid = membership(ops, pred, target)
    p, rest = chances(ops, pred, pred_is, activation)
    right, over, under = p * share, p * (1.0 - share), rest * share
    if form != "product":
        lack = under - over  # t - p
        short, long = ops.where(lack > 0, lack, 0.0), ops.where(lack < 0, -lack, 0.0)
        if form == "squared":
            over, under = ops.square(long), ops.square(short)
        else:
            right, over, under = ops.where(lack > 0, p, share), long, short
    right, over, under = (over_pixels(ops, x, kept) for x in (right, over, under))
    return Overlap(right, over, under, Presence(share, valid, kept))


def _balance(ops: Ops[A], part: A, rest: A) -> tuple[A, A]:
    """Which of two is larger, and the smaller over the larger: 0 with gradient 0 where neither is a normal number."""
    more = part > rest
    large, small = ops.where(more, part, rest), ops.where(more, rest, part)
    some = ~(large < SMALLEST)  # NaN stays
    return more, ops.where(some, small, 0.0) / ops.where(some, large, 1.0)


def portion(ops: Ops[A], part: A, rest: A) -> A:
    """part / (part + rest), 0 where both are 0."""
    more, ratio = _balance(ops, part, rest)
    return ops.where(~more, ratio, 1.0) / (1.0 + ratio)


def _minus_log(ops: Ops[A], part: A, rest: A) -> A:
    """-log(1 - part / (part + rest)): inf where `rest` is 0 and `part` is not."""
    more, ratio = _balance(ops, part, rest)
    some = ops.truth(ratio)
    fall = ops.where(some, ops.log(ops.where(some, ratio, 1.0)), -inf)
    return ops.log1p(ratio) - ops.where(more, fall, 0.0)


def dice_of(ops: Ops[A], regions: Overlap[A], smooth: float, log: bool) -> A:
    return (_minus_log if log else portion)(ops, regions.over + regions.under, 2.0 * regions.right + smooth)


def jaccard_of(ops: Ops[A], regions: Overlap[A], smooth: float, log: bool) -> A:
    return (_minus_log if log else portion)(ops, regions.over + regions.under, regions.right + smooth)


@formula(
    shapes=SHAPES,
    kinds=(PRED, "index|soft"),
    source="Milletari et al. 2016, https://arxiv.org/abs/1606.04797; form: Wang et al. 2023, "
    "https://arxiv.org/abs/2303.16296",
    claims=Claims(monotone=True),
    coupled="P",
)
def dice(
    ops: Ops[A],
    pred: A,
    target: A,
    *,
    pred_is: PredIs = "logit",
    activation: Activation = "softmax",
    form: Form = "product",
    smooth: NonNegative = 0.0,
    classes: Classes = "all",
    log: bool = False,
    background: bool = True,
    kept: A | None = None,
) -> Outcome[A]:
    """Soft Dice loss of each class: how little of the predicted region and the true one is common to both.

    Shapes    pred: (..., P, C); target: labels (..., P) of an integer dtype, or shares (..., P, C); result: (..., C).
              With C = 1 that is the foreground: label 1 inside, label 0 outside
    Unit      dimensionless
    Range     [0, 1], with log [0, inf]; for a hard target 0 exactly when p == t at every pixel
    Gradient  smooth in the logits; form "l1" has a kink at p = t, where the part of that pixel is 0 by convention
    Limits    a class neither there nor predicted: 0 with gradient 0. With smooth = 0 one that is not there costs 1
              without a gradient wherever p > 0, inf with log. A label out of range gives NaN in all classes
    Keywords  pred_is: what pred holds; activation: "softmax" over the classes, or "sigmoid" for classes that overlap
              and for C = 1; form: "product", "l1", "squared" (V-Net); smooth >= 0, in pixels; classes: "all", or only
              those "present" in the target; background: whether class 0 counts; log: -log(1 - loss), which
              weighs poor overlaps more
    Source    Milletari et al. 2016, https://arxiv.org/abs/1606.04797; form: Wang et al. 2023,
              https://arxiv.org/abs/2303.16296

    >>> import numpy as np
    >>> probs = np.array([[0.75, 0.25], [0.5, 0.5]])
    >>> dice(probs, np.array([0, 1]), pred_is="prob").round(6)
    array([0.333333, 0.428571])
    """
    regions = overlap(ops, pred, target, kept, pred_is, activation, form)
    return judged(ops, dice_of(ops, regions, smooth, log), regions.presence, classes, background)


@formula(
    shapes=SHAPES,
    kinds=(PRED, "index|soft"),
    source="Rahman and Wang 2016, https://doi.org/10.1007/978-3-319-50835-1_22; form: Wang et al. 2023, "
    "https://arxiv.org/abs/2302.05666",
    claims=Claims(monotone=True),
    coupled="P",
)
def jaccard(
    ops: Ops[A],
    pred: A,
    target: A,
    *,
    pred_is: PredIs = "logit",
    activation: Activation = "softmax",
    form: Form = "product",
    smooth: NonNegative = 0.0,
    classes: Classes = "all",
    log: bool = False,
    background: bool = True,
    kept: A | None = None,
) -> Outcome[A]:
    """Soft Jaccard (IoU) loss of each class: the part of the union that is not in the intersection.

    Shapes    pred: (..., P, C); target: labels (..., P) of an integer dtype, or shares (..., P, C); result: (..., C).
              With C = 1 that is the foreground: label 1 inside, label 0 outside
    Unit      dimensionless
    Range     [0, 1], with log [0, inf]; for a hard target 0 exactly when p == t at every pixel
    Gradient  smooth in the logits; form "l1" has a kink at p = t, where the part of that pixel is 0 by convention
    Limits    a class neither there nor predicted: 0 with gradient 0. With smooth = 0 one that is not there costs 1
              without a gradient wherever p > 0, inf with log. A label out of range gives NaN in all classes
    Keywords  pred_is: what pred holds; activation: "softmax" over the classes, or "sigmoid" for classes that overlap
              and for C = 1; form: "product", "l1", "squared"; smooth >= 0, in pixels; classes: "all", or only those
              "present" in the target; background: whether class 0 counts; log: -log(1 - loss)
    Source    Rahman and Wang 2016, https://doi.org/10.1007/978-3-319-50835-1_22; form: Wang et al. 2023,
              https://arxiv.org/abs/2302.05666

    >>> import numpy as np
    >>> probs = np.array([[0.75, 0.25], [0.5, 0.5]])
    >>> jaccard(probs, np.array([0, 1]), pred_is="prob")
    array([0.5, 0.6])
    """
    regions = overlap(ops, pred, target, kept, pred_is, activation, form)
    return judged(ops, jaccard_of(ops, regions, smooth, log), regions.presence, classes, background)
