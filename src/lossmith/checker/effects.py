"""Whether what a reading calls predictions and targets has an effect on the loss: in its value, or in its gradient."""

from typing import Any

import torch

from lossmith.checker.subject import Subject
from lossmith.checker.terms import with_all_terms
from lossmith.checker.wrong import put


def has_effect(subject: Subject, seed: int) -> str:
    """Which prediction, or which targets, count for nothing; empty if all of them count."""
    arguments = subject.draw(seed)
    value = subject.values(arguments)
    for index in subject.contract.preds:
        if not (
            _moves(subject, arguments, index, value)
            or _pulls(subject, arguments, index)
            or _later(subject, index, seed)
        ):
            return f"{subject.contract.arguments[index].name} has no effect on it"
    labelled = subject.contract.target_kind() == "pm1" or (
        subject.contract.pred.kind == "positive" and subject.contract.target_kind() == "binary"
    )
    if labelled and not low_targets_matter(subject, arguments, value):
        return "its low targets have no effect"
    return ""


def low_targets_matter(subject: Subject, arguments: tuple[Any, ...], value: float) -> bool:
    """True if predictions count where the target is 0 (or -1): a loss for -1 and +1 ignores zeros."""
    contract = subject.contract
    if contract.target is None or contract.target_kind() not in ("binary", "onehot", "pm1"):
        return True
    where = contract.preds[0]
    pred, target = arguments[where], arguments[contract.target]
    if target.shape != pred.shape:
        return True
    others = [subject.draw(seed)[where] for seed in (101, 102, 103)]
    moved = [subject.values(put(arguments, where, torch.where(target < 0.5, other, pred))) for other in others]
    return any(other != value for other in moved)


def _moves(subject: Subject, arguments: tuple[Any, ...], index: int, value: float) -> bool:
    """True if another valid argument gives another value: a loss that ignores it says nothing about its kind."""
    for seed in (101, 102, 103):
        other = subject.draw(seed)[index]
        if subject.values(put(arguments, index, other)) != value:
            return True
    return False


def _pulls(subject: Subject, arguments: tuple[Any, ...], index: int) -> bool:
    """True if it has a gradient although its value does not move, as in (log_p - log_p.detach()).exp() * advantage."""
    trial = subject.run(arguments)
    grad = trial.grads[index] if trial.ok and trial.grads else None
    return grad is not None and bool((grad != 0).any())


def _later(subject: Subject, index: int, seed: int) -> bool:
    """True if it pulls in another term than the first that is returned."""
    whole = with_all_terms(subject)
    return whole is not subject and _pulls(whole, subject.draw(seed), index)
