"""Value and slope in a few operations, for the losses that are asked for most: `blocks` takes them where all is finite.

Each says what its formula says, with as many digits: no probability near 1 is taken from 1. With q = sigmoid(-|x|)

    binary_cross_entropy    d = [x > 0] - t      value x d - log1p(-q)      slope d - sign(x) q
    binary_focal            t is 0 or 1, z = (1 - 2 t) x: the cost softplus(z) times (1 - p)^gamma = sigmoid(z)^gamma
    softmax_cross_entropy   r = sum of the p_c without the label y: -log p_y = -log1p(-r) where p_y > 1/2,
                            p_y - 1 = -r; for a distribution likewise, r without the leader

The focal loss looks at no number, so that it can be compiled (`written`): its kernel then has one exponential and one
logarithm, where the formula has several of both, for targets that may be soft.

Values that torch has in one kernel, with the formula's accuracy, are taken from there (`FUSED`).
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as fn

from lossmith import formulas
from lossmith.kernels.written import Written
from lossmith.spec import Formula

Pair = tuple[Tensor, Tensor]
LEADS = 0.6  # a class with more than this has no equal


def binary_cross_entropy(x: Tensor, t: Tensor, *, pred_is: str, pos_weight: Any) -> Pair | None:
    if pos_weight is not None:
        return None
    if pred_is == "prob":
        rest, no = 1.0 - x, 1.0 - t
        value = (-x).log1p_().mul_(no).addcmul_(t, x.log()).neg_()
        return value, no.div_(rest).sub_(t / x)
    sign, near = x.sign(), x.abs().neg_().sigmoid_()
    side = torch.add(x.new_tensor(0.5), sign, alpha=0.5).sub_(t)
    value = torch.mul(x, side).sub_(near.neg().log1p_())
    return value, side.addcmul_(near, sign, value=-1.0)


def binary_focal(
    x: Tensor, t: Tensor, *, pred_is: str, gamma: float, alpha: Any
) -> tuple[Tensor, Tensor, Tensor] | None:
    if pred_is != "logit" or not isinstance(alpha, (int, float, type(None))):
        return None
    sign = t.mul(-2.0).add_(1.0)
    z = x * sign
    above = z.clamp(min=0.0)
    e = z.abs().neg_().exp_()
    near = (e + 1.0).reciprocal_()
    far = e * near
    cost = _log1p(e).add_(above)  # softplus(z)
    up = z.sign_().mul_(0.5).add_(0.5)
    rise = torch.addcmul(far, near - far, up)  # sigmoid(z)
    factor = rise.pow(gamma)
    value = factor * cost
    slope = far.add_(near).sub_(rise).mul_(cost).mul_(gamma).add_(rise).mul_(factor).mul_(sign)
    known = (t * t == t).all()
    if alpha is None:
        return value, slope, known
    weight = t.mul(2.0 * alpha - 1.0).add_(1.0 - alpha)
    return value.mul_(weight), slope.mul_(weight), known


def _log1p(e: Tensor) -> Tensor:
    """log(1 + e) of 0 <= e <= 1; may overwrite e.

    Compiled, 2 atanh(s) with s = e / (2 + e) <= 1/3 takes a fifth of the library's time; the first term left out is
    1e-8 of the sum.
    """
    if e.dtype != torch.float32 or not torch.compiler.is_compiling():
        return e.log1p_()
    s = e / (e + 2.0)
    square, sum_ = s * s, 0.0
    for odd in range(13, 1, -2):
        sum_ = (sum_ + 1.0 / odd) * square
    return (sum_ + 1.0) * s * 2.0


def softmax_cross_entropy(
    x: Tensor, t: Tensor, *, pred_is: str, class_weight: Any, label_smoothing: float
) -> Pair | None:
    if pred_is != "logit" or class_weight is not None or not x.numel():
        return None
    if t.is_floating_point():
        even = label_smoothing / x.shape[-1]
        return _of_distribution(x, t.mul(1.0 - label_smoothing).add_(even) if label_smoothing else t)
    least, most = t.aminmax()
    if least < 0 or most >= x.shape[-1]:
        return None
    return of_label(x, t.unsqueeze(-1), label_smoothing)


def of_label(x: Tensor, label: Tensor, smoothing: float) -> Pair:
    p = x.softmax(-1)
    own = p.gather(-1, label)
    rest = p.scatter_(-1, label, 0.0).sum(-1, keepdim=True)
    cost = torch.where(own > 0.5, (-rest).log1p_(), own.log()).neg_()
    few = own < torch.finfo(x.dtype).tiny ** 0.75
    if few.any():  # there the label is not the leader, whose p still stands
        behind = x.amax(-1, keepdim=True) - x.gather(-1, label)
        cost = torch.where(few, behind - p.amax(-1, keepdim=True).log_(), cost)
    slope = p.scatter_(-1, label, -rest)
    if smoothing:
        gap = x.amax(-1, keepdim=True) - x
        norm = cost - gap.gather(-1, label)
        even = smoothing / x.shape[-1]
        cost = (1.0 - smoothing) * cost + even * gap.sum(-1, keepdim=True) + smoothing * norm
        slope = slope.sub_(even).scatter_add_(-1, label, torch.full_like(cost, smoothing))
    return cost.squeeze(-1), slope


def _of_distribution(x: Tensor, t: Tensor) -> Pair:
    p, whole = x.softmax(-1), t.sum(-1, keepdim=True)
    most = p.amax(-1, keepdim=True)
    others = -fn.threshold(-p, -LEADS, 0.0)  # a leader's p is 0 here
    rest = others.sum(-1, keepdim=True)
    lead = p.sub_(others).sign_()
    norm = torch.where(most > LEADS, (-rest).log1p_(), most.log()).neg_()
    gap = x.amax(-1, keepdim=True) - x
    value = gap.mul_(t).sum(-1, keepdim=True).addcmul_(whole, norm)
    slope = others.mul_(whole).sub_(t).addcmul_(lead, whole).addcmul_(lead, rest.mul_(whole), value=-1.0)
    return value.squeeze(-1), slope


def kl_divergence(x: Tensor, t: Tensor, *, pred_is: str, log_target: bool) -> Pair | None:
    if pred_is != "log_prob" or log_target:
        return None
    return torch.xlogy(t, t).addcmul_(t, x, value=-1.0).sum(-1), -t


def poisson_nll(x: Tensor, t: Tensor, *, log_input: bool, full: bool) -> Pair | None:
    if full or not log_input:
        return None
    rate = x.exp()
    return torch.addcmul(rate, t, x, value=-1.0), rate - t


def gaussian_nll(x: Tensor, t: Tensor, v: Tensor, *, full: bool, beta: Any) -> tuple[Tensor, ...] | None:
    if full or not isinstance(beta, (int, float)) or beta:
        return None
    r = x - t
    slope = r / v
    square = r.mul_(slope)
    return v.log().add_(square).mul_(0.5), slope, square.neg_().add_(1.0).div_(v).mul_(0.5)


def squared_error(x: Tensor, t: Tensor) -> Pair:
    r = x - t
    return r.square(), r.mul_(2.0)


def absolute_error(x: Tensor, t: Tensor) -> Pair:
    r = x - t
    return r.abs(), r.sign_()


def huber(x: Tensor, t: Tensor, *, delta: float) -> Pair:
    r = x - t
    slope = r.clamp(-delta, delta)
    return r.sub_(slope, alpha=0.5).mul_(slope), slope


def smooth_l1(x: Tensor, t: Tensor, *, beta: float) -> Pair | None:
    if not beta:
        return absolute_error(x, t)
    r = x - t
    slope = r.div(beta).clamp_(-1.0, 1.0)
    return r.sub_(slope, alpha=0.5 * beta).mul_(slope), slope


KNOWN: dict[Formula, Callable[..., tuple[Tensor, ...] | None]] = {
    formulas.squared_error: squared_error,
    formulas.absolute_error: absolute_error,
    formulas.huber: huber,
    formulas.smooth_l1: smooth_l1,
    formulas.binary_cross_entropy: binary_cross_entropy,
    formulas.softmax_cross_entropy: softmax_cross_entropy,
    formulas.kl_divergence: kl_divergence,
    formulas.poisson_nll: poisson_nll,
    formulas.gaussian_nll: gaussian_nll,
}
WRITTEN: dict[Formula, Written] = {formulas.binary_focal: Written(binary_focal)}
PLACES: Mapping[Formula, tuple[int, ...]] = {formulas.gaussian_nll: (0, 2)}  # where not in the first argument alone


def _squared_error(pred: Tensor, target: Tensor) -> Tensor:
    return fn.mse_loss(pred, target, reduction="none")


def _absolute_error(pred: Tensor, target: Tensor) -> Tensor:
    return fn.l1_loss(pred, target, reduction="none")


def _huber(pred: Tensor, target: Tensor, *, delta: float) -> Tensor:
    return fn.huber_loss(pred, target, reduction="none", delta=delta)


def _smooth_l1(pred: Tensor, target: Tensor, *, beta: float) -> Tensor:
    return fn.smooth_l1_loss(pred, target, reduction="none", beta=beta)


def _chosen(pred: Tensor, target: Tensor, *, pred_is: str, class_weight: Any, label_smoothing: float) -> Tensor | None:
    """Cross-entropy of labels on log-probabilities: one number of each row."""
    if not _are_chosen(target, pred_is, class_weight, label_smoothing):
        return None
    valid = (target >= 0) & (target < pred.shape[-1])
    own = pred.gather(-1, torch.where(valid, target, 0).unsqueeze(-1)).squeeze(-1)
    return torch.where(valid, -own, torch.nan)


def _are_chosen(target: Tensor, pred_is: str, class_weight: Any, label_smoothing: float) -> bool:
    return pred_is == "log_prob" and class_weight is None and not (label_smoothing or target.is_floating_point())


FUSED: Mapping[Formula, Callable[..., Tensor | None]] = {
    formulas.squared_error: _squared_error,
    formulas.absolute_error: _absolute_error,
    formulas.huber: _huber,
    formulas.smooth_l1: _smooth_l1,
    formulas.softmax_cross_entropy: _chosen,
}
