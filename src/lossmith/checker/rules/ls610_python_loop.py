"""LS610 python-loop

What it checks
    The number of operations of one call does not grow with the number of samples. They are counted at 8, 16 and 32.

Why it matters
    Each operation is a kernel to launch, some microseconds whatever its size, and in the backward as many again. A loop
    over the rows of a batch of 1024 takes a thousand times as long as one operation on the batch.

Example
    total = 0.0
    for p, t in zip(pred, target):
        total = total + (p - t).square().mean()
    return total / len(pred)

Write instead
    return (pred - target).square().mean(-1).mean()      # or torch.vmap(of_one)(pred, target).mean()

When to allow it
    Batches are small, or what is done for a sample cannot be done for all at once (matching, sequences of any length).
    It is information.
"""

import sys
from collections.abc import Iterator

from lossmith.checker.batch import no_batch
from lossmith.checker.evidence import SkipRule, finding, reproduce
from lossmith.checker.finding import Finding
from lossmith.checker.growth import Peak
from lossmith.checker.subject import Subject

CODE, NAME, SINCE = "LS610", "python-loop", "0.1"
SIZES = (8, 16, 32)
SLOPE = 0.5  # operations a sample


def applies(subject: Subject) -> str:
    if subject.bridged:
        return "the operations of another framework are not seen"
    if subject.contract.draw is not None:
        return "the example has one batch size"
    return no_batch(subject)


def check(subject: Subject) -> Iterator[Finding]:
    counts: list[int] = []
    for n in SIZES:
        watch = Peak(subject.file)
        if not subject.run(subject.draw(1, n), grad=False, watch=watch).ok:
            raise SkipRule("it does not take other batch sizes")
        counts.append(watch.calls)
    slopes = [(b - a) / (m - n) for a, b, n, m in zip(counts, counts[1:], SIZES, SIZES[1:], strict=False)]
    if min(slopes) <= SLOPE:
        return
    growth = "with the square of them" if slopes[1] > 1.5 * slopes[0] else f"{slopes[1]:.3g} a sample"
    yield finding(
        sys.modules[__name__],
        subject,
        severity="info",
        message=f"the number of operations grows with the samples, {growth}: a Python loop runs over the batch",
        evidence={f"operations for {n} samples": str(count) for n, count in zip(SIZES, counts, strict=True)},
        fix="one operation on the whole batch, or torch.vmap over a function of one sample",
        reproducer=reproduce(subject, subject.draw(1, SIZES[0])),
    )
