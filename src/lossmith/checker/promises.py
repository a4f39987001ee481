"""What the name of a loss promises: an overlap that can be whole, classes that are apart, residuals without a side."""

import re
from math import isclose

import torch
from torch import Tensor

from lossmith.checker.activations import Activations
from lossmith.checker.contract import Contract
from lossmith.checker.judge import SEEDS
from lossmith.checker.mirrors import is_metric
from lossmith.checker.quantiles import levels_of
from lossmith.checker.sample import draw, perfect
from lossmith.checker.subject import Subject
from lossmith.checker.wrong import Wrong, put

# A sum of an overlap and of something that need not be 0 where it is whole.
SUM = re.compile(r"(?:^|_)(?:ce|bce|l1|l2|mse)(?:_|$)|b?ce(?:loss|with)|focal|entropy|combo|combined|hybrid", re.I)
OVERLAP = re.compile(r"dice|(?<![a-z])m?iou|jaccard|tversky", re.I)
APART = re.compile(r"triplet|contrastive|n_?pairs?|batch_?hard", re.I)
NOT_NEGATIVE = re.compile(r"^(?!.*log(?!_?cosh)).*(?:huber|smooth_?l1|wing|log_?cosh)", re.I)  # a logarithm may be
# A residual costs the same on both sides of the target, by name.
EVEN = re.compile(
    r"huber|smooth_?l1|log_?cosh|charbonnier|cauchy|welsch|geman|(?:^|_)(?:l1|l2|mse|mae|rmse)(?:_|$)", re.I
)
SIDED = re.compile(
    r"asym|quantile|pinball|weigh|over|under|side|expect|skew|linex|log(?!_?cosh)|perc|relat|hinge", re.I
)
DIVERGENCE = re.compile(r"(?:^|_)(?:kl|kld|jsd?)(?:_|$)|kl_?div|kullback|jensen|KLLoss", re.I)
DISTRIBUTIONS = (("logits", "logits"), ("simplex", "dist"), ("prob", "soft"), ("simplex", "simplex"))
FLOOR = 0.3  # of an overlap that is whole: a smoothing of 1 costs less, half of the overlap costs 0.5


def half_an_overlap(subject: Subject) -> Wrong | None:
    """A Dice without its 2, an IoU whose union counts the overlap twice: half is all that can be reached."""
    contract = subject.contract
    kinds = contract.kinds()
    overlap = OVERLAP.search(subject.name) and not SUM.search(subject.name)
    if not overlap or is_metric(subject) or contract.target is None:
        return None
    if kinds not in (("logits", "binary"), ("prob", "binary"), ("binary", "prob"), ("binary", "logits")):
        return None
    good = None
    for seed in SEEDS:
        inputs = subject.draw(seed)
        for target in (inputs[contract.target], torch.ones_like(inputs[contract.target])):
            best = perfect(contract, put(inputs, contract.target, target))
            if best is None or not FLOOR < subject.values(best) < 1 - FLOOR:
                return None
            good = good or best
    if good is None:
        return None
    said = f"the perfect prediction still costs {subject.values(good):.3g}, since the overlap can be half at most"
    return Wrong(said, "2 * overlap / (a + b) is a Dice, overlap / (a + b - overlap) an IoU", good, good)


def below_zero(subject: Subject) -> Wrong | None:
    """A loss of residuals that is called after one whose least value is 0, and costs less than that at a match."""
    if is_metric(subject):
        return None
    if subject.contract.kinds() in DISTRIBUTIONS and DIVERGENCE.search(subject.name):
        return _negative_divergence(subject)
    if subject.contract.kinds() != ("real", "real") or not NOT_NEGATIVE.search(subject.name):
        return None
    shown: Wrong | None = None
    for seed in SEEDS:
        inputs = subject.draw(seed)
        good = perfect(subject.contract, inputs)
        if good is None or not subject.values(good) < -1e-3 * (1e-3 + abs(subject.values(inputs))):
            return None
        said = f"it costs {subject.values(good):.3g} where prediction and target are equal, and not 0"
        fix = "look for branches of where that have changed places, or a constant too much"
        shown = shown or Wrong(said, fix, good, good)
    return shown


