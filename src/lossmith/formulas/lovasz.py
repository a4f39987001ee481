"""Losses on the Lovász extension of the Jaccard index: the tightest convex function through its values on hard regions.

For one class let m_1 >= m_2 >= ... be the errors of the pixels from the largest down, G the number of pixels in the
true region, a_i and b_i how many of the first i lie inside and outside of it. The Jaccard loss of getting just these i
wrong is J_i = 1 - (G - a_i) / (G + b_i), and

    loss = sum_i m_i (J_i - J_(i-1))

    lovasz_hinge     m = max(0, 1 - x y),  y = +1 inside and -1 outside
    lovasz_softmax   m = 1 - p inside, p outside

The differences are taken in closed form, so that none cancels:

    inside    1 / (G + b_i)
    outside   (G - a_i) / ((G + b_i) (G + b_i - 1));  1 for the first pixel where G = 0, then 0

Counts are exact up to 2^24 pixels in float32. Equal errors are sorted as they stand: the value does not depend on their
order, the gradient is the one of that order. A pixel that is not kept has the error 0, comes last, and is in no count.
"""

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
    only,
)
from lossmith.formulas.terms import share
from lossmith.ops import A, Ops
from lossmith.spec import Claims, Outcome, formula


def _extended(ops: Ops[A], errors: A, inside: A, kept: A | None) -> A:
    """The Lovász extension of the Jaccard loss at these errors, over the pixels of each class."""
    key = -errors
    if kept is not None:
        key = ops.where(ops.expand_dims(kept, axis=-1), key, 1.0)  # after every error, which is 0 or more
    order = ops.argsort(ops.stop_gradient(key), axis=-2)
    here, there = only(ops, inside, kept), only(ops, 1.0 - inside, kept)
    first, second = (ops.take_along_axis(ops.stop_gradient(x), order, axis=-2) for x in (here, there))
    size = ops.sum(first, axis=-2, keepdims=True)
    union = size + ops.cumulative_sum(second, axis=-2)
    missed = ops.cumulative_sum(first, axis=-2)
    pairs = union * (union - 1.0)
    some = ops.truth(pairs)
    outside = ops.where(some, (size - missed) / ops.where(some, pairs, 1.0), 1.0)
    outside = ops.where(ops.truth(second), outside, 0.0)
    steps = ops.where(ops.truth(first), 1.0 / ops.where(ops.truth(union), union, 1.0), outside)
    sorted_errors = ops.take_along_axis(only(ops, errors, kept), order, axis=-2)
    return ops.sum(share(ops, steps, sorted_errors), axis=-2)  # an infinite error times a step of 0 is 0


@formula(
    shapes=SHAPES,
    kinds=("logits", "index|binary"),
    source="Yu and Blaschko 2015, https://arxiv.org/abs/1512.07797; Berman et al. 2018, "
    "https://arxiv.org/abs/1705.08790",
    claims=Claims(convex=True, monotone=True, grad_bound=1.0),
    coupled="P",
)
def lovasz_hinge(
    ops: Ops[A],
    pred: A,
    target: A,
    *,
    classes: Classes = "all",
    background: bool = True,
    kept: A | None = None,
) -> Outcome[A]:
    """Lovász hinge loss of each class, one against the rest; C = 1 is the binary loss of the papers.

    Shapes    pred: (..., P, C); target: labels (..., P) of an integer dtype, or 0 and 1 (..., P, C); result: (..., C).
              With C = 1 that is the foreground: label 1 inside, label 0 outside
    Unit      dimensionless; the logits are margins
    Range     [0, inf); 0 exactly when every pixel is on its side with a margin of 1 or more
    Gradient  piecewise constant, at most 1 in size; 0 at the kink x y = 1; equal errors as they stand
    Limits    a class that is not there costs the largest error; a label out of range gives NaN in all classes
    Keywords  classes: "all", or only those "present" in the target; background: whether class 0 counts
    Source    Yu and Blaschko 2015, https://arxiv.org/abs/1512.07797; Berman et al. 2018,
              https://arxiv.org/abs/1705.08790

    >>> import numpy as np
    >>> lovasz_hinge(np.array([[3.0], [-0.5], [0.5]]), np.array([1, 1, 0]))
    array([1.])
    """
    inside, valid = membership(ops, pred, target)
    margin = 1.0 - pred * (2.0 * inside - 1.0)
    hinge = ops.where(~(margin <= 0), margin, 0.0)  # NaN stays
    return judged(ops, _extended(ops, hinge, inside, kept), Presence(inside, valid, kept), classes, background)


@formula(
    shapes=SHAPES,
    kinds=(PRED, "index|binary"),
    source="Berman et al. 2018, https://arxiv.org/abs/1705.08790",
    claims=Claims(range=(0.0, 1.0), monotone=True),
    coupled="P",
)
def lovasz_softmax(
    ops: Ops[A],
    pred: A,
    target: A,
    *,
    pred_is: PredIs = "logit",
    activation: Activation = "softmax",
    classes: Classes = "present",
    background: bool = True,
    kept: A | None = None,
) -> Outcome[A]:
    """Lovász-softmax loss of each class.

    Shapes    pred: (..., P, C); target: labels (..., P) of an integer dtype, or 0 and 1 (..., P, C); result: (..., C).
              With C = 1 that is the foreground: label 1 inside, label 0 outside
    Unit      dimensionless
    Range     [0, 1]; 0 exactly when p == t at every pixel
    Gradient  in a probability piecewise constant, at most 1 in size; equal errors as they stand
    Limits    with classes "all" a class that is not there costs the largest p; a label out of range gives NaN
    Keywords  pred_is: what pred holds; activation: "softmax" over the classes, or "sigmoid" for classes that overlap
              and for C = 1; classes: "all", or only those "present" in the target, as the authors do;
              background: whether class 0 counts
    Source    Berman et al. 2018, https://arxiv.org/abs/1705.08790

    >>> import numpy as np
    >>> probs = np.array([[0.75, 0.25], [0.5, 0.5]])
    >>> lovasz_softmax(probs, np.array([0, 1]), pred_is="prob")
    array([0.375, 0.5  ])
    """
    inside, valid = membership(ops, pred, target)
    p, rest = chances(ops, pred, pred_is, activation)
    errors = ops.where(ops.truth(inside), rest, p)
    return judged(ops, _extended(ops, errors, inside, kept), Presence(inside, valid, kept), classes, background)
