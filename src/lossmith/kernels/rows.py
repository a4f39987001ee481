"""Cross-entropy of rows with labels, total and gradient together: the softmax becomes the gradient where it stands.

With r = the sum of the p_c without the label y, -log p_y = -log1p(-r) where p_y > 1/2, and p_y - 1 = -r: as in
`slopes`, no probability near 1 is taken from 1. Each row is read once; what one number of a row stands for is done
for all rows at the end.

Layout     classes that are not the last axis in memory, (N, C, H, W), stay where they are
Numerics   a row whose label has next to no probability is computed again by itself, from its logits
"""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

import torch
from torch import Tensor

from lossmith import formulas
from lossmith.kernels.blocks import slices
from lossmith.kernels.slopes import of_label
from lossmith.spec import Formula

BLOCK = 2**18  # entries
Both = tuple[Tensor, list[Tensor]]


def cross_entropy(
    arrays: Sequence[Tensor], settings: Mapping[str, Any], moved: Sequence[int], scale: float, keep: Tensor | None
) -> Both | None:
    """The total of rows whose labels are kept, and its gradient; None for what it does not know."""
    x, t = (array.detach() for array in arrays)
    known = settings["pred_is"] == "logit" and settings["class_weight"] is None and not settings["label_smoothing"]
    if not known or t.is_floating_point() or list(moved) != [0] or x.device.type != "cpu":
        return None
    label = t if keep is None else torch.where(keep, t, 0)
    least, most = label.aminmax()
    if least < 0 or most >= x.shape[-1]:
        return None
    axis = _axis(x)
    slope, own, rest = _pass(x.movedim(-1, axis), label.unsqueeze(axis), axis, scale)
    cost = torch.where(own > 0.5, (-rest).log1p_(), own.log()).neg_()
    few = own < torch.finfo(x.dtype).tiny ** 0.75
    if few.any():
        few = few.squeeze(axis)
        cost = cost.squeeze(axis)
        cost[few] = of_label(x[few], label[few].unsqueeze(-1))[0]
        cost = cost.unsqueeze(axis)
    rest = rest.mul_(-scale)
    slope.scatter_(axis, label.unsqueeze(axis), rest)
    if keep is not None:
        lost = ~keep.unsqueeze(axis)
        slope.masked_fill_(lost, 0.0)
        cost.masked_fill_(lost, 0.0)
    total = cost.sum()
    return (total.mul_(scale), [slope.movedim(axis, -1)]) if isfinite(total.item()) else None


def _axis(x: Tensor) -> int:
    """Where the classes are in memory."""
    return 1 if x.ndim > 2 and not x.is_contiguous() and x.movedim(-1, 1).is_contiguous() else x.ndim - 1


def _pass(x: Tensor, label: Tensor, axis: int, scale: float) -> tuple[Tensor, Tensor, Tensor]:
    """The probabilities, 0 at the label and times `scale`; that of the label, and the sum of the others."""
    slope = torch.empty_like(x)
    own, rest = (x.new_empty(label.shape) for _ in range(2))
    for index in slices(x.shape, axis, BLOCK):
        here = label[index]
        p = torch.softmax(x[index], axis)
        own[index] = p.gather(axis, here)
        p.scatter_(axis, here, 0.0)
        rest[index] = p.sum(axis, keepdim=True)
        torch.mul(p, scale, out=slope[index])
    return slope, own, rest


ROWS: Mapping[Formula, Callable[..., Both | None]] = {formulas.softmax_cross_entropy: cross_entropy}
