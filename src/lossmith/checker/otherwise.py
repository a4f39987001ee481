"""Readings that are asked where no plain one is right: in a mirror, for the next step, of pixels, of a difference.

Each takes what was judged and gives readings, the best first, or none.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import isclose

import torch

from lossmith.checker.batch import same
from lossmith.checker.contract import Contract
from lossmith.checker.hints import contradicts
from lossmith.checker.judge import BEST, SEEDS, Judged, judge
from lossmith.checker.mirrors import MIRRORS, held_up_to, is_ordinary, meant, seen_in
from lossmith.checker.ranking import plausible
from lossmith.checker.sample import generator, perfect
from lossmith.checker.subject import Subject
from lossmith.checker.templates import Template


def in_a_mirror(subject: Subject, fitting: Sequence[Judged], hints: dict[str, float]) -> list[Judged]:
    """Ordinary readings under which a mirror image of the loss is right, the best first: LS701 will say so."""
    if meant(subject):
        return []
    axes = max(fitting, key=lambda entry: entry.template.rank).contract.pred.domain.axes
    tried = [entry for entry in fitting if is_ordinary(entry.contract) and entry.contract.pred.domain.axes == axes]
    seen = [(seen_in(subject, mirror), entry) for entry in tried for mirror in held_up_to(subject, entry.contract)]
    seen.sort(key=lambda pair: MIRRORS.index(pair[0].mirror))
    judged = [(twin, judge(twin, entry.template)) for twin, entry in seen]
    right = [entry for twin, entry in judged if entry.tier == BEST and _each_has_its_own(twin, entry.contract)]
    for entry in right:
        entry.score = plausible(entry, hints, right, BEST)
    return sorted(right, key=lambda entry: -entry.score)


def of_next_steps(subject: Subject, judged: Sequence[Judged]) -> list[Judged]:
    """Readings of steps and their classes that are right if the prediction at each step is for the label of the next.

    A language model shifts its labels in the loss: logits[:, :-1] with labels[:, 1:].
    """
    steps = [e for e in judged if e.tier and "T" in e.contract.pred.domain.axes and e.contract.target_kind() == "index"]
    steps = [entry for entry in steps if "T" in entry.contract.arguments[entry.contract.target or 0].domain.axes]
    tried = [judge(subject, entry.template, replace(entry.contract, ahead=1)) for entry in steps]
    return [entry for entry in tried if entry.tier == BEST and not named_otherwise(entry)]


def of_pixels(subject: Subject, first: Judged) -> Judged | None:
    """Images, for a loss of rows that takes them, and mixes their axes; not where it takes them with classes last."""
    if first.template.domains != ("logits[N,C]", "index[N]"):
        return None
    images, last = (Template(8.0, (f"logits[{axes}]", "index[N,H,W]")) for axes in ("N,C,H,W", "N,H,W,C"))
    if not 0 < judge(subject, images).tier < BEST:
        return None
    mixed = judge(seen_in(subject, MIRRORS[-1]), images)
    return mixed if mixed.tier == BEST and judge(subject, last).tier < BEST else None


def _each_has_its_own(subject: Subject, contract: Contract) -> bool:
    """False if what is perfect for these targets is no better than what is perfect for them in another order.

    Then a mirror shows no match of prediction and target: that far values cost more is true of many a regression.
    """
    twin = subject.with_contract(contract)
    good = perfect(contract, twin.draw(0))
    if good is None:
        return True
    moved = tuple(value.roll(1, 0) if index in contract.preds else value for index, value in enumerate(good))
    return not same(twin.run(good, grad=False), twin.run(moved, grad=False))


def of_a_difference(subject: Subject, fitting: Sequence[Judged]) -> Judged | None:
    """Regression, whatever is best for it: called prediction and target, and asked for their difference alone."""
    if meant(subject):
        return None
    pair = ("real", "real")
    real = [e for e in fitting if (e.contract.pred.kind, e.contract.target_kind()) == pair and is_ordinary(e.contract)]
    return next((entry for entry in real if _shifts_together(subject.with_contract(entry.contract))), None)


def _shifts_together(subject: Subject) -> bool:
    contract = subject.contract
    pair = {contract.preds[0], contract.target}  # a width beside the mean stays as it is
    for seed in SEEDS:
        inputs = subject.draw(seed)
        if len(pair) != 2 or len({inputs[i].shape for i in pair if i is not None}) > 1:
            return False
        like = inputs[contract.preds[0]]
        shift = torch.randint(-8, 9, like.shape, generator=generator(seed)).to(like.dtype)
        shifted = [value + shift if i in pair else value for i, value in enumerate(inputs)]
        if not isclose(subject.values(inputs), subject.values(shifted), rel_tol=1e-3, abs_tol=1e-4):
            return False
    return True


def plainly_real(first: Judged, judged: Sequence[Judged], hints: dict[str, float]) -> Judged | None:
    """Regression whose target is altered on the way (clipped, standardised): nothing in it speaks of probabilities."""
    if first.contract.pred.kind not in ("prob", "simplex") or hints.keys() & {"prob", "simplex", "binary", "logits"}:
        return None
    real = [entry for entry in judged if entry.template.meaning == ("real", "real") and entry.tier == BEST - 1]
    return real[0] if real and not named_otherwise(real[0]) else None


def plainly_logits(first: Judged, judged: Sequence[Judged], hints: dict[str, float]) -> Judged | None:
    """Logits beside logits, for a loss that takes softmax of what it is given, and says nothing of probabilities."""
    if (
        first.contract.kinds() != ("prob", "binary")
        or hints.get("logits", 0.0) < 1
        or hints.keys() & {"prob", "simplex"}
    ):
        return None
    found = [entry for entry in judged if entry.template.meaning == ("logits", "logits") and entry.tier >= 2]
    return found[0] if found and first.contract.pred.domain.axes == found[0].contract.pred.domain.axes else None


def named_otherwise(entry: Judged) -> bool:
    """True if an argument is called what its kind is not."""
    return contradicts([argument.name for argument in entry.contract.arguments], entry.contract.kinds())
