"""What the kernels of segmented images share. Classes are the first axis here, pixels the second, as images lie in
memory; pixels are taken as many at once as the cache holds.

    through softmax    dx_c = p_c (u_c - sum_j p_j u_j),  u_c = v_c - v_a where a class a has more than half: so
                       nothing cancels for a sure class, of which 1 - p_a is the sum of the others
"""

from collections.abc import Iterator
from math import prod

import torch
from torch import Tensor

from lossmith.kernels import blocks

SMALL = 2**13  # entries of an image that are not worth a turn of a Python loop


def large(images: Tensor) -> bool:
    """Whether images (..., P, C) are best taken one by one: small ones are, all at once, by the formula."""
    *batch, pixels, classes = images.shape
    return images.numel() > 0 and (prod(batch) == 1 or pixels * classes >= SMALL)


def columns(x: Tensor) -> Iterator[slice]:
    """Slices of the pixels of (C, P)."""
    step = max(1, 2 * blocks.ON_CPU // max(1, len(x)))
    return (slice(start, start + step) for start in range(0, x.shape[1], step))


def are_classes(labels: Tensor, classes: int) -> bool:
    """Whether every label names a class; with one class labels are 0 and 1."""
    if not labels.numel():
        return True
    least, most = labels.aminmax()
    return least.item() >= 0 and most.item() <= max(1, classes - 1)


def shares_of(truth: Tensor, classes: int, dtype: torch.dtype) -> Tensor:
    """The share of each class in each pixel, (C, P), of labels (P,) or shares (P, C)."""
    if truth.is_floating_point():
        return truth.mT
    if classes == 1:
        return truth.to(dtype).unsqueeze(0)
    # 1 - |label - class| where that is above 0: the products of a cache cost less than a comparison or a scatter
    return (truth.to(dtype) - torch.arange(classes, dtype=dtype).unsqueeze(1)).abs_().neg_().add_(1.0).clamp_(min=0.0)


def chances(x: Tensor) -> tuple[Tensor, Tensor]:
    """p and 1 - p under the softmax over the first axis."""
    p = x.softmax(0)
    lead = leading(p)
    others = torch.addcmul(p, lead, p, value=-1.0).sum(0)
    return p, (1.0 - p).mul_(1.0 - lead).addcmul_(lead, others)


def leading(p: Tensor) -> Tensor:
    """1 for a class with more than half, else 0. Branches on masks cost many times what a product does."""
    return torch.gt(p, 0.5, out=torch.empty_like(p))


def through_softmax(v: Tensor, p: Tensor, out: Tensor | None = None) -> Tensor:
    """The slope by the logits from that by the probabilities; overwrites v. `out` may be p."""
    v.sub_(leading(p).mul_(v).sum(0)).mul_(p)
    return torch.addcmul(v, p, v.sum(0), value=-1.0, out=out)
