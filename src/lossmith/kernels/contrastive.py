"""The contrastive losses on the pair kernels: what each compares, in a few lines; the mathematics is the formula's.

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
from lossmith.kernels.kernel import computes
from lossmith.kernels.pair_sums import softplus_sum
from lossmith.kernels.pairs import log_sum
from lossmith.kernels.tiles import All, Labelled, Others
from lossmith.spec import Outcome


@computes(formulas.nt_xent)
def nt_xent(ops: Any, first: Tensor, second: Tensor, *, temperature: float) -> Tensor:
    u, v = unit(ops, ops.widen(first)), unit(ops, ops.widen(second))
    own = (u * v).sum(-1) / temperature
    both = torch.cat([u, v]) * temperature**-0.5
    rivals = log_sum(both, rule=Others(len(u)), largest=1.0 / temperature, narrow=product_dtype(first))
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
def clip(ops: Any, first: Tensor, second: Tensor, *, log_scale: Tensor | float) -> Outcome[Tensor]:
    u, v = unit(ops, ops.widen(first)), unit(ops, ops.widen(second))
    scale = capped_scale(ops, log_scale, u)
    own, narrow = (u * v).sum(-1) * scale, product_dtype(first)
    rivals = log_sum(u * scale, v, rule=Others(), largest=_read(scale), both=True, narrow=narrow)
    there, back = (ops.softplus(each - own) for each in rivals)
    return Outcome(0.5 * (there + back), terms={"first_to_second": there, "second_to_first": back})


@computes(formulas.sig_lip)
def sig_lip(
    ops: Any, first: Tensor, second: Tensor, *, log_scale: Tensor | float, bias: Tensor | float
) -> Outcome[Tensor]:
    u, v = unit(ops, ops.widen(first)), unit(ops, ops.widen(second))
    scale, shift = ops.asarray(log_scale, like=u).exp(), ops.asarray(bias, like=u)
    positive, narrow = ops.softplus(-((u * v).sum(-1) * scale + shift)), product_dtype(first)
    negative = softplus_sum(u * scale, v, rule=Others(), bias=shift.expand(len(v)), narrow=narrow)
    return Outcome(positive + negative, terms={"positive": positive, "negative": negative})


@computes(formulas.sup_con)
def sup_con(ops: Any, embedding: Tensor, target: Tensor, *, temperature: float) -> Outcome[Tensor]:
    """The mean of -log p over a class: what the others add to the log-sum of the class, and the spread inside it.

    mean_p (log sum_all e^s - s_p) = softplus(others - own) + (own - mean_p s_p),   own = log sum_p e^s
    """
    order = target.argsort(stable=True)  # one class after another: most tiles then hold no pair of one class
    label, largest, narrow = target[order], 1.0 / temperature, product_dtype(embedding)
    z = unit(ops, ops.widen(embedding))[order] * temperature**-0.5
    own = log_sum(z, rule=Labelled(label, label, same=True, itself=False), largest=largest, narrow=narrow)
    others = log_sum(z, rule=Labelled(label, label, same=False), largest=largest, narrow=narrow)
    classes, place, size = label.unique_consecutive(return_inverse=True, return_counts=True)
    count = size[place] - 1
    sums = z.new_zeros(len(classes), z.shape[1]).index_add(0, place, z)[place]
    mean = (z * (sums - z)).sum(-1) / count.clamp(min=1)
    spread = torch.where(count > 1, own - mean, 0.0)  # of one partner it is 0, which own, a logarithm, only nearly says
    value = torch.where(count > 0, ops.softplus(others - torch.where(count > 0, own, 0.0)) + spread, 0.0)
    back = order.argsort()
    return Outcome(value[back], counts=(count > 0).to(value.dtype)[back])


def _read(scale: Tensor) -> float:
    """A learned bound, where reading it does not wait for a device."""
    return float(scale.detach()) if scale.device.type == "cpu" else inf