def one_sided(subject: Subject) -> Wrong | None:
    """A loss of residuals that is called after an even one, and is another on the other side of the target."""
    words = subject.name if not subject.settings else f"{subject.name} {' '.join(subject.settings)}"
    contract = subject.contract
    if contract.kinds() != ("real", "real") or not EVEN.search(subject.name) or SIDED.search(words):
        return None
    shown: Wrong | None = None
    for seed in SEEDS:
        inputs = subject.draw(seed)
        pred, target = (inputs[i] for i in (contract.preds[0], contract.target or 0))
        if pred.shape != target.shape:
            return None
        there = put(inputs, contract.preds[0], 2 * target - pred)
        beside = put(put(inputs, contract.preds[0], pred + 1.5), contract.target or 0, target + 1.5)
        match = put(inputs, contract.preds[0], target)
        one, other, moved, least = (subject.values(each) for each in (inputs, there, beside, match))
        if not abs(least) < 0.05 * abs(one):
            return None  # samples are paired with each other's targets (LS401)
        if not isclose(one, moved, rel_tol=1e-4) or not abs(one - other) > 0.01 * (abs(one) + abs(other)):
            return None  # it is not of residuals alone, or it is even
        said = f"it costs {one:.3g} on one side of the target and {other:.3g} as far away on the other"
        shown = shown or Wrong(said, "compare the absolute value of the residual: where(abs(r) < ...)", inputs, there)
    return shown


def _negative_divergence(subject: Subject) -> Wrong | None:
    """Of two distributions, below 0 on every draw, and 0 where they are one."""
    shown: Wrong | None = None
    for seed in SEEDS:
        inputs = subject.draw(seed)
        same = put(inputs, 1, inputs[0])
        if not subject.values(inputs) < -1e-3 or abs(subject.values(same)) > 1e-4:
            return None
        said = f"a divergence of {subject.values(inputs):.3g}: it is 0 where both are the same, and less elsewhere"
        shown = shown or Wrong(said, "turn the sign: the sum of p * (log p - log q)", same, inputs)
    return shown


def one_point_is_best(subject: Subject) -> Wrong | None:
    """Embeddings with labels: all in one point cost no more than the classes far apart, each in a point of its own."""
    if subject.contract.kinds() != ("embedding", "index") or not APART.search(subject.name):
        return None
    where, shown = subject.contract.preds[0], None
    for seed in SEEDS:
        apart = perfect(subject.contract, subject.draw(seed))
        if apart is None:
            return None
        together = put(apart, where, apart[where][:1].expand_as(apart[where]))
        if not subject.values(together) <= subject.values(apart) + 1e-6:
            return None
        said = "it costs no more where all embeddings are one point than where the classes lie far apart"
        fix = "leave out the sample itself and its class before the least distance: masked_fill(same, inf).min(1)"
        shown = shown or Wrong(said, fix, apart, together)
    return shown


def looked_up_elsewhere(subject: Subject) -> Wrong | None:
    """A log_softmax along one axis, whose classes nll_loss, or the target of kl_div, has along another."""
    if subject.bridged:
        return None
    inputs = subject.draw(SEEDS[0])
    watch = Activations(subject.file)
    if not subject.run(inputs, grad=False, watch=watch).finite_value or not watch.crossed:
        return None
    axis = watch.crossed[0][0]
    said = f"log_softmax runs along axis {axis}, and the loss looks for the classes on another: they are not compared"
    return Wrong(said, "log_softmax along the axis of the classes: dim=1 before nll_loss", inputs, inputs)


def costs_in_spite_of_its_name(subject: Subject) -> bool:
    """True if what is called a score or an overlap has a lower value for the perfect prediction than for most."""
    best = perfect(subject.contract, subject.draw(SEEDS[0])) if is_metric(subject) else None
    if best is None:
        return False
    return all(_lower_than_most(subject, seed) for seed in SEEDS)


def _lower_than_most(subject: Subject, seed: int) -> bool:
    inputs = subject.draw(seed)
    best = perfect(subject.contract, inputs)
    others = [put(inputs, subject.contract.preds[0], pred) for pred in _others(subject.contract)]
    return best is not None and subject.values(best) < sorted(subject.values(other) for other in others)[3]


def levels_turned(subject: Subject) -> Wrong | None:
    """Quantiles in columns, of which every one that is exact costs more than one that is off."""
    contract, shown = subject.contract, None
    if not levels_of(subject)[1] or contract.target is None or len(contract.preds) != 1:
        return None
    where = contract.preds[0]
    for seed in SEEDS:
        inputs = subject.draw(seed)
        target = inputs[contract.target].reshape(len(inputs[contract.target]), -1)
        if inputs[where].ndim != 2 or target.shape[1] != 1:
            return None
        good = put(inputs, where, target.expand_as(inputs[where]))
        low, high = (put(inputs, where, good[where] + step) for step in (-3.0, 3.0))
        if not max(subject.values(low), subject.values(high)) < subject.values(good):
            return None
        said = "predictions that equal their target cost more than any that are off, on either side"
        shown = shown or Wrong(said, "turn the sign: take the larger of q * e and (q - 1) * e", good, low)
    return shown


def _others(contract: Contract) -> list[Tensor]:
    return [draw(contract, 1000 * SEEDS[0] + k)[contract.preds[0]] for k in range(6)]
