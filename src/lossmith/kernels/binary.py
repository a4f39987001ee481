"""Binary cross-entropy of logits, total and gradient together: as in `slopes`, in place, a block at a time.

d = [x > 0] - t     q = sigmoid(-|x|)     cost x d - log1p(-q)     slope d - sign(x) q
"""

from math import isfinite
from typing import Any

import torch
from torch import Tensor

from lossmith.kernels.blocks import blocks
from lossmith.kernels.rows import Both

BLOCK = 2**17  # entries


def binary_cross_entropy(
    x: Tensor, t: Tensor, *, scale: float, keep: Tensor | None, pred_is: str, pos_weight: Any
) -> Both | None:
    """The total and its gradient; None for what it does not know, and where the total is not finite."""
    if pred_is != "logit" or pos_weight is not None or keep is not None or not x.ndim or not x.is_cpu:
        return None
    slope, half, parts = torch.empty_like(x), x.new_tensor(0.5), list[Tensor]()
    rooms = x.new_empty(3, min(BLOCK, x.numel()))  # memory that is asked for again and again costs as much as a pass
    for index in blocks(x.shape, 1, BLOCK):
        here, d = x[index], slope[index]
        sign, q, room = rooms[:, : d.numel()].view(3, *d.shape)
        torch.sign(here, out=sign)
        torch.add(half, sign, alpha=0.5, out=d).sub_(t[index])
        torch.abs(here, out=q).neg_().sigmoid_()
        by_side = torch.mul(here, d, out=room).sum()
        d.addcmul_(q, sign, value=-1.0).mul_(scale)
        parts.append(by_side.sub_(q.neg_().log1p_().sum()))
    total = torch.stack(parts).sum().mul_(scale)
    return (total, [slope]) if isfinite(total.item()) else None
