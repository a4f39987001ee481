"""Cross-entropy of rows, total and gradient together: the exponentials become the gradient where they stand.

With e_c = exp(x_c - max x), r = the sum of the e_c without the label y, and S = r + e_y,

    -log p_y = log1p(r / e_y)     p_y - 1 = -r / S

so that no probability near 1 is taken from 1. Each row is read once; what one number of a row stands for is done for
all rows at the end. A smoothed label adds s (x_y - mean x) to the cost. Of shares t, r is the sum without the leaders,
whose e is 1:

    sum_c -t_c log p_c = sum_c t_c (max x - x_c) + sum t log1p(r)

A label with next to no probability, or what is not finite, is for the formula.

Layout     classes that are not the last axis in memory, (N, C, H, W), stay where they are
"""

from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from typing import Any

import torch
from torch import Tensor

from lossmith import formulas
from lossmith.kernels.blocks import slices
from lossmith.spec import Formula

BLOCK = 2**18  # entries
SHORT = 32  # classes, up to which torch's softmax and sums take more than their steps
SURE, FEW = 1.5, 8  # rows with less than that for S have a leader; one row in so many is taken out
COSTLY = {torch.float32: 65.0, torch.float64: 530.0}  # beyond it p_y is close to the smallest normal number
Both = tuple[Tensor, list[Tensor]]


def cross_entropy(
    x: Tensor,
    t: Tensor,
    *,
    scale: float,
    keep: Tensor | None,
    pred_is: str,
    class_weight: Any,
    label_smoothing: float,
) -> Both | None:
    """The total of rows whose labels are kept, and its gradient; None for what it does not know."""
    if pred_is == "prob" or (class_weight is not None and (label_smoothing or t.is_floating_point())):
        return None
    if t.is_floating_point():
        return _of_shares(x, t, scale, label_smoothing) if pred_is == "logit" and keep is None else None
    label = t if keep is None else torch.where(keep, t, 0)
    if not are_labels(label, x):
        return None
    factor = x.new_tensor(scale).expand(label.shape) if keep is None else keep.to(x.dtype).mul_(scale)
    if class_weight is not None:
        known = of_labels(label, class_weight, x)
        if known is None:
            return None
        factor = factor * known
    if pred_is == "log_prob":
        return None if label_smoothing else _chosen(x, label.unsqueeze(-1), factor.unsqueeze(-1), keep)
    axis = _axis(x)
    return _of_labels(x, label.unsqueeze(axis), factor.unsqueeze(axis), keep, axis, label_smoothing)


def are_labels(label: Tensor, x: Tensor) -> bool:
    """Whether each is a class of x."""
    least, most = label.aminmax()
    return least.item() >= 0 and most.item() < x.shape[-1]


def of_labels(label: Tensor, weights: Any, x: Tensor) -> Tensor | None:
    """The weight of each label's class; None where there is not one finite number for each class."""
    plain = isinstance(weights, Tensor) and weights.shape == x.shape[-1:] and weights.device == x.device
    return weights.to(x.dtype)[label] if plain and weights.isfinite().all() else None


def weight_sum(x: Tensor, t: Tensor, *, keep: Tensor | None, weights: Any) -> float | None:
    """The sum of the weights of the labels that are kept, which `weighted_mean` divides by; None if it is not known."""
    label = t if keep is None else t[keep]
    if t.is_floating_point() or not label.numel() or not are_labels(label, x):
        return None
    known = of_labels(label, weights, x)
    return None if known is None else known.sum().item()


def _of_labels(
    x: Tensor, label: Tensor, factor: Tensor, keep: Tensor | None, axis: int, smoothing: float
) -> Both | None:
    x = x.movedim(-1, axis)
    slope, (ratio, spread) = torch.empty_like(x), torch.empty(2, *label.shape, dtype=x.dtype)
    for index in _parts(x, axis):
        here = slope[index]
        _block_of_labels(x[index], label[index], factor[index], axis, smoothing, here, ratio[index], spread[index])
    cost = ratio.log1p_()
    if keep is not None:
        lost = ~keep.unsqueeze(axis)
        if not isfinite(cost.sum().item()):  # what is lost may be anything, and 0 times that
            slope.masked_fill_(lost, 0.0)
        cost.masked_fill_(lost, 0.0)
        if smoothing:
            spread.masked_fill_(lost, 0.0)
    if not cost.max().item() < COSTLY[x.dtype]:
        return None
    cost = cost.add_(spread, alpha=smoothing) if smoothing else cost
    total = cost.mul_(factor).sum()
    return (total, [slope.movedim(axis, -1)]) if isfinite(total.item()) else None


