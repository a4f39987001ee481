"""Weights learnt as the noise of each task (Kendall, Gal and Cipolla 2018, https://arxiv.org/abs/1705.07115).

s is the log-variance of a task and L its loss; the total is the sum over the tasks of

    regression       exp(-s) L / 2 + s / 2    L a squared error: the surprisal of a Gaussian of variance e^s
    classification   exp(-s) L + s / 2        L a cross-entropy: a softmax of temperature e^s, in the paper's limit

The best s is log L for regression and log 2 L for classification, where a task costs (1 + log L) / 2 and
(1 + log 2 L) / 2: the total falls without bound as a loss goes to 0, and may be negative. A loss that can be negative
itself drives s to -inf.
"""

from typing import Literal

from lossmith.ops import A, Ops

Form = Literal["regression", "classification"]
FACTORS = {"regression": 0.5, "classification": 1.0}


def uncertainty(ops: Ops[A], log_variances: A, factors: A) -> tuple[A, A]:
    """The weight of each task, and what is added to the weighted sum. `factors` are `FACTORS` of the tasks' forms."""
    return factors * ops.exp(-log_variances), 0.5 * ops.sum(log_variances)
