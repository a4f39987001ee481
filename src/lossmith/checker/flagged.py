"""Flags of samples, 0 and 1: an event that was seen or not, an answer that is wanted or not, an anchor that is matched.

Where all weights are 0, and where no entry counts, nothing is left of a loss. What was taken for either, is not called
so, and leaves predictions their say is a flag. What acts as a weight of 0 and is deaf to any other value is a mask.
"""

from collections.abc import Callable
from dataclasses import replace
from math import isclose
from typing import Any

import torch

from lossmith.checker.contract import Argument, Contract
from lossmith.checker.judge import SEEDS, accepts
from lossmith.checker.sample import generator
from lossmith.checker.side import side_of
from lossmith.checker.subject import Subject
from lossmith.checker.wrong import Wrong, put
from lossmith.domains import Domain

FACTORS = ("weight", "mask")
STEP = 3.0


def of_flags(subject: Subject, found: Contract) -> Contract | None:
    """The contract with 0 and 1 for what was taken for a weight or a mask, and is none."""
    guessed = [i for i, one in enumerate(found.arguments) if one.kind in FACTORS and not _is_called_so(one)]
    if len(guessed) != 1 or found.flags or found.origin != "inferred":
        return None
    flag, twin = guessed[0], subject.with_contract(found)
    if _always(_removes_nothing, twin, flag):
        return _read_as(subject, found, flag, "binary")
    if found.arguments[flag].kind == "weight" and _always(_is_on_or_off, twin, flag):
        return _read_as(subject, found, flag, "mask")
    return None


def _is_called_so(argument: Argument) -> bool:
    side = side_of(argument.name)
    return side is not None and side.kind in FACTORS


def _always(seen: Callable[[Subject, int, int], bool], subject: Subject, flag: int) -> bool:
    return all(seen(subject, flag, seed) for seed in SEEDS)


def _removes_nothing(subject: Subject, flag: int, seed: int) -> bool:
    """True if 0 throughout gives another value than 1 throughout, and one that the predictions change."""
    inputs, where = subject.draw(seed), subject.contract.preds[0]
    ones, none = (put(inputs, flag, torch.full_like(inputs[flag], value)) for value in (1.0, 0.0))
    moved = put(none, where, subject.draw(seed + 100)[where])
    before, after = (subject.run(each, grad=False) for each in (none, moved))
    if not (before.ok and after.ok and before.finite_value and after.finite_value):
        return False
    return not _same(before.value, after.value) and not _same(before.value, subject.values(ones))


def _is_on_or_off(subject: Subject, flag: int, seed: int) -> bool:
    """True if any weights above 0 are as good as 1, and a single 0 is not."""
    inputs = subject.draw(seed)
    above = 0.1 + 3.0 * torch.rand(inputs[flag].shape, generator=generator(seed)).to(inputs[flag])
    one_off = torch.ones_like(inputs[flag])
    one_off[:1] = 0.0
    values = [subject.values(put(inputs, flag, each)) for each in (torch.ones_like(one_off), above, one_off)]
    return _same(values[0], values[1]) and not _same(values[0], values[2])


def _same(one: float, other: float) -> bool:
    return isclose(one, other, rel_tol=1e-5, abs_tol=1e-7)


def _read_as(subject: Subject, found: Contract, flag: int, kind: str) -> Contract | None:
    axes = ",".join(found.arguments[flag].domain.axes)
    plain = replace(found.arguments[flag], domain=Domain.parse(f"{kind}[{axes}]"))
    made = replace(found, arguments=tuple(plain if i == flag else one for i, one in enumerate(found.arguments)))
    twin = subject.with_contract(made)
    return None if any(accepts(twin, seed) for seed in SEEDS) else made


def whatever_the_flag(subject: Subject) -> Wrong | None:
    """Logits, labels and a flag: the score of the label is pressed down where the flag is 0, and where it is 1.

    One of the two must ask for the label.
    """
    contract = subject.contract
    if contract.kinds() != ("logits", "index", "binary") or contract.pred.domain.axes != ("N", "C"):
        return None
    name, shown = contract.arguments[2].name, None
    for seed in SEEDS:
        inputs = subject.draw(seed)
        for flag in (0.0, 1.0):
            there = put(inputs, 2, torch.full_like(inputs[2], flag))
            good, bad = (_label_moved(there, step) for step in (STEP, -STEP))
            if not subject.values(bad) < subject.values(there) < subject.values(good):
                return None
            said = f"it falls as the score of the label falls, whether {name} is 0 or 1"
            shown = shown or Wrong(said, "turn the sign of the term that asks for the label", good, bad)
    return shown


def _label_moved(inputs: tuple[Any, ...], step: float) -> tuple[Any, ...]:
    hot = torch.nn.functional.one_hot(inputs[1], inputs[0].shape[1])
    return put(inputs, 0, inputs[0] + step * hot)