def _block_of_labels(
    x: Tensor,
    label: Tensor,
    factor: Tensor,
    axis: int,
    smoothing: float,
    slope: Tensor,
    ratio: Tensor,
    spread: Tensor,
) -> None:
    """Writes the slope, r / e_y, and x_y - mean x if labels are smoothed."""
    if smoothing or x.shape[axis] < SHORT or axis != x.ndim - 1:
        torch.sub(x, x.amax(axis, keepdim=True), out=slope)
        if smoothing:
            torch.sub(slope.gather(axis, label), slope.mean(axis, keepdim=True), out=spread)
        slope.exp_()
    else:  # a factor of all e_c is none of the ratios'
        torch.softmax(x, axis, out=slope)
    own = slope.gather(axis, label)
    rest = _sums(slope.scatter_(axis, label, 0.0), axis)
    torch.div(rest, own, out=ratio)
    each = factor / own.add_(rest)
    slope.mul_(each)
    by_label = rest.mul_(each).neg_()
    if smoothing:
        slope.sub_(factor * (smoothing / x.shape[axis]))
        by_label.add_(factor, alpha=smoothing - smoothing / x.shape[axis])
    slope.scatter_(axis, label, by_label)


def _of_shares(x: Tensor, t: Tensor, scale: float, smoothing: float) -> Both | None:
    axis = _axis(x)
    x, t = x.movedim(-1, axis), t.movedim(-1, axis)
    slope, parts = torch.empty_like(x), list[Tensor]()
    memory = x.new_empty(min(BLOCK + x.shape[axis], x.numel()))  # to ask for it again costs as much as a pass
    for index in _parts(x, axis):
        part, room = t[index], memory[: slope[index].numel()].view(slope[index].shape)
        if smoothing:
            part = part.mul(1.0 - smoothing).add_(smoothing / x.shape[axis])
        parts.append(_block_of_shares(x[index], part, axis, scale, slope[index], room))
    total = torch.stack(parts).sum().mul_(scale)
    return (total, [slope.movedim(axis, -1)]) if isfinite(total.item()) else None


def _block_of_shares(x: Tensor, t: Tensor, axis: int, scale: float, slope: Tensor, room: Tensor) -> Tensor:
    """The sum of the costs; writes the slope."""
    torch.sub(x, x.amax(axis, keepdim=True), out=slope)
    whole, gaps = _sums(t, axis), torch.mul(slope, t, out=room).sum()
    total = _sums(slope.exp_(), axis)
    sure = total < SURE
    count = int(sure.count_nonzero())
    if count * FEW > sure.numel():
        return _led(slope, t, whole, axis, scale, room).mul_(whole).sum() - gaps
    norm = total.log()
    slope.mul_((whole * scale).div_(total)).sub_(t, alpha=scale)
    if count:
        some = sure.squeeze(axis)
        rows, shares = (y.movedim(axis, -1)[some] for y in (x, t))
        e = (rows - rows.amax(-1, keepdim=True)).exp_()
        norm[sure] = _led(e, shares, whole[sure].unsqueeze(-1), -1, scale, torch.empty_like(e)).squeeze(-1)
        slope.movedim(axis, -1)[some] = e
    return norm.mul_(whole).sum() - gaps


def _led(e: Tensor, t: Tensor, whole: Tensor, axis: int, scale: float, leads: Tensor) -> Tensor:
    """log1p(r) of rows with a leader; e becomes the slope."""
    torch.floor(e, out=leads)  # 1 where e is 1
    rest = e.sub_(leads).sum(axis, keepdim=True).add_(leads.sum(axis, keepdim=True).sub_(1.0))
    whole = whole * scale
    each = whole / (1.0 + rest)
    # the leader's p is whole - r each: without whole - t, which may be 0, it would be lost
    e.mul_(each).sub_(t, alpha=scale).addcmul_(leads, whole).addcmul_(leads, each.mul_(rest), value=-1.0)
    return rest.log1p_()


def _chosen(x: Tensor, label: Tensor, factor: Tensor, keep: Tensor | None) -> Both | None:
    """Of log-probabilities one number of each row counts."""
    own, slope = x.gather(-1, label), torch.zeros_like(x)
    if keep is not None:
        own = own.masked_fill(~keep.unsqueeze(-1), 0.0)
    total = own.mul_(factor).sum().neg_()
    return (total, [slope.scatter_(-1, label, -factor)]) if isfinite(total.item()) else None


def _parts(x: Tensor, axis: int) -> Iterator[Any]:
    return slices(x.shape, axis, BLOCK) if x.numel() > BLOCK else iter((...,))


def _sums(x: Tensor, axis: int) -> Tensor:
    """Sums of the rows; of short ones by a product."""
    if x.ndim == 2 and x.shape[1] < SHORT:
        return x @ x.new_ones(x.shape[1], 1)
    return x.sum(axis, keepdim=True)


def _axis(x: Tensor) -> int:
    """Where the classes are in memory."""
    return 1 if x.ndim > 2 and not x.is_contiguous() and x.movedim(-1, 1).is_contiguous() else x.ndim - 1


ROWS: Mapping[Formula, Callable[..., Both | None]] = {formulas.softmax_cross_entropy: cross_entropy}
