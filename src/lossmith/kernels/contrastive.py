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
from lossmith.kernels.kernel import computes
from lossmith.kernels.pair_sums import softplus_sum
from lossmith.kernels.pairs import log_sum
from lossmith.kernels.tiles import Labelled, own_labels
from lossmith.spec import Outcome


@computes(formulas.nt_xent)
def nt_xent(ops: Any, first: Tensor, second: Tensor, *, temperature: float) -> Tensor:
    u, v = unit(ops, first), unit(ops, second)
    own = (u * v).sum(-1) / temperature
    sample = own_labels(len(u), u).repeat(2)
    both = torch.cat([u, v]) * temperature**-0.5
    rivals = log_sum(both, rule=Labelled(sample, sample, same=False), largest=1.0 / temperature)
    of_first, of_second = rivals.tensor_split(2)
    return 0.5 * (ops.softplus(of_first - own) + ops.softplus(of_second - own))


@computes(formulas.info_nce)
def info_nce(
    ops: Any, first: Tensor, second: Tensor, negatives: Tensor, *, temperature: float, in_batch: bool
) -> Tensor:
    u, v, w = unit(ops, first), unit(ops, second), unit(ops, negatives)
    own = (u * v).sum(-1) / temperature
    sample, scaled, largest = own_labels(len(u), u), u / temperature, 1.0 / temperature
    shared, nobodys = w if w.ndim == 2 else w.new_empty(0, u.shape[-1]), -1
    columns = torch.cat([v, shared]) if in_batch else shared
    labels = torch.full((len(columns),), nobodys, device=u.device)
    if in_batch:
        labels[: len(u)] = sample
    rivals = log_sum(scaled, columns, rule=Labelled(sample, labels, same=False), largest=largest)
    if w.ndim == 3:
        each = (w @ scaled.unsqueeze(-1)).squeeze(-1)
        rivals = ops.logsumexp(torch.cat([each, rivals.unsqueeze(-1)], -1), axis=-1)
    return ops.softplus(rivals - own)


@computes(formulas.clip)
def clip(ops: Any, first: Tensor, second: Tensor, *, log_scale: Tensor | float) -> Outcome[Tensor]:
    u, v = unit(ops, first), unit(ops, second)
    scale = capped_scale(ops, log_scale, first)
    own, sample = (u * v).sum(-1) * scale, own_labels(len(u), u)
    rivals = log_sum(u * scale, v, rule=Labelled(sample, sample, same=False), largest=_read(scale), both=True)
    there, back = (ops.softplus(each - own) for each in rivals)
    return Outcome(0.5 * (there + back), terms={"first_to_second": there, "second_to_first": back})


@computes(formulas.sig_lip)
def sig_lip(
    ops: Any, first: Tensor, second: Tensor, *, log_scale: Tensor | float, bias: Tensor | float
) -> Outcome[Tensor]:
    u, v = unit(ops, first), unit(ops, second)
    scale, shift = ops.asarray(log_scale, like=first).exp(), ops.asarray(bias, like=first)
    positive, sample = ops.softplus(-((u * v).sum(-1) * scale + shift)), own_labels(len(u), u)
    mismatches = Labelled(sample, sample, same=False)
    negative = softplus_sum(u * scale, v, rule=mismatches, bias=shift.expand(len(v)))
    return Outcome(positive + negative, terms={"positive": positive, "negative": negative})


@computes(formulas.sup_con)
def sup_con(ops: Any, embedding: Tensor, target: Tensor, *, temperature: float) -> Outcome[Tensor]:
    """The mean of -log p over a class: what the others add to the log-sum of the class, and the spread inside it.

    mean_p (log sum_all e^s - s_p) = softplus(others - own) + (own - mean_p s_p),   own = log sum_p e^s
    """
    order = target.argsort(stable=True)  # one class after another: most tiles then hold no pair of one class
    label, largest = target[order], 1.0 / temperature
    z = unit(ops, embedding)[order] * temperature**-0.5
    own = log_sum(z, rule=Labelled(label, label, same=True, itself=False), largest=largest)
    others = log_sum(z, rule=Labelled(label, label, same=False), largest=largest)
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
