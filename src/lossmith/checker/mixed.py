"""Samples that do not interact, and a total that is neither their sum nor their mean.

Cut a batch in two. Where no weights explain the whole by its parts, samples may interact; they do not if the gradient
of a part stays as it is when the rest of the batch is exchanged. Then each argument tells how its own term is reduced:
the gradient of a mean shrinks with the batch, that of a sum does not. A total that is a sum but for a number that comes
once for each batch was meant as the mean: `1 - scores.sum()`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lossmith.checker.batch import Split, interact, near_tensors, splits, take, tolerance
from lossmith.checker.subject import Subject

CLEARLY = 1e-3


@dataclass(frozen=True)
class Mixed:
    """`how` says for each prediction whether it is summed or averaged; `once` is what comes once for each batch."""

    part: Split
    how: dict[str, str]
    once: float = 0.0


def mixed(subject: Subject) -> Mixed | None:
    """What is reduced in two ways, shown by every cut of every draw; None if samples interact or all is one law."""
    parts = splits(subject)
    if not interact(parts):
        return None
    found = [_of(subject, part) for part in parts]
    first = found[0]
    same = first is not None and all(each is not None and each.how == first.how for each in found)
    return first if same else None


def _of(subject: Subject, part: Split) -> Mixed | None:
    if _others_matter(subject, part):
        return None
    how = {
        subject.contract.arguments[i].name: _law(part, whole, first)
        for i, (whole, first) in enumerate(zip(part.whole.grads, part.first.grads, strict=True))
        if whole is not None and first is not None
    }
    laws = set(how.values())
    if laws == {"sum", "mean"}:
        return Mixed(part, how)
    once = part.first.value + part.second.value - part.whole.value
    learns = subject.module is not None and any(True for _ in subject.module.parameters())
    if laws == {"sum"} and not learns and once * (part.whole.value - once) < 0 and abs(once) > CLEARLY:
        return Mixed(part, how, once)
    return None


def _law(part: Split, whole: Tensor, first: Tensor) -> str:
    for name, weight in (("sum", 1.0), ("mean", part.shares[0])):
        if near_tensors(whole[: part.cut], weight * first, tolerance(part.whole)):
            return name
    return ""


def _others_matter(subject: Subject, part: Split) -> bool:
    """True if the gradient of the first rows changes when the others are exchanged for other samples."""
    inputs = part.whole.inputs
    dtype = inputs[part.whole.where].dtype
    other = subject.draw(977, part.n) if subject.contract.draw is None else subject.draw(977)
    rows: Sequence[int] = range(part.cut)
    rest = take(subject, other, range(part.cut, part.n))
    head = take(subject, inputs, rows)
    given = tuple(
        torch.cat([a, b.to(a.dtype)]) if isinstance(a, Tensor) and a.shape != whole.shape else whole
        for a, b, whole in zip(head, rest, inputs, strict=True)
    )
    again = subject.run(given, dtype=dtype)
    pairs = list(zip(part.whole.grads, again.grads, strict=True))
    return not again.ok or not all(
        near_tensors(a[: part.cut], b[: part.cut], tolerance(part.whole, again))
        for a, b in pairs
        if a is not None and b is not None
    )
