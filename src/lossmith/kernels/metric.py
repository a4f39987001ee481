"""The losses of labelled batches on the pair kernels: what each compares, in a few lines; the mathematics is the
formula's.

Samples are taken one class after another wherever only positives are looked at: most tiles then hold none, and are left
out. An anchor has a positive where its class has another sample, and a negative where the batch has another class.

Judge     the formula of the same name
"""

from math import nan
from typing import Any

import torch
from torch import Tensor

from lossmith import formulas
from lossmith.formulas.batch import row_sizes, size_of
from lossmith.formulas.contrastive import distance
from lossmith.formulas.terms import unit
from lossmith.formulas.triplet import of_triplets
from lossmith.kernels.devices import product_dtype
from lossmith.kernels.hardest import hardest
from lossmith.kernels.kernel import computes
from lossmith.kernels.pairs import log_sum
from lossmith.kernels.tiles import Labelled
from lossmith.kernels.transforms import Pull, Push
from lossmith.spec import Outcome


@computes(formulas.n_pair)
def n_pair(ops: Any, first: Tensor, second: Tensor, target: Tensor) -> Outcome[Tensor]:
    anchor, partner = ops.widen(first), ops.widen(second)
    if bool((row_sizes(ops, anchor) != 1.0).any() | (size_of(ops, partner) != 1.0).any()):
        return formulas.n_pair.outcome(ops, first, second, target)  # which keeps products beyond the dtype apart
    order, label = _by_class(target)
    a, p, other = anchor[order], partner[order], Labelled(label, label, same=False)
    rivals = log_sum(a, p, rule=other, narrow=product_dtype(first))
    return _of_complete(ops.softplus(rivals - (a * p).sum(-1)), label, order, with_self=True)


@computes(formulas.multi_similarity)
def multi_similarity(
    ops: Any,
    embedding: Tensor,
    target: Tensor,
    *,
    alpha: float,
    beta: float,
    base: float,
    epsilon: float | None,
) -> Outcome[Tensor]:
    order, label = _by_class(target)
    z, narrow = unit(ops, ops.widen(embedding))[order], product_dtype(embedding)
    same, other = Labelled(label, label, same=True, itself=False), Labelled(label, label, same=False)
    farther, nearer = None, None
    if epsilon is not None:
        farther = -alpha * (hardest(z, z, rule=other).value + epsilon)
        nearer = -beta * (hardest(-z, z, rule=same).value + epsilon)
    own = log_sum(-alpha * z, z, rule=same, above=farther, largest=alpha, narrow=narrow)
    others = log_sum(beta * z, z, rule=other, above=nearer, largest=beta, narrow=narrow)
    value = ops.softplus(own + alpha * base) / alpha + ops.softplus(others - beta * base) / beta
    return _of_complete(value, label, order)


@computes(formulas.circle)
def circle(
    ops: Any,
    embedding: Tensor,
    target: Tensor,
    *,
    gamma: float,
    margin: float,
    constant_weights: bool,
    remove_diagonal: bool,
    normalise: bool,
) -> Outcome[Tensor]:
    if not normalise:  # what is not of length 1 has cosines beyond 1, whose gradient stands in for that of the cut
        settings = {"gamma": gamma, "margin": margin, "constant_weights": constant_weights}
        settings |= {"remove_diagonal": remove_diagonal, "normalise": normalise}
        return formulas.circle.outcome(ops, embedding, target, **settings)
    order, label = _by_class(target)
    z, narrow = unit(ops, ops.widen(embedding))[order], product_dtype(embedding)
    same = Labelled(label, label, same=True, itself=not remove_diagonal)
    other = Labelled(label, label, same=False)
    pull = log_sum(z, rule=same, transform=Pull(gamma, margin, constant_weights), narrow=narrow)
    push = log_sum(z, rule=other, transform=Push(gamma, margin, constant_weights), narrow=narrow)
    return _of_complete(ops.softplus(pull + push), label, order, with_self=not remove_diagonal)


@computes(formulas.proxy_anchor)
def proxy_anchor(
    ops: Any, embedding: Tensor, target: Tensor, proxies: Tensor, *, alpha: float, margin: float
) -> Outcome[Tensor]:
    count = len(proxies)
    order, label = _by_class(target)
    z, one = unit(ops, ops.widen(embedding))[order], unit(ops, ops.widen(proxies))
    classes, narrow = torch.arange(count, device=label.device), product_dtype(embedding)
    same, other = Labelled(classes, label, same=True), Labelled(classes, label, same=False)
    own = log_sum(-alpha * one, z, rule=same, largest=alpha, narrow=narrow)
    others = log_sum(alpha * one, z, rule=other, largest=alpha, narrow=narrow)
    known = (label >= 0) & (label < count)
    occurs = own.new_zeros(count).index_fill(0, label.clamp(0, count - 1), 1.0).sum()
    positive = ops.softplus(own + alpha * margin).sum() / occurs.clamp(min=1.0)
    positive = torch.where(known.all(), positive, nan)
    negative = ops.softplus(others + alpha * margin).mean()
    return Outcome(positive + negative, terms={"positive": positive, "negative": negative})


@computes(formulas.triplet_mined)
def triplet_mined(ops: Any, embedding: Tensor, target: Tensor, *, margin: float, mining: str) -> Outcome[Tensor]:
    if mining != "batch_hard":
        return formulas.triplet_mined.outcome(ops, embedding, target, margin=margin, mining=mining)
    x = ops.widen(embedding)
    order, label = _by_class(target)
    far = order[_farthest_of_class(ops, x.detach()[order], label)][order.argsort()]
    near = _nearest(ops, x.detach(), Labelled(target, target, same=False))
    complete = _complete(label)[order.argsort()]
    return of_triplets(ops, distance(ops, x, x[far]), distance(ops, x, x[near]), complete, margin)


def _farthest_of_class(ops: Any, x: Tensor, label: Tensor) -> Tensor:
    """The farthest other sample of each one's class; distances are taken about the first of the class."""
    place = torch.arange(len(x), device=x.device)
    begins = torch.cat([label.new_ones(min(len(x), 1)), (label[1:] != label[:-1]).long()])
    y = x - x[(place * begins).cummax(0).values]
    y = y / size_of(ops, y)
    rule = Labelled(label, label, same=True, itself=False)
    return hardest(-2.0 * y, y, rule=rule, bias=y.square().sum(-1)).place


def _nearest(ops: Any, x: Tensor, rule: Labelled) -> Tensor:
    """The nearest sample that the rule chooses; distances are taken about the first of the batch."""
    y = x - x[:1]
    y = y / size_of(ops, y)
    return hardest(2.0 * y, y, rule=rule, bias=-y.square().sum(-1)).place


def _by_class(target: Tensor) -> tuple[Tensor, Tensor]:
    """The order that puts one class after another, and the labels in it."""
    label, order = target.sort(stable=True)
    return order, label


def _complete(label: Tensor, *, with_self: bool = False) -> Tensor:
    """Which of the ordered samples have a positive and a negative."""
    changes = label[1:] != label[:-1]
    end = changes.new_ones(min(len(label), 1))
    alone = torch.cat([end, changes]) & torch.cat([changes, end])
    return changes.any() & (torch.ones_like(alone) if with_self else ~alone)


def _of_complete(value: Tensor, label: Tensor, order: Tensor, *, with_self: bool = False) -> Outcome[Tensor]:
    """The values in the order of the batch, 0 and without a count where an anchor has not both kinds of pairs."""
    complete, back = _complete(label, with_self=with_self), order.argsort()
    return Outcome(torch.where(complete, value, 0.0)[back], counts=complete.to(value.dtype)[back])
