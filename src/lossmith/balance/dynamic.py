"""Weights that follow how fast each loss falls (Liu, Johns and Davison 2019, https://arxiv.org/abs/1803.10704).

    w_k = K exp(r_k / T) / sum_i exp(r_i / T),    r_k = L_k(e - 1) / L_k(e - 2)

L_k(e) is the mean of a loss over epoch e, K the number of tasks. A loss that has stopped falling has a large r and so
gets weight; a temperature T far above 1 evens the weights out. In the first two epochs all are 1. Where an earlier
loss is 0, unknown or not finite, the ratio says nothing and counts as 1.
"""

from lossmith.ops import A, Ops


def dynamic_weights(ops: Ops[A], last: A, before: A, temperature: float) -> A:
    """The weights from the mean losses of the last epoch and of the one before; NaN where there was none."""
    known = ops.isfinite(last) & ops.isfinite(before) & ops.truth(before)
    ratio = ops.where(known, last, 1.0) / ops.where(known, before, 1.0)
    scaled = ratio / temperature
    powers = ops.exp(scaled - ops.max(scaled, axis=-1, keepdims=True))
    return powers / ops.sum(powers, axis=-1, keepdims=True) * ops.sum(ops.full_like(powers, 1.0))
