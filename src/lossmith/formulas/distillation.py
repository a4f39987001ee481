"""Losses that teach a network what another one says. x are the student's logits, z the teacher's, y a label.

    distillation   (1 - alpha) T^2 KL(softmax(z / T) || softmax(x / T)) + alpha CE(x, y)
                   gradient in x: (1 - alpha) T (p_T - q_T) + alpha (p - y),   p_T, q_T at temperature T
                   soft: the first term, hard: the second

The teacher gets no gradient. T^2 makes the soft gradient as large as the hard one at any temperature.
"""

from lossmith.formulas.softmax import softmax_cross_entropy
from lossmith.formulas.terms import share, standing
from lossmith.ops import A, Ops
from lossmith.settings import Fraction, Positive
from lossmith.spec import Claims, Outcome, formula


@formula(
    shapes="... C, ... C, ... | ... C -> ...",
    kinds=("logits", "logits", "index|dist"),
    source="Hinton, Vinyals and Dean 2015, https://arxiv.org/abs/1503.02531",
    claims=Claims(convex=True, smooth=True, shift_invariant=True),
)
def distillation(
    ops: Ops[A], pred: A, teacher: A, target: A, *, temperature: Positive = 4.0, alpha: Fraction = 0.1
) -> Outcome[A]:
    """Knowledge distillation: the student follows the softened teacher, and the labels.

    Shapes    pred, teacher: (..., C) equal; target: labels (...) of an integer dtype, or distributions (..., C);
              result: (...)
    Unit      nats
    Range     [0, inf); where the student agrees with the teacher the rest is the hard term
    Gradient  (1 - alpha) T (p_T - q_T) + alpha (p - y) in pred, smooth; 0 in the teacher
    Limits    one class costs 0; a label out of range gives NaN
    Keywords  temperature > 0: both are divided by it in the soft term; alpha in [0, 1]: the weight of the hard term
    Source    Hinton, Vinyals and Dean 2015, https://arxiv.org/abs/1503.02531

    >>> import numpy as np
    >>> student, teacher = np.array([[1.0, 0.0]]), np.array([[3.0, 0.0]])
    >>> distillation(student, teacher, np.array([0]), temperature=2.0, alpha=0.5).round(6)
    array([0.337107])
    """
    known = standing(ops, ops.stop_gradient(teacher) / temperature).surprisal
    told = standing(ops, pred / temperature).surprisal
    divergence = ops.sum(share(ops, ops.exp(-known), told - known), axis=-1)
    soft = (1.0 - alpha) * temperature * temperature * divergence
    hard = alpha * softmax_cross_entropy.body(ops, pred, target)
    return Outcome(soft + hard, terms={"soft": soft, "hard": hard})
