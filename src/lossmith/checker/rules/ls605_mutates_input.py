"""LS605 mutates-input

What it checks
    The loss leaves prediction, target and mask as they were: it writes into none of them, nor into a view of them.

Why it matters
    The next term of the loss, the metric and the next epoch (where the data are kept in memory) read what was
    written. A prediction that is written in place raises "a leaf Variable that requires grad ..." or corrupts the
    backward of the layer that made it.

Example
    target[target < 0] = 0
    return ((pred - target) ** 2).mean()

Write instead
    target = target.clamp(min=0)
    return ((pred - target) ** 2).mean()

When to allow it
    The caller hands over tensors that nobody else reads, and says so.
"""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from lossmith.checker.conditions import conditions
from lossmith.checker.evidence import SkipRule, finding, reproduce, show, shrink
from lossmith.checker.finding import Finding
from lossmith.checker.subject import Subject
from lossmith.checker.writes import Write, written

CODE, NAME, SINCE = "LS605", "mutates-input", "0.1"


def applies(subject: Subject) -> str:
    return "the bridge hands its framework a copy of the inputs" if subject.bridged else ""


def check(subject: Subject) -> Iterator[Finding]:
    found: dict[int, tuple[Write, tuple[Any, ...]]] = {}
    for inputs in _situations(subject):
        for grad in (False, True):
            for write in written(subject, inputs, grad):
                if write.argument not in found or (write.moved and not found[write.argument][0].moved):
                    found[write.argument] = (write, inputs)
    for argument in sorted(found):
        yield _accusation(subject, *found[argument])


def _situations(subject: Subject) -> list[tuple[Any, ...]]:
    draws = [subject.draw(seed) for seed in (1, 2, 3)]
    if not subject.run(draws[0], grad=False).ok:
        raise SkipRule("the loss raises on valid inputs")
    return [*draws, *(condition.inputs for condition in conditions(subject)[1:])]


def _accusation(subject: Subject, write: Write, inputs: Sequence[Any]) -> Finding:
    small = shrink(subject, inputs, lambda part: _again(subject, part, write) is not None)
    seen = _again(subject, small, write) or write
    name = subject.contract.arguments[write.argument].name
    learned = write.argument in subject.contract.preds
    raised = subject.run(small).error
    evidence = {f"{name} before": show(seen.before), f"{name} after": show(seen.after)}
    if raised is not None and subject.run(small, grad=False).ok:
        evidence["with a gradient"] = f"{type(raised).__name__}: {str(raised).splitlines()[0][:120]}"
    return finding(
        sys.modules[__name__],
        subject,
        severity="error" if write.moved or learned else "warning",
        message=f"the call writes into {name}"
        if write.moved
        else f"the call writes into {name} in place, the same values on all inputs that were tried",
        evidence=evidence,
        why=f"{seen.operation} writes into it" if seen.operation else "",
        fix=f"start from a copy: {name} = {name}.clone()",
        line=seen.line,
        reproducer=reproduce(subject, small, _ending(subject, name)),
    )


def _again(subject: Subject, inputs: Sequence[Any], write: Write) -> Write | None:
    for grad in (False, True):
        for other in written(subject, inputs, grad):
            if other.argument == write.argument and other.moved == write.moved:
                return other
    return None


def _ending(subject: Subject, name: str) -> list[str]:
    names = [argument.name for argument in subject.contract.arguments]
    return [
        f"before, version = {name}.clone(), {name}._version",
        f"loss_fn({', '.join(names)})",
        f"print(before, {name}, sep='\\n')",
        f"print('version', version, '->', {name}._version)",
    ]
