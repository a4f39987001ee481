"""What reaches a loss from where a mask, a label or a length leaves it out, and the innocent explanations of it."""

import re
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.batch import near, tolerance
from lossmith.checker.left_out import LeftOut, channel, takes_part
from lossmith.checker.subject import Subject, Trial

OTHERS = (101, 102)
WHOLE = ("simplex", "logprob", "dist", "onehot", "boxes", "cxcywh", "unit", "embedding")  # rows that belong together


@dataclass(frozen=True)
class Leak:
    """Two calls that differ only in what is left out, by their argument; `after` is None if a gradient shows it."""

    argument: int
    before: Trial
    after: Trial | None
    where: Tensor


def replaced(inputs: tuple[Any, ...], index: int, value: Any) -> tuple[Any, ...]:
    return tuple(value if i == index else old for i, old in enumerate(inputs))


def leak_of(subject: Subject, case: LeftOut, dtype: torch.dtype) -> Leak | None:
    base = subject.run(case.inputs, dtype=dtype)
    if not (base.ok and base.finite_value and base.finite_grad):
        return None
    for index, argument in enumerate(subject.contract.arguments):
        value = case.inputs[index]
        if index == case.by or argument.role == "other" or not isinstance(value, Tensor):
            continue
        where = case.at(value, channel(subject))
        if where is None or (argument.kind in WHOLE and not bool((where == where[..., :1]).all())):
            continue
        if _has_its_own_labels(subject, case, index, where, dtype):
            continue
        grad = base.grads[index]
        if grad is not None and _own_gradient(grad, where):
            return Leak(index, base, None, where)
        for seed in OTHERS:
            other = subject.draw(seed)[index]
            if other.shape == value.shape:
                changed = torch.where(where, other.to(value.dtype), value)
                after = subject.run(replaced(case.inputs, index, changed), dtype=dtype)
                if after.ok and not near(base.value, after.value, tolerance(base, after)):
                    return Leak(index, base, after, where)
    return None


def _has_its_own_labels(subject: Subject, case: LeftOut, index: int, where: Tensor, dtype: torch.dtype) -> bool:
    """True if other labels are those of this prediction (one of two answers), or it is labels of another one."""
    if case.label is None:
        return False
    if subject.contract.arguments[index].kind == "index":
        return len(subject.contract.preds) > 1
    plain, labels = subject.draw(1), case.inputs[case.by]
    for other, argument in enumerate(subject.contract.arguments):
        value = plain[other]
        if other == case.by or argument.kind != "index" or value.shape != labels.shape:
            continue
        given = replaced(plain, other, value.masked_fill(case.where, case.label))
        grad = subject.run(given, dtype=dtype).grads[index : index + 1]
        if grad and grad[0] is not None and bool((grad[0] != 0).any()) and not _own_gradient(grad[0], where):
            return True
    return False


def _own_gradient(grad: Tensor, where: Tensor) -> bool:
    return bool((grad[where].abs() > 1e-7 * grad.abs().max()).any())


def is_meant(subject: Subject, case: LeftOut, leak: Leak, dtype: torch.dtype) -> bool:
    """The nearest innocent explanations: the other polarity, a mask that weighs, a class that is left out."""
    if case.label is not None:
        return _is_a_class(subject, case, dtype) or _is_unlabelled(subject, case, leak, dtype)
    if subject.contract.arguments[case.by].kind != "mask":
        return False
    if takes_part(subject, subject.contract.arguments[case.by].name):
        return True
    opposite = replace(case, where=~case.where)
    if leak_of(subject, opposite, dtype) is None:
        return True
    if _of_negatives(subject, case, dtype) or _of_whole_rows(subject, case, dtype):
        return True
    return _weighs(subject, case, leak, dtype)


def _of_negatives(subject: Subject, case: LeftOut, dtype: torch.dtype) -> bool:
    """True if a mask says that it is of negatives, and positives take part all the same: cells near an object."""
    goal = case.inputs[subject.contract.target] if subject.contract.target is not None else None
    named = re.search(r"ignor|neg|no_?obj|background|(?:^|_)bg", subject.contract.arguments[case.by].name, re.I)
    if named is None or subject.contract.target_kind() != "binary" or goal is None or goal.shape != case.where.shape:
        return False
    leak = leak_of(subject, replace(case, where=case.where & (goal < 0.5)), dtype)
    return leak is None or leak.argument == subject.contract.target  # another target there is a positive


