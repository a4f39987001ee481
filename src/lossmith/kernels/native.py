"""The total of a small batch in torch's own operations, wherever they say what the formula says; else None.

    squared_error ...       torch's kernel: its value and slope are the formula's
    softmax_cross_entropy   torch's kernel on float64, unless a logit may lead by so much that digits are lost there
                            too; in float32 those of every sure row are
    binary_cross_entropy    likewise; of probabilities torch's kernel, away from its guards
    triplet_margin          of distances whose squares neither over- nor underflow

Of larger batches (`IN_BLOCKS`) the two kernels that torch has for value and slope take one block after the other.

Where torch gives another answer than the formula is asked of numbers that are computed anyway. Autograd takes the
gradient, and a graph of it. For ignored labels torch leaves out what the formula leaves out. Its kernels are called
as they are: the functions over them look at shapes and kinds a second time.
"""

from collections.abc import Callable, Mapping
from math import inf, isfinite
from typing import Any

import torch
from torch import Tensor
from torch._C import _nn as kernels  # pyright: ignore[reportAttributeAccessIssue]

from lossmith import formulas
from lossmith.kernels.blocks import blocks, limit
from lossmith.kernels.rows import Both
from lossmith.spec import Formula

MEAN, SUM = 1, 2
REDUCTIONS = {"mean": MEAN, "sum": SUM}  # torch's numbers
SMALL = 2**14  # entries, up to which float64 costs next to nothing
LOGIT, LEAD = 16.0, 20.0  # with less, what an entry or a row costs has the digits of float32 in float64
MIDDLE = 2**21  # entries, up to which blocks of `EVEN` formulas gain nothing over torch's graph
NONE = -(2**63)  # a label that no batch has


def smooth_l1(x: Tensor, t: Tensor, reduction: int, *, beta: float) -> Tensor:
    return kernels.smooth_l1_loss(x, t, reduction, beta) if beta else kernels.l1_loss(x, t, reduction)


def binary_cross_entropy(x: Tensor, t: Tensor, reduction: int, *, pred_is: str, pos_weight: Any) -> Tensor | None:
    if pos_weight is not None or t.requires_grad:
        return None
    if pred_is == "prob":
        return _of_probability(x, t, reduction)
    least, most = _ends(x)
    if not (least > -LOGIT and most < LOGIT):
        return None
    wide = torch.binary_cross_entropy_with_logits(x.double(), t.double(), None, None, reduction)
    return _finite(wide.float())


def _of_probability(x: Tensor, t: Tensor, reduction: int) -> Tensor | None:
    # torch adds 1e-12 to a probability in the second derivative, and stops logarithms at -100
    least, most = x.detach().aminmax()
    guarded = 1e-12 / torch.finfo(x.dtype).eps
    inside = guarded < least.item() and guarded < 1.0 - most.item()
    return kernels.binary_cross_entropy(x, t, None, reduction) if inside else None


def softmax_cross_entropy(
    x: Tensor,
    t: Tensor,
    reduction: int,
    *,
    ignored: int | None = None,
    pred_is: str,
    class_weight: Any,
    label_smoothing: float,
) -> Tensor | None:
    hard = not t.is_floating_point()
    if pred_is == "prob" or class_weight is not None or t.requires_grad or (hard and t.dtype != torch.int64):
        return None
    left_out = NONE if ignored is None else ignored
    try:
        if pred_is == "logit":
            return _of_logit(x, t, reduction, left_out, label_smoothing)
        if hard and not label_smoothing:
            return _finite(kernels.nll_loss_nd(_classes_second(x), t, None, reduction, left_out))
    except IndexError:  # a label that is no class
        pass
    return None


def _of_logit(x: Tensor, t: Tensor, reduction: int, ignored: int, smoothing: float) -> Tensor | None:
    """A label whose logit leads by g costs e^-g at least."""
    least, most = _ends(x) if x.ndim == 2 else (-inf, inf)
    if not most - least < LEAD:
        return None
    wide = t.double() if t.is_floating_point() else t
    return _finite(kernels.cross_entropy_loss(x.double(), wide, None, reduction, ignored, smoothing).float())


