"""Losses that ask for a margin of 1, and no more. x is a score, t the target -1 or +1, y the label of a row of scores.

    hinge               max(0, 1 - t x)
    squared_hinge       max(0, 1 - t x)^2
    categorical_hinge   max(0, 1 + max(0, max_{c != y} x_c) - x_y)

The 0 in the categorical form is keras's: with it the score of the label must reach 1 even where all others are below 0.
For a distribution t, x_y is sum_c t_c x_c and x_c is (1 - t_c) x_c.
"""

from math import nan

from lossmith.formulas.softmax import CLASSES, distribution
from lossmith.formulas.terms import share
from lossmith.ops import A, Ops
from lossmith.spec import Claims, formula


def _short(ops: Ops[A], slack: A) -> A:
    """max(0, slack), with gradient 0 where the slack is 0; NaN stays."""
    return ops.where(~(slack <= 0.0), slack, 0.0)


def _slack(ops: Ops[A], pred: A, target: A) -> A:
    """1 - t x; a target of 0 is -1."""
    return 1.0 - ops.where(ops.truth(target), target, -1.0) * pred


@formula(
    shapes="..., ... -> ...",
    kinds=("logits", "pm1"),
    source="Cortes and Vapnik 1995, https://doi.org/10.1007/BF00994018",
    claims=Claims(convex=True, monotone=True, grad_bound=1.0),
)
def hinge(ops: Ops[A], pred: A, target: A) -> A:
    """Hinge loss of a score, elementwise.

    Shapes    pred, target: (...) equal; target -1 and +1, or 0 and 1; result: (...)
    Unit      the unit of the score, of which the margin is 1
    Range     [0, inf); 0 exactly from t x = 1 on
    Gradient  -t where t x < 1, else 0; 0 at the kink t x = 1
    Limits    sure and right (t x = inf) gives 0; sure and wrong inf with gradient -t; NaN gives NaN
    Source    Cortes and Vapnik 1995, https://doi.org/10.1007/BF00994018

    >>> import numpy as np
    >>> hinge(np.array([0.5, 0.5, 3.0]), np.array([1.0, -1.0, 1.0]))
    array([0.5, 1.5, 0. ])
    """
    return _short(ops, _slack(ops, pred, target))


@formula(
    shapes="..., ... -> ...",
    kinds=("logits", "pm1"),
    source="Cortes and Vapnik 1995, https://doi.org/10.1007/BF00994018",
    claims=Claims(convex=True, smooth=True, monotone=True),
)
def squared_hinge(ops: Ops[A], pred: A, target: A) -> A:
    """Squared hinge loss of a score, elementwise.

    Shapes    pred, target: (...) equal; target -1 and +1, or 0 and 1; result: (...)
    Unit      the squared unit of the score, of which the margin is 1
    Range     [0, inf); 0 exactly from t x = 1 on
    Gradient  -2 t max(0, 1 - t x): continuous, without bound towards sure and wrong
    Limits    sure and right (t x = inf) gives 0; sure and wrong inf; NaN gives NaN
    Source    Cortes and Vapnik 1995, https://doi.org/10.1007/BF00994018

    >>> import numpy as np
    >>> squared_hinge(np.array([0.5, 0.5, 3.0]), np.array([1.0, -1.0, 1.0]))
    array([0.25, 2.25, 0.  ])
    """
    return ops.square(_short(ops, _slack(ops, pred, target)))


@formula(
    shapes=CLASSES,
    kinds=("logits", "index|dist"),
    source="Crammer and Singer 2001, https://www.jmlr.org/papers/v2/crammer01a.html",
    claims=Claims(convex=True, monotone=True, grad_bound=1.0),
)
def categorical_hinge(ops: Ops[A], pred: A, target: A) -> A:
    """Hinge loss of each row of scores: that of its label must lead the others, and 0, by 1. It is keras's form.

    Crammer and Singer compare with the other scores alone.

    Shapes    pred: (..., C); target: labels (...) of an integer dtype, or distributions (..., C); result: (...)
    Unit      the unit of the scores, of which the margin is 1
    Range     [0, inf); 0 exactly where the margin is kept
    Gradient  -1 in the score of the label, 1 in the largest of the others where that is above 0; 0 in all where the
              margin is kept; among equals that lead, the reader's
    Limits    a label out of range gives NaN
    Source    Crammer and Singer 2001, https://www.jmlr.org/papers/v2/crammer01a.html

    >>> import numpy as np
    >>> scores = np.array([[2.0, 0.5, 0.0], [0.5, 0.25, -1.0]])
    >>> categorical_hinge(scores, np.array([0, 2]))
    array([0. , 2.5])
    """
    part, valid = distribution(ops, pred, target)
    right = ops.sum(share(ops, part, pred), axis=-1)
    wrong = ops.max(share(ops, 1.0 - part, pred), axis=-1)
    total = _short(ops, (wrong - right) + 1.0)
    return total if valid is None else ops.where(valid, total, nan)
