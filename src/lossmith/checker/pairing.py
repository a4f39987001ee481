"""Which prediction meets which target: pairs of shapes that broadcast, and losses that pair all with all.

A loss that pairs all with all has, in any order of its targets, the total of all N x N pairs called alone. Losses
on sets (Chamfer, energy distance) are blind to the order too, but are not that total; losses on differences of two
groups (a ranking of positives above negatives) are, but are not best where prediction and target agree. Beside the
target, other arguments may be on the far side together: a value and its action meet the rewards of every sample.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.batch import near, orders, precise, same, size, take
from lossmith.checker.sample import batched, draw, head
from lossmith.checker.subject import Subject, Trial
from lossmith.checker.watch import Largest

ELEMENTWISE = ("real", "positive", "logits", "prob", "binary", "soft", "count", "pm1")
LABELS = ("index", "binary", "soft", "pm1", "count")
FEW = 3  # samples in the evidence
MOST_BESIDE = 4  # arguments beside prediction and target whose every choice is tried


@dataclass(frozen=True)
class Meeting:
    """Proof that a loss pairs all with all: its total, that of all pairs, and that of the matching ones.

    `far` are the arguments of which those of every sample meet each prediction.
    """

    trial: Trial
    all_pairs: float
    matching: float
    n: int
    far: tuple[int, ...]
    shape: tuple[int, ...] = ()
    line: str = ""


def every_pair(subject: Subject) -> Meeting | None:
    return next((meeting for far in _far_sides(subject) if (meeting := _always_meets(subject, far)) is not None), None)


def beside(subject: Subject) -> list[int]:
    """Arguments with one entry or row for each sample that are neither a prediction nor the target."""
    rows, main = batched(subject.contract, subject.draw(0)), (*subject.contract.preds, subject.contract.target)
    return [i for i, row in enumerate(rows) if row and i not in main]


def _far_sides(subject: Subject) -> Iterator[tuple[int, ...]]:
    """What may stand on the far side: the target alone, then with others, then others without it.

    A weight or a mask alone that meets every sample multiplies the total: LS404 speaks of it.
    """
    target, others = subject.contract.target, beside(subject)
    if target is not None:
        yield (target,)
    every = [*([] if target is None else [target]), *others]
    for count in range(len(every), 0, -1) if 0 < len(others) <= MOST_BESIDE else ():
        for far in combinations(every, count):
            kinds = {subject.contract.arguments[i].kind for i in far}
            if far != (target,) and not kinds <= {"weight", "mask", "lengths"}:
                yield far


def _always_meets(subject: Subject, far: tuple[int, ...]) -> Meeting | None:
    found: list[Meeting] = []
    for seed in range(3):
        inputs = subject.draw(seed)
        inputs = head(subject.contract, inputs, min(size(subject, inputs), 4))
        meeting = _meeting(subject, inputs, far)
        if meeting is None:
            return None
        found.append(meeting)
    return found[0]


def _meeting(subject: Subject, inputs: tuple[Any, ...], far: tuple[int, ...]) -> Meeting | None:
    n, dtype, target = size(subject, inputs), precise(subject, inputs), subject.contract.target
    seen = Largest(subject.file, square=0 if far == (target,) else n)
    whole = subject.run(inputs, dtype=dtype, watch=None if subject.bridged else seen)
    if not whole.ok or not all(same(whole, _reordered(subject, inputs, far, o, dtype)) for o in orders(n, 3)):
        return None
    if not (subject.bridged or _square(seen.shape, n)):
        return None
    pairs = torch.tensor([[_alone(subject, inputs, i, j, far, dtype) for j in range(n)] for i in range(n)])
    if not bool(torch.isfinite(pairs).all()):
        return None
    for scale in (1.0, n, n * n):  # a sum, a sum over one axis and a mean over the other, a mean
        every, matching = float(pairs.sum()) / scale, float(pairs.diagonal().sum()) / scale * (n if scale > n else 1)
        meets_all = near(whole.value, every, 1e-5) and not near(every, matching, 1e-3)
        if meets_all and (_agreement_is_best(subject, inputs, dtype) if far == (target,) else _interact(pairs)):
            return Meeting(subject.run(inputs), every, matching, n, far, seen.shape, seen.line)
    return None


def _interact(pairs: Tensor) -> bool:
    """False for a term of the one side plus a term of the other, which pairs nothing."""
    mixed = pairs - pairs.mean(0, keepdim=True) - pairs.mean(1, keepdim=True) + pairs.mean()
    return bool(mixed.abs().max() > 1e-4 * (1e-6 + pairs.abs().max()))


def _square(shape: Sequence[int], n: int) -> bool:
    return list(shape).count(n) >= 2


def _reordered(
    subject: Subject, inputs: tuple[Any, ...], far: Sequence[int], order: Sequence[int], dtype: torch.dtype
) -> Trial:
    moved = tuple(value[list(order)] if i in far else value for i, value in enumerate(inputs))
    return subject.run(moved, dtype=dtype)


def _alone(subject: Subject, inputs: tuple[Any, ...], i: int, j: int, far: Sequence[int], dtype: torch.dtype) -> float:
    """The loss of prediction i with what is on the far side of sample j, as a batch of one."""
    one, other = take(subject, inputs, (i,)), take(subject, inputs, (j,))
    given = tuple(b if index in far else a for index, (a, b) in enumerate(zip(one, other, strict=True)))
    return subject.run(given, dtype=dtype, grad=False).value


def _agreement_is_best(subject: Subject, inputs: tuple[Any, ...], dtype: torch.dtype) -> bool:
    """True for labels; for two numbers, if one sample alone is best where the prediction equals its target."""
    target = subject.contract.target or 0
    if subject.contract.target_kind() in LABELS:
        return True
    one = take(subject, inputs, (0,))
    where = subject.contract.preds[0]
    pred = one[where]
    if one[target].numel() != pred.numel():
        return False

    def at(value: Tensor) -> float:
        given = (*one[:where], value, *one[where + 1 :])
        return subject.run(given, dtype=dtype, grad=False).value

    best = one[target].reshape(pred.shape).to(pred.dtype)
    return all(at(best) < at(best + step) for step in (-2.0, -0.5, 0.5, 2.0))


@dataclass(frozen=True)
class Mismatch:
    """A pair of shapes that does not belong together, accepted, and the value that the aligned pair has.

    `single`: what one target for several predictions was shown to do. `repair`: what makes the target fit, as source.
    Each is empty where it does not apply.
    """

    trial: Trial
    aligned: Trial
    target: Tensor
    single: str
    by_label: bool
    warned: str
    broadcast: tuple[int, ...]
    line: str
    repair: str

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return tuple(self.trial.inputs[self.trial.where].shape), tuple(self.target.shape)


def stray_axis(subject: Subject) -> Mismatch | None:
    """The contract's own shapes, where one side has an axis of one that the other has not, and the loss then gives the
    same value for targets in any order, which it does not for aligned ones."""
    contract, where = subject.contract, subject.contract.target or 0
    inputs = subject.draw(0)
    inputs = head(contract, inputs, min(size(subject, inputs), FEW))
    pred, target = inputs[contract.preds[0]], inputs[where]
    if {contract.pred.kind, contract.target_kind()} - set(ELEMENTWISE) or pred.shape == target.shape:
        return None
    if pred.numel() != target.numel():
        return None
    aligned = (*inputs[:where], target.reshape(pred.shape), *inputs[where + 1 :])
    if not _blind(subject, inputs) or _blind(subject, aligned):
        return None
    layout = _Layout(aligned, ())
    return _accepted(subject, layout, subject.run(aligned), target, f".reshape({contract.pred.name}.shape)")


def _blind(subject: Subject, inputs: tuple[Any, ...]) -> bool:
    """True if the value is the same for the targets in any order."""
    where, dtype, n = subject.contract.target or 0, precise(subject, inputs), size(subject, inputs)
    whole = subject.run(inputs, dtype=dtype)
    return all(same(whole, _reordered(subject, inputs, (where,), order, dtype)) for order in orders(n, 3))


def mismatches(subject: Subject) -> list[Mismatch]:
    """All pairs of shapes that are accepted and mean something else, where the aligned pair is accepted too."""
    found: list[Mismatch] = []
    for layout in _layouts(subject):
        aligned = subject.run(layout.aligned)
        if not aligned.ok or not aligned.finite_value:
            continue
        for target, repair in layout.targets:
            mismatch = _accepted(subject, layout, aligned, target, repair)
            if mismatch is not None:
                found.append(mismatch)
    return found


@dataclass(frozen=True)
class _Layout:
    """Aligned arguments, and targets of other shapes with the source that repairs each."""

    aligned: tuple[Any, ...]
    targets: tuple[tuple[Tensor, str], ...]
    by_label: bool = False


def _layouts(subject: Subject) -> Iterator[_Layout]:
    contract, where = subject.contract, subject.contract.target or 0
    inputs = _few(subject)
    pred, target = inputs[contract.preds[0]], inputs[where]
    if len(contract.preds) == 1 and contract.pred.kind in ELEMENTWISE and contract.target_kind() in ELEMENTWISE:
        if target.shape == pred.shape:
            yield from _elementwise(subject, inputs)
    elif target.ndim == 1:
        wide = (target.unsqueeze(-1), ".squeeze(-1)")
        yield _Layout(inputs, (wide, (target[:1], "")), by_label=True)


def _few(subject: Subject) -> tuple[Any, ...]:
    """A few samples with a single column or channel where the contract leaves their number open."""
    contract = subject.contract
    if contract.draw is not None:
        return head(contract, subject.draw(0), FEW)
    narrow = contract.pred.kind in ELEMENTWISE and contract.target_kind() in ELEMENTWISE
    sizes = {**(contract.sizes or {}), **({"C": 1} if narrow else {})}
    return draw(replace(contract, sizes=sizes), 10_000 * subject.seed, FEW)


def _elementwise(subject: Subject, inputs: tuple[Any, ...]) -> Iterator[_Layout]:
    """(N, 1) with (N,), (N,) with (N, 1), (N,) with (1,); for images (N, 1, H, W) with (N, H, W)."""
    where, rows = subject.contract.target or 0, batched(subject.contract, inputs)
    pred = inputs[subject.contract.preds[0]]
    if pred.ndim > 2:
        if pred.shape[1] == 1:
            yield _Layout(inputs, ((inputs[where].squeeze(1), ".unsqueeze(1)"),))
        return
    flat = tuple(_column(value) if row else value for value, row in zip(inputs, rows, strict=True))
    wide = tuple(value.unsqueeze(-1) if row else value for value, row in zip(flat, rows, strict=True))
    yield _Layout(wide, ((flat[where], ".unsqueeze(-1)"),))
    yield _Layout(flat, ((wide[where], ".squeeze(-1)"), (flat[where][:1], "")))


def _column(value: Tensor) -> Tensor:
    return value if value.ndim == 1 else value[:, 0]


def _accepted(subject: Subject, layout: _Layout, aligned: Trial, target: Tensor, repair: str) -> Mismatch | None:
    where = subject.contract.target or 0
    given = (*layout.aligned[:where], target, *layout.aligned[where + 1 :])
    seen = Largest(subject.file)
    trial = subject.run(given, grad=False, watch=None if subject.bridged else seen)
    if not trial.ok or near(trial.value, aligned.value, 1e-4):
        return None
    shapes = layout.aligned[subject.contract.preds[0]].shape, target.shape
    broadcast = () if layout.by_label else tuple(torch.broadcast_shapes(*shapes))
    if layout.by_label and seen.elements > max(part.numel() for part in given if isinstance(part, Tensor)):
        broadcast = seen.shape
    warned = next((text for text in trial.warned if "size" in text or "shape" in text or "broadcast" in text), "")
    line = seen.line if seen.shape == broadcast else ""
    single = "" if repair else _of_one_target(subject, layout, trial)
    if not (repair or single):
        return None
    return Mismatch(trial, aligned, target, single, layout.by_label, warned, broadcast, line, repair)


def _of_one_target(subject: Subject, layout: _Layout, trial: Trial) -> str:
    """What became of the predictions that have no target of their own; empty if neither guess explains the value."""
    where, inputs = subject.contract.target or 0, layout.aligned
    repeated = inputs[where][:1].expand_as(inputs[where]).contiguous()
    for_all = subject.run((*inputs[:where], repeated, *inputs[where + 1 :]), grad=False)
    if for_all.ok and near(for_all.value, trial.value, 1e-4):
        return "one target is used for all predictions"
    first = subject.run(take(subject, inputs, (0,)), grad=False)
    return "only the first prediction counts" if first.ok and near(first.value, trial.value, 1e-4) else ""
