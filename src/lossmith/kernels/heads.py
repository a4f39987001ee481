"""Losses against one vector for each class, without the matrix of logits; the mathematics is the formula's.

-log p_y = softplus(log sum_{c != y} e^(t_c) - t_y): the others come from the pair kernel, and t_y, with its margin,
from the row of the class alone. The classes are here (`WHOLE`), or dealt out to several processes
(`lossmith.kernels.shards`).

Judge     the formula of the same name
"""

from math import inf, nan
from typing import Any

import torch
from torch import Tensor

from lossmith import formulas
from lossmith.formulas.contrastive import distance
from lossmith.formulas.linear import capped
from lossmith.formulas.margins import multiplied, turned_away
from lossmith.formulas.terms import unit
from lossmith.kernels.devices import product_dtype
from lossmith.kernels.kernel import computes
from lossmith.kernels.pairs import ClassSums, against_classes
from lossmith.kernels.shards import WHOLE, Shard, known


@computes(formulas.arc_face)
def arc_face(
    ops: Any,
    embedding: Tensor,
    target: Tensor,
    proxies: Tensor,
    *,
    margin: float,
    scale: float,
    shard: Shard = WHOLE,
) -> Tensor:
    one, label, classes = shard.rows(unit(ops, ops.widen(embedding)), target, proxies)
    sums = _sums(one * scale, label, classes, scale, product_dtype(embedding))
    other = unit(ops, ops.widen(sums.row))
    own = turned_away(ops, _cosine(one, other), one, other, margin)
    return shard.back(shard.cost(ops, sums.rivals, own * scale, label, classes)[0], target)


@computes(formulas.cos_face)
def cos_face(
    ops: Any,
    embedding: Tensor,
    target: Tensor,
    proxies: Tensor,
    *,
    margin: float,
    scale: float,
    shard: Shard = WHOLE,
) -> Tensor:
    one, label, classes = shard.rows(unit(ops, ops.widen(embedding)), target, proxies)
    sums = _sums(one * scale, label, classes, scale, product_dtype(embedding))
    own = _cosine(one, unit(ops, ops.widen(sums.row))) - margin
    return shard.back(shard.cost(ops, sums.rivals, own * scale, label, classes)[0], target)


@computes(formulas.sphere_face)
def sphere_face(ops: Any, embedding: Tensor, target: Tensor, proxies: Tensor, *, margin: int) -> Tensor:
    wide = ops.widen(embedding)
    one, length = unit(ops, wide), distance(ops, wide, torch.zeros_like(wide))
    sums = _sums(embedding, target, proxies, inf, product_dtype(embedding))
    own = multiplied(ops, _cosine(one, unit(ops, ops.widen(sums.row))), margin)
    return WHOLE.cost(ops, sums.rivals, own * length, target, proxies)[0]


@computes(formulas.proxy_nca)
def proxy_nca(ops: Any, embedding: Tensor, target: Tensor, proxies: Tensor, *, scale: float, contrast: str) -> Tensor:
    one = unit(ops, ops.widen(embedding))
    sums = _sums(one * (2.0 * scale), target, proxies, 2.0 * scale, product_dtype(embedding))
    own = 2.0 * scale * _cosine(one, unit(ops, ops.widen(sums.row)))
    if contrast == "all":
        return WHOLE.cost(ops, sums.rivals, own, target, proxies)[0]
    alone = sums.rivals.reshape(target.shape) == -inf
    lead = torch.where(alone, 0.0, sums.rivals.reshape(target.shape)) - own
    return torch.where(known(target, proxies), torch.where(alone, 0.0, lead), nan)


def _sums(u: Tensor, target: Tensor, proxies: Tensor, largest: float, narrow: torch.dtype | None) -> ClassSums:
    """The sums over the directions of the proxies; leading axes are taken as one, but in the row of the class."""
    rows = u.reshape(-1, u.shape[-1])
    sums = against_classes(rows, proxies, target.reshape(-1), largest=largest, unit=True, narrow=narrow)
    return sums._replace(row=sums.row.reshape(u.shape))


def _cosine(one: Tensor, other: Tensor) -> Tensor:
    """As `formulas.batch.cosines`: rounding beyond 1 is taken off, but not its gradient."""
    near = (one * other).sum(-1)
    return near + (near.clamp(-1.0, 1.0) - near).detach()


@computes(formulas.linear_cross_entropy)
def linear_cross_entropy(
    ops: Any,
    hidden: Tensor,
    target: Tensor,
    classes: Tensor,
    *,
    bias: Any = None,
    label_smoothing: float,
    z_weight: float,
    soft_cap: float | None,
    shard: Shard = WHOLE,
) -> Tensor:
    rows, label, _ = shard.rows(hidden.reshape(-1, hidden.shape[-1]), target.reshape(-1), classes)
    offset = None if bias is None else ops.widen(bias).to(hidden.device)
    narrow, smooth = product_dtype(hidden), label_smoothing > 0.0
    sums = against_classes(rows, classes, label, bias=offset, cap=soft_cap, totals=smooth, narrow=narrow)
    own = (ops.widen(rows) * ops.widen(sums.row)).sum(-1)
    own = own if offset is None else own + offset[label.clamp(0, len(classes) - 1)]
    cost, own = shard.cost(ops, sums.rivals, capped(ops, own, soft_cap), label, classes)
    whole, value = own + cost, cost
    if label_smoothing:
        value = (1.0 - label_smoothing) * cost + label_smoothing * (whole - shard.mean(sums.total, classes))
    value = value + z_weight * whole.square() if z_weight else value
    return shard.back(value, target)
