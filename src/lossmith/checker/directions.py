"""Which way a loss pulls: what it makes best in place of the perfect prediction.

mirrors      the loss is right once its sign, its predictions or its labels are changed
a softmax    along an axis that is not the classes': samples compete with each other, classes do not
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.activations import Activations
from lossmith.checker.contract import Contract
from lossmith.checker.judge import SEEDS, _rivals, shortfall
from lossmith.checker.mirrors import MIRRORS, held_up_to, is_ordinary, seen_in
from lossmith.checker.sample import class_axis, draw, head, perfect
from lossmith.checker.several import of_several
from lossmith.checker.subject import Subject
from lossmith.checker.wrong import Wrong, put
from lossmith.domains import Domain

COMPARED = ("index", "onehot", "dist", "logits")
SEVERAL = ("binary", "soft")  # classes that may go together: rows of them say where the classes are
BY_HAND = (("logits", "index"), ("logits", "onehot"), ("logits", "dist"))
CLEARLY = 0.05  # of what the values span
FARS = (1.0, 3.0, 12.0)  # leads of the right logit, of which one must be good: a penalty on logits asks for small ones


def wrong_way(subject: Subject) -> Wrong | None:
    contract = subject.contract
    if contract.target is None:
        return of_several(subject)
    held = held_up_to(subject, contract)
    if not is_ordinary(contract):  # whole numbers for pixels are their classes, whatever they are called
        pixels = contract.pred.domain.axes == ("N", "C", "H", "W") and contract.target_kind() == "index"
        held = [mirror for mirror in held if pixels and mirror.name == "mixed axes"]
        if (found := of_several(subject)) is not None or not held:
            return found
    for mirror in held:
        if not shortfall(seen_in(subject, mirror)):
            if mirror.name == "turned" and _is_a_distance(subject):
                return None
            return _mirrored(subject, mirror.name)
    return None


def _is_a_distance(subject: Subject) -> bool:
    """True if a label of 1 asks for 0 exactly, and a label of 0 for anything beyond a margin: pairs that are alike.

    A loss of probabilities that is upside down has no such margin: it rises beyond 1 again, or is clamped at both ends.
    """
    contract, inputs = subject.contract, subject.draw(SEEDS[0])
    if contract.target_kind() != "binary" or contract.target is None:
        return False

    def cost(pred: float, target: float) -> float:
        filled = put(inputs, contract.preds[0], torch.full_like(inputs[contract.preds[0]], pred))
        return subject.values(put(filled, contract.target or 0, torch.full_like(inputs[contract.target or 0], target)))

    near, far = [cost(x, 1.0) for x in (-0.4, 0.0, 0.4, 4.0, 40.0)], [cost(x, 0.0) for x in (0.0, 4.0, 40.0)]
    return near[0] > near[1] < near[2] < near[3] < near[4] and far[0] > far[1] == far[2]


# --- a prediction and its target -------------------------------------------------------------------------------

_SAID = {
    "negated": ("the perfect prediction is the worst", "turn the sign of what is returned, or return 1 - score"),
    "turned": (
        "it is lowest where the prediction is the opposite of the target",
        "turn the sign, return 1 - score, or exchange the terms of target and of 1 - target",
    ),
    "label - 1": ("each sample is asked for the class before its own", "use the label as it is, without - 1"),
    "mixed axes": (
        "classes are mixed with pixels or steps: it is lowest where a reshape has scrambled the right prediction",
        "move the classes last before a reshape to (-1, C); permute(0, 3, 1, 2) after one_hot",
    ),
    "label + 1": ("each sample is asked for the class after its own", "use the label as it is, without + 1"),
}


def _mirrored(subject: Subject, name: str) -> Wrong | None:
    contract, inputs = subject.contract, subject.draw(SEEDS[0])
    inputs = head(contract, inputs, 2) if contract.draw is None else inputs
    good = perfect(contract, inputs)
    mirror = next(each for each in MIRRORS if each.name == name)
    if good is None:
        return None
    where = contract.preds[0]
    candidates = [put(good, where, mirror.move(contract, good[where]))] if mirror.move else []
    candidates += [put(good, where, pred) for pred in _random(contract, 6)]
    better = min(candidates, key=lambda each: _finite(subject.values(each)))
    said, fix = _SAID[name]
    return Wrong(said, fix, good, better) if subject.values(better) < subject.values(good) else None


def _finite(value: float) -> float:
    return value if value == value else float("inf")


def _random(contract: Contract, count: int) -> list[Tensor]:
    n = 2 if contract.draw is None else None
    return [draw(contract, 1000 * SEEDS[0] + k, n)[contract.preds[0]] for k in range(count)]


def beaten(subject: Subject, everywhere: bool) -> Wrong | None:
    """A prediction that is clearly better than the perfect one, on every draw; the first of them.

    `everywhere`: far away too, where a loss may fall without end for another reason (LS208).
    """
    found = [_beaten(subject, seed, everywhere) for seed in SEEDS]
    return found[0] if all(each is not None for each in found) else None


def _beaten(subject: Subject, seed: int, everywhere: bool) -> Wrong | None:
    contract, inputs = subject.contract, subject.draw(seed)
    where = contract.preds[0]
    goods = [good for far in FARS if (good := perfect(contract, inputs, far)) is not None]
    if not goods:
        return None
    if "T" in contract.pred.domain.axes:  # of a language model: each step is to predict the next one
        steps = contract.pred.domain.axes.index("T")
        goods += [put(good, where, torch.roll(good[where], -1, steps)) for good in goods]
    good = min(goods, key=lambda each: _finite(subject.values(each)))
    value, ordinary = subject.values(good), subject.values(inputs)
    preds = [draw(contract, 1000 * seed + k)[where] for k in range(6)]
    preds += _of_no_sample(contract, inputs)
    preds += [pred for _, pred in _rivals(contract, good, seed)] if everywhere else []
    preds += list(_stretched(good[where])) if contract.kinds() == ("boxes", "boxes") else []
    better = min((put(good, where, pred) for pred in preds), key=lambda each: _finite(subject.values(each)))
    gap = value - subject.values(better)
    if not gap > CLEARLY * (abs(ordinary - value) + gap) + 1e-6:
        return None
    return Wrong(
        "another prediction is better than the perfect one",
        "look for a wrong sign, label, scale, or a reshape that mixes axes",
        good,
        better,
    )


def _stretched(boxes: Tensor) -> Iterator[Tensor]:
    """Boxes of which one side, or the same of all, is a part of the width or height away from where it is right."""
    size = (boxes[..., 2:] - boxes[..., :2]).repeat(*[1] * (boxes.ndim - 1), 2)
    for side in range(4):
        for part in (-0.4, -0.1, 0.1, 0.4):
            moved = boxes.clone()
            moved[..., side] += part * size[..., side]
            yield moved


def _takes_rows(subject: Subject) -> bool:
    rows = Contract(
        tuple(replace(a, domain=Domain.parse("logits[N,C]")) for a in subject.contract.arguments), "inferred"
    )
    twin = subject.with_contract(rows)
    return len(rows.arguments) == 2 and twin.run(twin.draw(0), grad=False).ok


def _of_no_sample(contract: Contract, inputs: Sequence[Any]) -> list[Tensor]:
    """For classes: every sample gets the logarithm of how often each class occurs in the batch; or none leads."""
    if contract.kinds() != ("logits", "index"):
        return []
    level = [torch.zeros_like(inputs[0])]
    if inputs[0].ndim != 2:
        return level
    counts = torch.bincount(inputs[1], minlength=inputs[0].shape[1])[: inputs[0].shape[1]]
    return [*level, (counts / counts.sum() + 1e-3).log().expand_as(inputs[0]).clone()]


def pushed_away(subject: Subject) -> Wrong | None:
    """Boxes that do not touch: a loss that falls as they move further apart."""
    contract = subject.contract
    if contract.kinds() != ("boxes", "boxes"):
        return None
    shown: Wrong | None = None
    where, goal = contract.preds[0], contract.target or 0
    for seed in SEEDS:
        inputs = subject.draw(seed)
        box = inputs[goal]
        size = (box[..., 2:] - box[..., :2]).repeat(*[1] * (box.ndim - 1), 2)
        near, far, further = (put(inputs, where, box + times * size) for times in (2.0, 4.0, 8.0))
        values = [subject.values(each) for each in (near, far, further)]
        if not values[0] > values[1] + 1e-3 > values[2] + 2e-3:
            return None
        said = "where a box does not touch its target, it falls as the two move further apart"
        shown = shown or Wrong(said, "turn the sign of the term that measures how far they are", near, further)
    return shown


# --- the wrong axis --------------------------------------------------------------------------------------------


def _of_the_prediction(subject: Subject, inputs: Sequence[Any], watch: Activations) -> list[tuple[int, int]]:
    """The axes of each softmax whose argument changes with the prediction: a target may have one of its own."""
    where, again = subject.contract.preds[0], Activations(subject.file)
    subject.run(put(inputs, where, subject.draw(SEEDS[1])[where]), grad=False, watch=again)
    if len(again.fed) != len(watch.fed):
        return watch.axes
    pairs = zip(watch.axes, watch.fed, again.fed, strict=True)
    return [axes for axes, one, other in pairs if one.shape != other.shape or not torch.equal(one, other)]


def wrong_axis(subject: Subject) -> Wrong | None:
    """A softmax along another axis than the classes', which makes right and wrong cost the same."""
    contract = subject.contract
    inputs = subject.draw(SEEDS[0])
    pred = inputs[contract.preds[0]]
    kinds = (contract.pred.kind, contract.target_kind())
    compared = COMPARED if pred.ndim > 2 else (*COMPARED, *SEVERAL)
    if pred.ndim < 2 or (kinds != ("real", "real") and (kinds[0] != "logits" or kinds[1] not in compared)):
        return None
    own = class_axis(contract.pred.domain.axes) % pred.ndim
    axis = _compared_along(subject, inputs, own)
    if axis is None:
        return None
    if contract.origin == "inferred" and kinds[1] == "logits" and 2 < pred.ndim == axis + 1:
        return None  # two outputs alike say nothing of their layout: their classes are last
    if contract.confidence == "unsure" and kinds[1] in SEVERAL:
        return None  # nothing but a guess says that these are classes
    if contract.confidence == "unsure" and axis == pred.ndim - 1 and _takes_rows(subject):
        return None  # its last axis are the classes: it was only read otherwise
    goal = contract.target or 0
    thin = list(inputs)
    thin[contract.preds[0]] = pred.narrow(axis, 0, 1)
    place = axis if inputs[goal].ndim == pred.ndim or axis < own else axis - 1
    thin[goal] = inputs[goal].narrow(place, 0, 1)
    good = perfect(contract, tuple(thin))
    if good is None:
        return None
    bad = put(good, contract.preds[0], torch.roll(good[contract.preds[0]], 1, own))
    if subject.values(good) != subject.values(bad):
        return None
    said = f"the softmax runs along axis {axis}, and the classes are on axis {own}: classes are not compared"
    return Wrong(said, f"softmax(..., dim={own})", good, bad)


