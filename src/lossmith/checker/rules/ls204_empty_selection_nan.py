"""LS204 empty-selection-nan

What it checks
    A batch in which nothing is selected has a finite value and gradient: no positives, no negatives, every label the
    same, every label ignored, an empty mask, no pair that belongs together, an empty box in the place of a missing one.
    What it returns then has a graph, and without positives the right prediction does not cost as much as every other.

Why it matters
    Dividing by the number of selected entries gives 0/0 in the one batch that has none. It comes after hours, in the
    tail of an epoch or on one rank of many.

Example
    return loss[target == 1].mean()

Write instead
    chosen = target == 1
    return (loss * chosen).sum() / chosen.sum().clamp(min=1)

When to allow it
    NaN is meant as a signal, and the training loop looks for it. (torch's cross entropy does this by decision: where
    the mean over no label is its own, and nothing else is wrong, it is information.)
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.counted import selects
from lossmith.checker.evidence import finding, reproduce, shrink
from lossmith.checker.finding import Finding, Severity
from lossmith.checker.ignored import ignored_label
from lossmith.checker.promises import OVERLAP
from lossmith.checker.sample import SIZES, batched, head, perfect
from lossmith.checker.subject import Subject, Trial
from lossmith.checker.torchs_own import is_torchs_own

CODE, NAME, SINCE = "LS204", "empty-selection-nan", "0.1"
SURE = 200.0  # a logit whose probability is 0 in float32


@dataclass(frozen=True)
class Selection:
    """A batch in which something is absent."""

    name: str
    inputs: tuple[Any, ...]


def applies(subject: Subject) -> str:
    kinds = set(subject.contract.kinds())
    chosen = kinds & {"index", "binary", "onehot", "pm1", "mask", "labels", "soft", "boxes"}
    choosing = (i for i, argument in enumerate(subject.contract.arguments) if argument.kind == "weight")
    return (
        ""
        if chosen or any(selects(subject, i) for i in choosing)
        else "the contract has nothing that selects: no classes, labels or masks"
    )


def check(subject: Subject) -> Iterator[Finding]:
    plain = subject.run(subject.draw(1))
    for selection in _selections(subject):
        trial = subject.run(selection.inputs)
        if _has_no_graph(trial, plain):
            yield _constant(subject, selection, trial)
            return
        if not _broken(trial) or _broken(subject.run(subject.draw(1))) or _is_of_entries(subject, selection):
            continue
        few = head(subject.contract, subject.draw(1), len(selection.inputs[subject.contract.preds[0]]))
        inputs = shrink(subject, selection.inputs, lambda part: _broken(subject.run(part)), few)
        yield finding(
            sys.modules[__name__],
            subject,
            severity=_severity(subject, selection),
            message=_message(trial, selection),
            trial=subject.run(inputs),
            fix="divide by count.clamp(min=1), and select with a product or where instead of indexing",
        )
        return
    if (best := _costs_the_same(subject)) is not None:
        yield finding(
            sys.modules[__name__],
            subject,
            severity="warning",
            message=f"in a batch without positives every prediction costs {subject.values(best):.4g}, right or wrong",
            trial=subject.run(best),
            why="with positives, predictions where the target is 0 do count: what is found there is never learned",
            fix="add the same small number above and below: (2 * overlap + s) / (a + b + s)",
        )


def _severity(subject: Subject, selection: Selection) -> Severity:
    if is_torchs_own(subject, selection.inputs):
        return "info"
    return "warning" if subject.contract.pred.kind == "boxes" else "error"


def _has_no_graph(trial: Trial, plain: Trial) -> bool:
    """A number that was made on the spot is returned, and backward() raises, where other batches have a gradient."""
    return trial.ok and trial.finite_value and trial.grad is None and plain.grad is not None


def _constant(subject: Subject, selection: Selection, trial: Trial) -> Finding:
    names = ", ".join(argument.name for argument in subject.contract.arguments)
    pred = subject.contract.pred.name
    return finding(
        sys.modules[__name__],
        subject,
        severity="warning",
        message=f"what it returns {selection.name} does not depend on {pred}: backward() raises there",
        trial=trial,
        why="ordinary batches have a gradient",
        fix=f"return {pred}.sum() * 0, which is 0 and has a graph, or divide by count.clamp(min=1)",
        reproducer=reproduce(subject, trial.inputs, [f"{pred}.requires_grad_()", f"loss_fn({names}).sum().backward()"]),
    )


def _costs_the_same(subject: Subject) -> tuple[Any, ...] | None:
    """The right prediction of a batch without positives, if it costs as much as any other, and no less than wrong ones.

    A loss that leaves such a batch out costs 0 there; one of positives alone never asked for the others. An F score and
    an average precision are of positives by definition: only what is called an overlap is asked.
    """
    contract = subject.contract
    if not OVERLAP.search(subject.name):
        return None
    kinds = contract.pred.kind in ("logits", "prob") and contract.target_kind() == "binary"
    if not kinds or len(contract.arguments) != 2:
        return None
    where, goal = contract.preds[0], contract.target or 0
    draws = [subject.draw(seed) for seed in (1, 2, 3)]
    if draws[0][where].shape != draws[0][goal].shape:
        return None
    with_positives = subject.run(draws[0])
    negatives = draws[0][goal] == 0
    if with_positives.grad is None or not bool((with_positives.grad[negatives] != 0).all()):
        return None
    best = perfect(contract, _emptied(draws[0], goal), far=SURE)
    if best is None:
        return None
    tried = [_emptied(each, goal) for each in draws]
    values = [subject.values(each, dtype=torch.float64) for each in (best, *tried)]
    level = all(abs(value - values[0]) <= 1e-9 * abs(values[0]) for value in values)
    return best if level and values[0] > 0.5 * with_positives.value > 0 else None


def _emptied(inputs: tuple[Any, ...], goal: int) -> tuple[Any, ...]:
    return tuple(torch.zeros_like(value) if i == goal else value for i, value in enumerate(inputs))


def _is_of_entries(subject: Subject, selection: Selection) -> bool:
    """True if it fails with every other entry as in ordinary inputs too: then single entries are at fault.

    Among embeddings a sample selects its own partners, and mixing leaves some without: nothing can be told so.
    """
    if subject.contract.pred.kind in ("embedding", "unit", "boxes"):
        return False
    where, goal = subject.contract.preds[0], subject.contract.target
    ordinary = head(subject.contract, subject.draw(1), len(selection.inputs[where]))
    rows = batched(subject.contract, ordinary)
    shape = ordinary[where].shape
    by_entry = goal is not None and ordinary[goal].shape == shape
    masks = [
        one.kind == "mask" and bad.ndim > 1
        for one, bad in zip(subject.contract.arguments, selection.inputs, strict=True)
    ]
    mixed = tuple(
        _every_other(bad, good, mask or (by_entry and bad.shape == shape)) if row else bad
        for bad, good, row, mask in zip(selection.inputs, ordinary, rows, masks, strict=True)
    )
    return _broken(subject.run(mixed))


def _every_other(bad: Tensor, good: Tensor, by_entry: bool) -> Tensor:
    """Entries of both in turn; whole samples where the arguments have different shapes."""
    count = good.numel() if by_entry else len(good)
    turn = (torch.arange(count) % 2).bool()
    return torch.where(turn.reshape(good.shape if by_entry else (-1, *[1] * (good.ndim - 1))), good, bad)


def _broken(trial: Trial) -> bool:
    """Not finite, or stopped by arithmetic (a division by 0, the largest of nothing); a refusal in words is neither."""
    if trial.error is not None:
        return isinstance(trial.error, (ArithmeticError, IndexError, RuntimeError, UnboundLocalError))
    return not (trial.finite_value and trial.finite_grad)


def _message(trial: Trial, selection: Selection) -> str:
    if trial.error is not None:
        return f"it raises {type(trial.error).__name__} {selection.name}"
    return f"the {'gradient' if trial.finite_value else 'value'} is not finite {selection.name}"


def _selections(subject: Subject) -> Iterator[Selection]:
    contract, inputs = subject.contract, subject.draw(1)
    for index, argument in enumerate(contract.arguments):
        value, kind = inputs[index], argument.kind

        def put(new: Any, where: int = index) -> tuple[Any, ...]:
            return tuple(new if i == where else old for i, old in enumerate(inputs))

        if kind in ("binary", "soft"):
            for number, word in ((0.0, "positives"), (1.0, "negatives")):
                empty = put(torch.full_like(value, number))
                yield Selection(f"in a batch without {word}", empty)
                best = perfect(contract, empty, far=SURE)
                if best is not None and kind == "binary" and contract.pred.kind in ("prob", "logits"):
                    yield Selection(f"in a batch without {word} that is predicted with certainty", best)
        elif kind == "boxes" and index == contract.preds[0] and len(contract.arguments) == 2:
            padded = tuple(torch.cat([torch.zeros_like(each[:1]), each[1:]]) for each in inputs)
            yield Selection("where a box and its target are empty, as padding is", padded)
        elif kind == "pm1":
            for number in (1.0, -1.0):
                yield Selection(f"in a batch whose targets are all {number:+g}", put(torch.full_like(value, number)))
        elif kind == "mask":
            yield Selection("where the mask is empty", put(torch.zeros_like(value)))
        elif kind == "weight" and selects(subject, index):
            yield Selection(f"where {argument.name} chooses nothing", put(torch.zeros_like(value)))
        elif kind == "index":
            yield from _labels(subject, index, inputs)


def _labels(subject: Subject, index: int, inputs: tuple[Any, ...]) -> Iterator[Selection]:
    value = inputs[index]

    def put(new: Any) -> tuple[Any, ...]:
        return tuple(new if i == index else old for i, old in enumerate(inputs))

    yield Selection("in a batch of a single class", put(torch.zeros_like(value)))
    if subject.contract.pred.kind in ("embedding", "unit"):
        few = head(subject.contract, inputs, SIZES["C"])  # more labels than classes would be out of range
        distinct = torch.arange(few[index].numel(), dtype=value.dtype).reshape(few[index].shape)
        alone = tuple(distinct if i == index else old for i, old in enumerate(few))
        yield Selection("in a batch in which no two samples share a class", alone)
    ignored = ignored_label(subject)
    if ignored is not None and index == subject.contract.target:
        yield Selection(f"where every label is ignored ({ignored})", put(torch.full_like(value, ignored)))
