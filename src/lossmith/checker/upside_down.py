"""Losses that are upside down in a way that no single prediction shows.

two embeddings      a likelihood that was not turned: it is below 0, and nearest to it where each lies on its partner
a ranked list       scores in the order of what they are worth cost more than scores in the opposite order
classes             the scores may change places among the classes, and the loss is the same
an overlap          the whole of it is worth two: the union has lost the overlap, which is counted twice above
"""

import torch

from lossmith.checker.judge import SEEDS
from lossmith.checker.mirrors import is_metric
from lossmith.checker.promises import FLOOR, OVERLAP, SUM, costs_in_spite_of_its_name
from lossmith.checker.sample import class_axis, generator, perfect
from lossmith.checker.spoken import WORTH
from lossmith.checker.subject import Subject
from lossmith.checker.wrong import Wrong, put

STEEP = 3.0
LOOKED_UP = (("logits", "index"), ("simplex", "index"), ("logits", "onehot"))


def upside_down(subject: Subject) -> Wrong | None:
    if is_metric(subject) and not costs_in_spite_of_its_name(subject):
        return None
    return _likelihood(subject) or _ranked_list(subject) or _any_class(subject) or _twice_the_overlap(subject)


def _likelihood(subject: Subject) -> Wrong | None:
    """A distance that is to be large is 0 at a match; the logarithm of a share among others is below 0 there too."""
    contract, shown = subject.contract, None
    if [one.kind for one in contract.arguments] != ["embedding"] * 2 or len(contract.preds) != 2:
        return None
    for seed in SEEDS:
        inputs = subject.draw(seed)
        good = perfect(contract, inputs)
        if good is None:
            return None
        moved = put(good, contract.preds[0], torch.roll(good[contract.preds[0]], 1, 0))
        values = [subject.values(each, dtype=torch.float64) for each in (moved, inputs, good)]
        if not values[0] < values[1] < values[2] < 0.0:
            return None
        said = f"it is always below 0, and {values[2]:.3g} where each lies on its partner: more than elsewhere"
        shown = shown or Wrong(
            said, "turn the sign: a log-likelihood is to be large, its negative is the loss", good, moved
        )
    return shown


def _ranked_list(subject: Subject) -> Wrong | None:
    contract, shown = subject.contract, None
    goal = contract.target
    if contract.kinds() != ("real", "real") or goal is None or not WORTH.search(contract.arguments[goal].name.lower()):
        return None
    for seed in SEEDS:
        inputs = subject.draw(seed)
        if inputs[goal].shape != inputs[contract.preds[0]].shape:
            return None
        good, bad = (put(inputs, contract.preds[0], side * STEEP * inputs[goal]) for side in (1.0, -1.0))
        if not subject.values(bad) < min(subject.values(good), subject.values(inputs)) - 1e-3:
            return None
        name = contract.arguments[goal].name
        said = f"it is lowest where the scores have the opposite order of {name}"
        shown = shown or Wrong(said, "sort with descending=True, or turn the sign", good, bad)
    return shown


def _any_class(subject: Subject) -> Wrong | None:
    contract, shown = subject.contract, None
    goal, where = contract.target, contract.preds[0]
    if goal is None or len(contract.preds) != 1 or (contract.pred.kind, contract.target_kind()) not in LOOKED_UP:
        return None
    axis = class_axis(contract.pred.domain.axes)
    for seed in SEEDS:
        inputs = subject.draw(seed)
        order = torch.rand(inputs[where].shape, generator=generator(seed)).argsort(axis)
        other = put(inputs, where, inputs[where].gather(axis, order))
        label = put(inputs, goal, torch.roll(inputs[goal], 1, 0))
        value = subject.values(inputs, dtype=torch.float64)
        unmoved = abs(subject.values(other, dtype=torch.float64) - value) <= 1e-9 * abs(value)
        if not unmoved or abs(subject.values(label, dtype=torch.float64) - value) <= 1e-6 * abs(value):
            return None  # it sees the classes; or it does not look at the labels at all (LS106)
        said = "the scores of each sample may change places among the classes, and it costs the same"
        shown = shown or Wrong(
            said, "look the label up in the scores as they are, not in what was sorted", inputs, other
        )
    return shown


def _twice_the_overlap(subject: Subject) -> Wrong | None:
    contract, shown = subject.contract, None
    if not OVERLAP.search(subject.name) or SUM.search(subject.name) or contract.kinds() != ("prob", "binary"):
        return None
    where, goal = contract.preds[0], contract.target or 0
    for seed in SEEDS:
        inputs = subject.draw(seed)
        good, bad = (put(inputs, where, target) for target in (inputs[goal], 1 - inputs[goal]))
        if not (subject.values(good) < -FLOOR and subject.values(bad) > FLOOR):
            return None  # a loss that is -overlap ends at 0
        said = f"the overlap of a perfect prediction counts as {1 - subject.values(good):.3g}, and not as 1"
        shown = shown or Wrong(said, "2 * overlap / (a + b) is a Dice, overlap / (a + b - overlap) an IoU", good, good)
    return shown
