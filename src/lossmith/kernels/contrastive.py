"""The contrastive losses on the pair kernels: what each compares, in a few lines; the mathematics is the formula's.

Their rows are the samples that are here, their columns those of the whole batch, which is here too (`ALONE`) or on
several processes (`lossmith.kernels.exchange`).

Judge     the formula of the same name
"""

from math import inf
from typing import Any

import torch
from torch import Tensor

from lossmith import formulas
from lossmith.formulas.infonce import capped_scale
from lossmith.formulas.terms import unit
from lossmith.kernels.devices import product_dtype
from lossmith.kernels.exchange import ALONE, Batch
from lossmith.kernels.kernel import computes
from lossmith.kernels.pairs import log_sum
from lossmith.kernels.tiles import All, Both, Labelled, Others, Rule
from lossmith.spec import Outcome


@computes(formulas.nt_xent)
def nt_xent(ops: Any, first: Tensor, second: Tensor, *, temperature: float, batch: Batch = ALONE) -> Tensor:
    u, v = unit(ops, ops.widen(first)), unit(ops, ops.widen(second))
    own = (u * v).sum(-1) / temperature
    tags = batch.samples(u).repeat(2).unsqueeze(1)
    both = torch.cat([u, v]) * temperature**-0.5
    narrow = product_dtype(first)
    rivals = batch.log_sum(both, both, _other_samples, tags, largest=1.0 / temperature, narrow=narrow)
    of_first, of_second = rivals.tensor_split(2)
    return 0.5 * (ops.softplus(of_first - own) + ops.softplus(of_second - own))


@computes(formulas.info_nce)
def info_nce(
    ops: Any, first: Tensor, second: Tensor, negatives: Tensor, *, temperature: float, in_batch: bool
) -> Tensor:
    u, v, w = (unit(ops, ops.widen(x)) for x in (first, second, negatives))
    own = (u * v).sum(-1) / temperature
    scaled, largest = u / temperature, 1.0 / temperature
    shared = w if w.ndim == 2 else w.new_empty(0, u.shape[-1])
    columns, rule = (torch.cat([v, shared]), Others()) if in_batch else (shared, All())
    rivals = log_sum(scaled, columns, rule=rule, largest=largest, narrow=product_dtype(first))
    if w.ndim == 3:
        each = ops.matmul(w, scaled.unsqueeze(-1)).squeeze(-1)
        rivals = ops.logsumexp(torch.cat([each, rivals.unsqueeze(-1)], -1), axis=-1)
    return ops.softplus(rivals - own)


@computes(formulas.clip)
def clip(
    ops: Any, first: Tensor, second: Tensor, *, log_scale: Tensor | float, batch: Batch = ALONE
) -> Outcome[Tensor]:
    u, v = unit(ops, ops.widen(first)), unit(ops, ops.widen(second))
    scale = capped_scale(ops, log_scale, u)
    own, tags, narrow = (u * v).sum(-1) * scale, batch.samples(u).unsqueeze(1), product_dtype(first)
    rivals = batch.log_sum(u * scale, v, _other_rows, tags, largest=_read(scale), both=True, narrow=narrow)
    there, back = (ops.softplus(each - own) for each in rivals)
    return Outcome(0.5 * (there + back), terms={"first_to_second": there, "second_to_first": back})


@computes(formulas.sig_lip)
def sig_lip(
    ops: Any,
    first: Tensor,
    second: Tensor,
    *,
    log_scale: Tensor | float,
    bias: Tensor | float,
    batch: Batch = ALONE,
) -> Outcome[Tensor]:
    u, v = unit(ops, ops.widen(first)), unit(ops, ops.widen(second))
    scale, shift = ops.asarray(log_scale, like=u).exp(), ops.asarray(bias, like=u)
    positive, tags = ops.softplus(-((u * v).sum(-1) * scale + shift)), batch.samples(u).unsqueeze(1)
    negative = batch.softplus_sum(u * scale, v, _other_rows, tags, shift=shift, narrow=product_dtype(first))
    return Outcome(positive + negative, terms={"positive": positive, "negative": negative})


@computes(formulas.sup_con)
def sup_con(
    ops: Any, embedding: Tensor, target: Tensor, *, temperature: float, batch: Batch = ALONE
) -> Outcome[Tensor]:
    """The mean of -log p over a class: what the others add to the log-sum of the class, and the spread inside it.

    mean_p (log sum_all e^s - s_p) = softplus(others - own) + (own - mean_p s_p),   own = log sum_p e^s
    """
    order = target.argsort(stable=True)  # one class after another: most tiles then hold no pair of one class
    label, largest, narrow = target[order], 1.0 / temperature, product_dtype(embedding)
    tags = torch.stack([label, batch.samples(label)], 1)
    z = unit(ops, ops.widen(embedding))[order] * temperature**-0.5
    own = batch.log_sum(z, z, _partners, tags, largest=largest, narrow=narrow)
    rivals = batch.log_sum(z, z, _other_classes, tags, largest=largest, narrow=narrow)
    sums, size = batch.of_class(z, label)
    count = size - 1
    mean = (z * (sums - z)).sum(-1) / count.clamp(min=1)
    spread = torch.where(count > 1, own - mean, 0.0)  # of one partner it is 0, which own, a logarithm, only nearly says
    value = torch.where(count > 0, ops.softplus(rivals - torch.where(count > 0, own, 0.0)) + spread, 0.0)
    back = order.argsort()
    return Outcome(value[back], counts=(count > 0).to(value.dtype)[back])


# Rules by the tags of rows and of columns. Columns that are the rows need no tags: they are known by their place.
def _other_classes(rows: Tensor, columns: Tensor) -> Rule:
    """Pairs whose first tags differ."""
    return Labelled(rows[:, 0], columns[:, 0], same=False)


def _other_rows(rows: Tensor, columns: Tensor) -> Rule:
    """Pairs of two samples, of which each has one row."""
    return Others() if columns is rows else _other_classes(rows, columns)


def _other_samples(rows: Tensor, columns: Tensor) -> Rule:
    """Pairs of two samples, of which each has one row in either half."""
    return Others(len(rows) // 2) if columns is rows and len(rows) else _other_classes(rows, columns)


def _partners(rows: Tensor, columns: Tensor) -> Rule:
    """Pairs of two samples, the second tag, of one class, the first."""
    if columns is rows:
        return Labelled(rows[:, 0], columns[:, 0], same=True, itself=False)
    same = Labelled(rows[:, 0], columns[:, 0], same=True)
    return Both(same, Labelled(rows[:, 1], columns[:, 1], same=False))


def _read(scale: Tensor) -> float:
    """A learned bound, where reading it does not wait for a device."""
    return float(scale.detach()) if scale.device.type == "cpu" else inf