def _ends(x: Tensor) -> tuple[float, float]:
    """The least and the largest number of a small batch of float32; of others the ends of all."""
    if x.dtype != torch.float32 or x.numel() > SMALL:
        return -inf, inf
    least, most = x.detach().aminmax()
    return least.item(), most.item()


def _classes_second(x: Tensor) -> Tensor:
    return x if x.ndim <= 2 else x.movedim(-1, 1)


def kl_divergence(x: Tensor, t: Tensor, reduction: int, *, pred_is: str, log_target: bool) -> Tensor | None:
    if pred_is != "log_prob" or log_target or t.requires_grad:
        return None
    total = torch.kl_div(x, t, SUM, log_target=False)
    return _finite(total / (x.numel() // x.shape[-1]) if reduction == MEAN else total)


def poisson_nll(x: Tensor, t: Tensor, reduction: int, *, log_input: bool, full: bool) -> Tensor | None:
    if full or not log_input:
        return None
    return _finite(torch.poisson_nll_loss(x, t, True, False, 0.0, reduction))


def triplet_margin(
    anchor: Tensor, positive: Tensor, negative: Tensor, reduction: int, *, margin: float, p: float, swap: bool
) -> Tensor | None:
    if p != 2 or swap:
        return None
    near = torch.linalg.vector_norm(anchor - positive, 2, -1)
    far = torch.linalg.vector_norm(anchor - negative, 2, -1)
    least, most = torch.stack((near.detach(), far.detach())).aminmax()
    smallest = torch.finfo(anchor.dtype).tiny ** 0.4
    if not (least.item() > smallest and most.item() < 1.0 / smallest):
        return None
    return _reduced((near - far).add_(margin).relu(), reduction)


def _reduced(values: Tensor, reduction: int) -> Tensor:
    return values.mean() if reduction == MEAN else values.sum()


def _finite(total: Tensor) -> Tensor | None:
    return total if isfinite(total.item()) else None


NATIVE: Mapping[Formula, Callable[..., Tensor | None]] = {
    formulas.squared_error: kernels.mse_loss,
    formulas.absolute_error: kernels.l1_loss,
    formulas.huber: lambda x, t, reduction, *, delta: kernels.huber_loss(x, t, reduction, delta),
    formulas.smooth_l1: smooth_l1,
    formulas.binary_cross_entropy: binary_cross_entropy,
    formulas.softmax_cross_entropy: softmax_cross_entropy,
    formulas.kl_divergence: kl_divergence,
    formulas.poisson_nll: poisson_nll,
    formulas.triplet_margin: triplet_margin,
}


def in_blocks(forward: Callable[..., Tensor], backward: Callable[..., Tensor]) -> Callable[..., Both | None]:
    """Total and slope by torch's two kernels."""

    def summed(x: Tensor, t: Tensor, *, scale: float, keep: None, **settings: float) -> Both | None:
        if settings.get("beta") == 0.0 or not x.ndim:
            return None
        slope, upstream, parts = torch.empty_like(x), x.new_tensor(scale), list[Tensor]()
        for index in blocks(x.shape, 1, limit(x)):
            here = x[index], t[index]
            parts.append(forward(*here, SUM, *settings.values()))
            backward(upstream, *here, SUM, *settings.values(), grad_input=slope[index])
        return torch.stack(parts).sum().mul_(scale), [slope]

    return summed


aten = torch.ops.aten
IN_BLOCKS: Mapping[Formula, Callable[..., Both | None]] = {
    formulas.squared_error: in_blocks(kernels.mse_loss, aten.mse_loss_backward.grad_input),
    formulas.huber: in_blocks(kernels.huber_loss, aten.huber_loss_backward.out),
    formulas.smooth_l1: in_blocks(kernels.smooth_l1_loss, aten.smooth_l1_loss_backward.grad_input),
}
UNASKED = frozenset((*IN_BLOCKS, formulas.absolute_error))  # no number is looked at
EVEN = frozenset((*IN_BLOCKS, formulas.triplet_margin))


def native_in_the_middle(formula: Formula, x: Tensor) -> bool:
    """Whether more than a block is left to torch."""
    return formula in EVEN and x.numel() <= MIDDLE
