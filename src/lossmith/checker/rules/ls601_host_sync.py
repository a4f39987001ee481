"""LS601 host-sync

What it checks
    How often the CPU has to wait for a number of the accelerator in one call: `.item()`, `float()`, a condition on a
    tensor, `.cpu()`, `.numpy()`, indexing with a mask, `nonzero()`. The inputs are followed on a pretended accelerator.

Why it matters
    At each of these the CPU stops until everything queued before it is done, and the accelerator runs dry meanwhile.
    Once or twice a step it costs little, and is only an info; once for each sample it is most of the step.

Example
    for i in range(len(target)):
        total = total - log_p[i, target[i].item()]

Write instead
    total = -log_p.gather(1, target[:, None]).sum()

When to allow it
    The loss is run on the CPU, or the numbers are needed there (a matching by SciPy).
"""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from lossmith.checker.devices import Event, watched
from lossmith.checker.evidence import SkipRule, finding
from lossmith.checker.finding import Finding
from lossmith.checker.subject import Subject

CODE, NAME, SINCE = "LS601", "host-sync", "0.1"


def applies(subject: Subject) -> str:
    if subject.framework != "torch":
        return "only torch runs ahead of its accelerator one operation at a time"
    return ""


def check(subject: Subject) -> Iterator[Finding]:
    found = _reads(subject, subject.draw(1))
    if not found:
        return
    n, twice = len(found), _twice(subject)
    loop = twice is not None and len(twice) >= n + 4 and len(twice) >= 1.8 * n  # one more may be outside of the loop
    lines: dict[str, str] = {}
    for event in found:
        count = sum(other == event for other in found)
        lines[event.line] = event.what if count == 1 else f"{event.what}, {count} times"
    times = f"the CPU waits for the accelerator {n} {'time' if n == 1 else 'times'} in one call"
    yield finding(
        sys.modules[__name__],
        subject,
        severity="warning" if loop else "info",
        message=f"{times}, and {len(twice or ())} times for twice the samples" if loop else times,
        evidence=lines,
        fix="one operation for all samples: gather(), a mask that multiplies, torch.where()"
        if loop
        else "a mask that multiplies, torch.where() or clamp(min=1) needs no number on the CPU",
        line=found[0].line,
    )


def _reads(subject: Subject, inputs: Sequence[Any]) -> list[Event]:
    events, error = watched(subject, inputs)
    if error is not None:
        raise SkipRule("the loss raises on valid inputs")
    return [event for event in events if event.kind == "read"]


def _twice(subject: Subject) -> list[Event] | None:
    """The reads of a batch twice as large, None if the loss does not take one."""
    if subject.contract.draw is not None or "N" not in subject.contract.pred.domain.axes:
        return None
    try:
        return _reads(subject, subject.draw(1, 2 * len(subject.draw(1)[subject.contract.preds[0]])))
    except SkipRule:
        return None
