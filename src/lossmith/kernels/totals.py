"""The total of a loss whose samples do not interact: neither its values nor what lies between are kept.

    forward    for each block: the sum of its values, and its slopes / n into the gradient
    backward   gradient * upstream; where the upstream gradient is one (`total.backward()`) not even that

This is the plain call of a face: a mean or a sum, without weights or a mask; labels that are ignored are left out.
Three ways lead there: torch's own total, where it is one kernel and the batch is small (`NATIVE`); a total of rows
(`rows`); and the values and slopes of `blocks`, added up.

Memory     the gradient, and one block
Numerics   the formula's own; blocks are added in the dtype of the prediction, as torch adds
Again      a second backward computes the gradient again; a graph of the gradient is the formula's
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from lossmith import formulas
from lossmith.kernels.binary import binary_cross_entropy
from lossmith.kernels.blocks import InBlocks, MoreThanValues, learns
from lossmith.kernels.native import IN_BLOCKS, NATIVE, REDUCTIONS, UNASKED, native_in_the_middle
from lossmith.kernels.rows import ROWS, Both, weight_sum
from lossmith.reduction import Reduction
from lossmith.spec import Formula

Total = Callable[..., Tensor | None]
AT_ONCE: Mapping[Formula, Callable[..., Both | None]] = {
    **ROWS,
    **IN_BLOCKS,
    formulas.binary_cross_entropy: binary_cross_entropy,
}


def planned(
    body: InBlocks,
    arrays: Sequence[Tensor],
    settings: Mapping[str, Any],
    *,
    reduction: Reduction,
    ignored: int | None = None,
) -> Total | None:
    """The total of arrays of these shapes and dtypes, which `body` is for; it gives None where it takes the formula."""
    if reduction == "weighted_mean" and body.formula in ROWS and settings["class_weight"] is None:
        reduction = "mean"
    by_weight = reduction == "weighted_mean" and body.formula in ROWS and arrays[0].is_cpu
    code = REDUCTIONS.get(reduction)
    if (code is None and not by_weight) or learns(settings) or any(x.is_meta for x in arrays):
        return None
    native, native_settings = NATIVE.get(body.formula), settings
    if body.formula in ROWS:
        native_settings = {**settings, "ignored": ignored}
        native = None if by_weight else native
    elif not body.alone(arrays, settings) and not native_in_the_middle(body.formula, arrays[0]):
        native = None
    if not arrays[0].is_cpu and body.formula not in UNASKED:  # a device would have to be waited for
        native = None
    count = body.count(arrays)

    def total(*arrays: Tensor) -> Tensor | None:
        found = None if native is None else native(*arrays, code, **native_settings)
        return _in_blocks(body, arrays, settings, reduction, ignored, count) if found is None else found

    return total


def _in_blocks(
    body: InBlocks,
    arrays: Sequence[Tensor],
    settings: Mapping[str, Any],
    reduction: Reduction,
    ignored: int | None,
    count: int,
) -> Tensor | None:
    moved = [place for place, x in enumerate(arrays) if x.requires_grad] if torch.is_grad_enabled() else []
    if moved and not body.pays(arrays, settings, moved):
        return None
    keep = None
    if body.labels is not None and ignored is not None and not arrays[body.labels].is_floating_point():
        ignored = ignored_in(arrays[body.labels], ignored)
        if ignored is not None:
            keep = arrays[body.labels] != ignored
            count = int(keep.count_nonzero())
    if not count:
        return None
    divisor: float | None = count if reduction == "mean" else 1.0
    if reduction == "weighted_mean":
        divisor = weight_sum(*arrays, keep=keep, weights=settings["class_weight"])
    if not divisor:
        return None
    scale = 1.0 / divisor
    compute = partial(_summed, body, settings, moved, scale, keep)
    judge = partial(_judged, body.formula, scale, ignore_index=ignored, **settings)
    try:
        return _Total.apply(compute, judge, moved, *arrays) if moved else compute(arrays)[0]
    except MoreThanValues:  # values that stand for several terms each
        return None


def _judged(formula: Formula, scale: float, *arrays: Tensor, **settings: Any) -> Tensor:
    """The total by the formula, with every graph."""
    return formula.total(*arrays, reduction="sum", **settings) * scale


def ignored_in(labels: Tensor, ignored: int) -> int | None:
    """The ignored label, where it is no less than the least of these and no more than the largest."""
    least, most = labels.aminmax()
    return ignored if least.item() <= ignored <= most.item() else None


def _summed(
    body: InBlocks,
    settings: Mapping[str, Any],
    moved: Sequence[int],
    scale: float,
    keep: Tensor | None,
    arrays: Sequence[Tensor],
) -> Both:
    """The total, and its gradients."""
    rows = AT_ONCE.get(body.formula)
    known = moved == [0] or (not moved and body.formula in ROWS)  # whose slope costs little
    found = None if rows is None or not known else rows(*arrays, scale=scale, keep=keep, **settings)
    return body.summed(arrays, settings, moved, scale, keep) if found is None else found


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, compute: Callable[..., Both], judge: Callable[..., Tensor], moved: Sequence[int], *arrays: Tensor
    ) -> Tensor:
        ctx.compute, ctx.judge, ctx.moved = compute, judge, moved
        ctx.save_for_backward(*arrays)
        total, ctx.slopes = compute(arrays)
        return total

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        (weight,), arrays = upstream, ctx.saved_tensors
        gradients: list[Tensor | None] = [None] * (3 + len(arrays))
        if torch.is_grad_enabled():
            chosen = [arrays[place] for place in ctx.moved]
            found = torch.autograd.grad(ctx.judge(*arrays), chosen, weight, create_graph=True, materialize_grads=True)
        else:
            # handed over and not kept, so that they can be scaled in place
            found, ctx.slopes = ctx.slopes, None
            if found is None:
                _, found = ctx.compute(arrays)
            if weight.device.type != "cpu" or weight.item() != 1.0:
                found = [slope.mul_(weight) for slope in found]
        for place, gradient in zip(ctx.moved, found, strict=True):
            gradients[3 + place] = gradient
        return tuple(gradients)