def _of_whole_rows(subject: Subject, case: LeftOut, dtype: torch.dtype) -> bool:
    """True if nothing leaks once the mask is the same for all classes of a place: a softmax couples those."""
    mask, axis = case.inputs[case.by], channel(subject)
    if mask.shape != case.inputs[subject.contract.preds[0]].shape or mask.shape[axis] == 1:
        return False
    rows = mask.narrow(axis, 0, 1).expand_as(mask).clone()
    given = replaced(case.inputs, case.by, rows)
    return leak_of(subject, replace(case, inputs=given, where=rows == 0), dtype) is None


def _is_unlabelled(subject: Subject, case: LeftOut, leak: Leak, dtype: torch.dtype) -> bool:
    """True if what has no label, one for each sample, is compared with another argument all the same: a teacher.

    Steps are another matter: a label that is ignored there is of no token at all.
    """
    contract, where = subject.contract, case.at(case.inputs[subject.contract.preds[0]], channel(subject))
    if contract.pred.domain.axes != ("N", "C") or case.where.ndim != 1 or where is None or leak.before.grad is None:
        return False
    for index, argument in enumerate(contract.arguments):
        value = case.inputs[index]
        if index in (contract.preds[0], contract.target) or argument.kind in ("mask", "weight", "lengths"):
            continue
        if value.shape == where.shape:
            other = torch.where(where, subject.draw(OTHERS[0])[index].to(value.dtype), value)
            again = subject.run(replaced(case.inputs, index, other), dtype=dtype).grad
            if again is not None and not torch.allclose(again[where], leak.before.grad[where], rtol=1e-4, atol=1e-9):
                return True
    return False


def _is_a_class(subject: Subject, case: LeftOut, dtype: torch.dtype) -> bool:
    """True if the label is an ordinary class and other samples feel the change: regions skip a class, not pixels."""
    pred = case.inputs[subject.contract.preds[0]]
    axis = channel(subject)
    if case.label is None or not 0 <= case.label < pred.shape[axis]:
        return False
    where = case.at(pred, axis)
    if where is None:
        return True
    index = subject.contract.preds[0]
    other = torch.where(where, subject.draw(OTHERS[0])[index], pred)
    pair = [subject.run(replaced(case.inputs, index, value), dtype=dtype).grad for value in (pred, other)]
    if pair[0] is None or pair[1] is None:
        return True
    return not torch.allclose(pair[0][~where], pair[1][~where], rtol=1e-5, atol=1e-9)


def _weighs(subject: Subject, case: LeftOut, leak: Leak, dtype: torch.dtype) -> bool:
    """True if 0 in the mask means one smaller weight than 1 for every entry, as in `1 + 4 * mask`."""
    mask = case.inputs[case.by]
    full = subject.run(replaced(case.inputs, case.by, torch.ones_like(mask)), dtype=dtype).grad
    grad, where = leak.before.grad, case.at(case.inputs[subject.contract.preds[0]], channel(subject))
    if full is None or grad is None or where is None:
        return False
    ratio = grad / full
    sure = full.abs() > 1e-6 * full.abs().max()
    out, kept = ratio[where & sure], ratio[~where & sure]
    if not (len(out) and len(kept)):
        return False
    steady = all(bool(((part - part[0]).abs() <= 1e-4 * part[0].abs()).all()) for part in (out, kept))
    return steady and abs(float(out[0])) > 1e-6 and not near(float(out[0]), float(kept[0]), 1e-3)


def is_a_prior(subject: Subject, case: LeftOut, leak: Leak, dtype: torch.dtype) -> bool:
    """True if what is masked only meets a term of the prediction alone, such as a smoothness over all pixels.

    That term stands beside a masked error: what is kept does meet the targets.
    """
    contract, index = subject.contract, subject.contract.preds[0]
    goals = [i for i, argument in enumerate(contract.arguments) if argument.role == "target"]
    if contract.arguments[case.by].kind != "mask" or not goals or leak.argument != index:
        return False
    other, where = subject.draw(OTHERS[0]), case.at(case.inputs[index], channel(subject))
    if any(other[goal].shape != case.inputs[goal].shape for goal in goals):
        return False
    given = tuple(other[i] if i in goals else value for i, value in enumerate(case.inputs))
    before, again = leak.before.grad, subject.run(given, dtype=dtype).grad
    if where is None or again is None or before is None:
        return False
    alike = torch.isclose(again, before, rtol=1e-6, atol=1e-12)
    return bool(alike[where].all()) and not bool(alike[~where].all())
