"""Operations written on the other operations, for the readers whose own version misses the meaning in `Ops`.

    logsumexp x = t + log sum e^(x - t),  t = max x

Native versions differ where all entries are -inf: the gradient of torch, jax and tensorflow is NaN there.
"""

from math import inf

from lossmith.ops import A, Ops


def logsumexp(ops: Ops[A], x: A, *, axis: int, keepdims: bool) -> A:
    """See `Ops.logsumexp`."""
    top = ops.stop_gradient(ops.max(x, axis=axis, keepdims=True))
    top = ops.where(ops.isfinite(top), top, 0.0)  # inf - inf would be NaN
    total = ops.sum(ops.exp(x - top), axis=axis, keepdims=True)
    some = ops.truth(total)  # False where every entry is -inf
    result = ops.where(some, top + ops.log(ops.where(some, total, 1.0)), -inf)
    return result if keepdims else ops.sum(result, axis=axis)
