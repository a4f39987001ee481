"""LS507 padding-dependent

What it checks
    Three more steps of padding at the end of every sequence, with junk in them and said to be padding by the mask, the
    lengths or the ignored label, change neither the value nor the gradient of the steps that were there.

Why it matters
    How much padding a text gets is decided by the longest one of its batch. A mean over all steps, padding included,
    gives the same text another loss in another batch, and longer batches another learning rate; a term that forgets
    the mask learns the padding.

Example
    return (loss * mask).mean()

Write instead
    return (loss * mask).sum() / mask.sum().clamp(min=1)

When to allow it
    All batches have one length, or the division by all steps is meant.
"""

import sys
from collections.abc import Iterator
from typing import Any

import torch

from lossmith.checker.batch import near, near_tensors, precise, tolerance
from lossmith.checker.evidence import evidence_of, finding, literal, reproduce, show
from lossmith.checker.finding import Finding
from lossmith.checker.padding import MORE, Padded, padded
from lossmith.checker.subject import Subject, Trial

CODE, NAME, SINCE = "LS507", "padding-dependent", "0.1"
JUNK = (301, 302)


def applies(subject: Subject) -> str:
    if subject.contract.draw is not None:
        return "an example has its own lengths"
    if any(True for _ in padded(subject, subject.draw(1), JUNK[0])):
        return ""
    return "nothing says which steps of a sequence are padding: no mask, no lengths, no ignored label over an axis T"


def check(subject: Subject) -> Iterator[Finding]:
    inputs = subject.draw(1, 2) if subject.run(subject.draw(1, 2)).ok else subject.draw(1)  # few read better
    dtype = precise(subject, inputs)
    found: list[tuple[Padded, Trial, Trial]] = []
    for case in padded(subject, inputs, JUNK[0]):
        before = subject.run(case.before, dtype=dtype)
        after = subject.run(case.inputs, dtype=dtype)
        if not before.ok or not after.ok or not after.finite_value or _unchanged(case, before, after):
            return  # it does not take other lengths, or this is how it is told what is padding
        found.append((case, before, after))
    other = {case.name: case for case in padded(subject, inputs, JUNK[1])}
    # Of two ways to read a mask, the one in which what the padding holds does not matter is the loss's own.
    own = [each for each in found if near(each[2].value, _value(subject, other[each[0].name], dtype), 1e-6)]
    if own:
        yield _told(subject, *own[0])


def _value(subject: Subject, case: Padded, dtype: torch.dtype) -> float:
    return subject.run(case.inputs, dtype=dtype, grad=False).value


def _unchanged(case: Padded, before: Trial, after: Trial) -> bool:
    relative = tolerance(before, after)
    if not near(before.value, after.value, relative):
        return False
    pairs = enumerate(zip(before.grads, after.grads, strict=True))
    return all(near_tensors(a, case.kept(i, b), relative) for i, (a, b) in pairs if a is not None and b is not None)


def _told(subject: Subject, case: Padded, before: Trial, after: Trial) -> Finding:
    rows: dict[str, Any] = {k: v for k, v in evidence_of(subject, before).items() if not k.startswith("grad ")}
    rows |= {"steps": f"{case.steps}, then {case.steps + MORE}", "value then": show(after.value)}
    ratio = case.steps / (case.steps + MORE)
    by_length = near(after.value, ratio * before.value, 1e-4)
    same = near(after.value, before.value, tolerance(before, after))
    change = "the gradient" if same else f"the value, {show(before.value)} becomes {show(after.value)}"
    names = [argument.name for argument in subject.contract.arguments]
    call = f"print(loss_fn({', '.join(names)}).sum())"
    rows_then = zip(names, case.inputs, case.axes, strict=True)
    longer = [f"{name} = {literal(_single(value))}" for name, value, axis in rows_then if axis is not None]
    return finding(
        sys.modules[__name__],
        subject,
        severity="warning" if by_length else "error",
        message=f"{MORE} more steps of padding, {case.name}, change {change}",
        evidence=rows,
        why=f"the values differ by {case.steps} / {case.steps + MORE}: the mean is over all steps, padding included"
        if by_length
        else "what the padding holds does not matter, how much there is of it does",
        fix="divide by the number of steps that count: mask.sum().clamp(min=1)",
        reproducer=reproduce(subject, tuple(map(_single, before.inputs)), [call, *longer, call]),
    )


def _single(value: Any) -> Any:
    return value.float() if isinstance(value, torch.Tensor) and value.dtype == torch.float64 else value
