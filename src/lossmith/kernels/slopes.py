"""Value and slope in a few operations, for the losses that are asked for most: `blocks` takes them where all is finite.

Each says what its formula says, with as many digits: no probability near 1 is formed and taken from 1. Let
e = exp(-|x|) <= 1, so that softplus(x) = max(x, 0) + log1p(e):

    binary_cross_entropy    d = [x > 0] - t      value x d + log1p(e)      slope d -+ e / (1 + e)
    binary_focal            t is 0 or 1, z = (1 - 2 t) x: the cost softplus(z), its factor exp(-gamma softplus(-z))
    softmax_cross_entropy   e_c = exp(x_c - max x), r = sum of e_c without the label y: -log p_y = max x - x_y +
                            log(e_y + r), which is log1p(r) where y leads; p_y - 1 = -r / (e_y + r)

and for a distribution t that adds up to T, with r = sum e - 1 taken without the leader

    value sum_c t_c (max x - x_c) + T log1p(r)      slope (T e_c - t_c - t_c r) / (1 + r)

What torch has in one kernel, with the formula's accuracy, is taken from there (`FUSED`).
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as fn

from lossmith import formulas
from lossmith.spec import Formula

Pair = tuple[Tensor, Tensor]


def binary_cross_entropy(x: Tensor, t: Tensor, *, pred_is: str, pos_weight: Any) -> Pair | None:
    if pred_is != "logit" or pos_weight is not None:
        return None
    above = (x > 0.0).to(x.dtype)
    side = above - t
    e = x.abs().neg_().exp_()
    value = torch.addcmul(e.log1p(), x, side)
    small = e.div_(e + 1.0)
    return value, side.addcmul_(small, above.mul_(-2.0).add_(1.0))


def binary_focal(x: Tensor, t: Tensor, *, pred_is: str, gamma: float, alpha: Any) -> Pair | None:
    if pred_is != "logit" or not isinstance(alpha, (int, float, type(None))) or not torch.equal(t * t, t):
        return None
    sign = t.mul(-2.0).add_(1.0)
    z = x * sign
    rest = z.abs().neg_().exp_().log1p_()
    above = z.clamp(min=0.0)
    fade, cost = z.sub_(above).neg_().add_(rest), rest.add_(above)  # softplus(-z), softplus(z)
    factor = torch.exp(fade * -gamma)
    value = factor * cost
    rise = fade.neg_().exp_()
    slope = rise.addcmul_(cost, torch.exp(-cost), value=gamma).mul_(factor).mul_(sign)
    if alpha is None:
        return value, slope
    weight = t.mul(2.0 * alpha - 1.0).add_(1.0 - alpha)
    return value.mul_(weight), slope.mul_(weight)


def softmax_cross_entropy(
    x: Tensor, t: Tensor, *, pred_is: str, class_weight: Any, label_smoothing: float
) -> Pair | None:
    if pred_is != "logit" or class_weight is not None or not x.shape[-1]:
        return None
    top = x.amax(-1, keepdim=True)
    gap = top - x
    if t.is_floating_point():
        if label_smoothing:
            t = t.mul(1.0 - label_smoothing).add_(label_smoothing / x.shape[-1])
        return _of_distribution(gap, t)
    if not ((t >= 0) & (t < x.shape[-1])).all():
        return None
    if label_smoothing:
        return _of_smoothed(gap, t.unsqueeze(-1), label_smoothing)
    return _of_label(gap, t.unsqueeze(-1))


def _of_label(gap: Tensor, label: Tensor) -> Pair:
    own = gap.gather(-1, label)
    e = gap.neg_().exp_()
    mine = (-own).exp_()
    rest = e.scatter_(-1, label, 0.0).sum(-1, keepdim=True)
    value = own.add_(torch.where(mine == 1.0, rest, rest + mine - 1.0).log1p_())
    return value.squeeze(-1), e.scatter_(-1, label, -rest).div_(rest + mine)


def _of_smoothed(gap: Tensor, label: Tensor, smoothing: float) -> Pair:
    even, most = smoothing / gap.shape[-1], 1.0 - smoothing
    value = most * gap.gather(-1, label) + even * gap.sum(-1, keepdim=True)
    e, rest = _against_leader(gap)
    value.add_(rest.log1p())
    slope = e.div_(rest.add_(1.0)).sub_(even)
    return value.squeeze(-1), slope.scatter_add_(-1, label, value.new_full(label.shape, -most))


def _of_distribution(gap: Tensor, t: Tensor) -> Pair:
    whole = t.sum(-1, keepdim=True)
    value = (t * gap).sum(-1, keepdim=True)
    e, rest = _against_leader(gap)
    value.addcmul_(whole, rest.log1p())
    return value.squeeze(-1), e.mul_(whole).sub_(t).addcmul_(t, rest, value=-1.0).div_(rest.add(1.0))


def _against_leader(gap: Tensor) -> Pair:
    """exp(-gap), in the memory of the gaps, and its sum without one leader."""
    leads = gap == 0.0
    others = leads.sum(-1, keepdim=True).sub_(1)
    e = gap.neg_().exp_()
    return e, e.masked_fill(leads, 0.0).sum(-1, keepdim=True).add_(others)


KNOWN: Mapping[Formula, Callable[..., Pair | None]] = {
    formulas.binary_cross_entropy: binary_cross_entropy,
    formulas.binary_focal: binary_focal,
    formulas.softmax_cross_entropy: softmax_cross_entropy,
}


def _squared_error(ops: Any, pred: Tensor, target: Tensor) -> Tensor:
    return fn.mse_loss(pred, target, reduction="none")


def _absolute_error(ops: Any, pred: Tensor, target: Tensor) -> Tensor:
    return fn.l1_loss(pred, target, reduction="none")


def _huber(ops: Any, pred: Tensor, target: Tensor, *, delta: float) -> Tensor:
    return fn.huber_loss(pred, target, reduction="none", delta=delta)


FUSED: Mapping[Formula, Callable[..., Tensor]] = {
    formulas.squared_error: _squared_error,
    formulas.absolute_error: _absolute_error,
    formulas.huber: _huber,
}