def _compared_along(subject: Subject, inputs: Sequence[Any], own: int) -> int | None:
    """The one axis, not that of the classes, along which every softmax of the prediction runs."""
    pred = inputs[subject.contract.preds[0]]
    if subject.bridged:  # it cannot be watched; a softmax along the samples is blind to what is added to a class
        if subject.contract.target_kind() in SEVERAL and _ranks_labels(subject, inputs):
            return None
        return 0 if own and _blind_to(subject, inputs, (1, *pred.shape[1:])) else None
    watch = Activations(subject.file)
    if not subject.run(inputs, grad=False, watch=watch).finite_value:
        return None
    own_axes = _of_the_prediction(subject, inputs, watch)
    if not own_axes and subject.contract.kinds() in BY_HAND:  # a softmax that was written out
        return 0 if own and _blind_to(subject, inputs, (1, *pred.shape[1:])) else None
    axes = {axis for axis, ndim in own_axes if ndim == pred.ndim}
    if len(axes) != 1 or own in axes or len(own_axes) != sum(ndim == pred.ndim for _, ndim in own_axes):
        return None
    return axes.pop()


def _ranks_labels(subject: Subject, inputs: Sequence[Any]) -> bool:
    """True if predictions do not matter where all labels are the same: samples are compared in pairs of labels."""
    contract, where = subject.contract, subject.contract.preds[0]
    goal = contract.target or 0
    same = put(inputs, goal, torch.ones_like(inputs[goal]))
    return subject.values(same) == subject.values(put(same, where, 2.0 * inputs[where].flip(0)))


def _blind_to(subject: Subject, inputs: Sequence[Any], shape: Sequence[int]) -> bool:
    """True if adding the same numbers to every sample changes nothing, and other predictions do."""
    where = subject.contract.preds[0]
    pred = inputs[where]
    shift = torch.linspace(-2.0, 3.0, torch.Size(shape).numel()).reshape(shape)
    before, after = (subject.values(put(inputs, where, each)) for each in (pred, pred + shift))
    other = subject.values(put(inputs, where, pred * 2))
    return abs(before - after) < 1e-4 * (1 + abs(before)) and abs(before - other) > 1e-3 * (1 + abs(before))
