"""Cross-entropy of rows with labels, total and gradient together: the softmax becomes the gradient where it stands.

With r = the sum of the p_c without the label y, whatever the p_c are scaled by:

    -log p_y = log1p(r / p_y)     p_y - 1 = -r

so that no probability near 1 is taken from 1, as in `slopes`. Each row is read once; what one number of a row stands
for is done for all rows at the end. A label with next to no probability, or what is not finite, is for the formula.

Layout     classes that are not the last axis in memory, (N, C, H, W), stay where they are
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from lossmith import formulas
from lossmith.kernels.blocks import slices
from lossmith.spec import Formula

BLOCK = 2**18  # entries
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
    if pred_is == "prob" or class_weight is not None or label_smoothing or t.is_floating_point():
        return None
    label = t if keep is None else torch.where(keep, t, 0)
    least, most = label.aminmax()
    if least.item() < 0 or most.item() >= x.shape[-1]:
        return None
    if pred_is == "log_prob":
        return _chosen(x, label.unsqueeze(-1), scale, keep)
    axis = _axis(x)
    label = label.unsqueeze(axis)
    slope, own, rest = _pass(x.movedim(-1, axis) if axis != x.ndim - 1 else x, label, axis, scale)
    cost = torch.div(rest, own).log1p_()
    slope.scatter_(axis, label, rest.neg_())
    if keep is not None:
        lost = ~keep.unsqueeze(axis)
        slope.masked_fill_(lost, 0.0)
        cost.masked_fill_(lost, 0.0)
    if not cost.max().item() < COSTLY[x.dtype]:
        return None
    return cost.sum().mul_(scale), [slope.movedim(axis, -1) if axis != x.ndim - 1 else slope]


def _chosen(x: Tensor, label: Tensor, scale: float, keep: Tensor | None) -> Both:
    """Of log-probabilities one number of each row counts."""
    own, slope = x.gather(-1, label), torch.zeros_like(x)
    if keep is not None:
        own = own.masked_fill(~keep.unsqueeze(-1), 0.0)
    each = torch.full_like(own, -scale) if keep is None else keep.unsqueeze(-1).to(x.dtype).mul_(-scale)
    return own.sum().mul_(-scale), [slope.scatter_(-1, label, each)]


def _axis(x: Tensor) -> int:
    """Where the classes are in memory."""
    return 1 if x.ndim > 2 and not x.is_contiguous() and x.movedim(-1, 1).is_contiguous() else x.ndim - 1


def _pass(x: Tensor, label: Tensor, axis: int, scale: float) -> tuple[Tensor, Tensor, Tensor]:
    """The scaled probabilities, 0 at the label; that of the label, and the sum of the others."""
    if x.numel() <= BLOCK:
        return _of_block(x, label, axis, scale)
    slope = torch.empty_like(x)
    own, rest = (x.new_empty(label.shape) for _ in range(2))
    for index in slices(x.shape, axis, BLOCK):
        slope[index], own[index], rest[index] = _of_block(x[index], label[index], axis, scale)
    return slope, own, rest


def _of_block(x: Tensor, label: Tensor, axis: int, scale: float) -> tuple[Tensor, Tensor, Tensor]:
    p = torch.softmax(x, axis).mul_(scale)
    own = p.gather(axis, label)
    p.scatter_(axis, label, 0.0)
    return p, own, p.sum(axis, keepdim=True)


ROWS: Mapping[Formula, Callable[..., Both | None]] = {formulas.softmax_cross_entropy: cross_entropy}
