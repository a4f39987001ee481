"""LS103 dead-branch-nan

What it checks
    A branch that `where` or a mask did not take does not turn the gradient into NaN.

Why it matters
    `where(ok, f(x), 0)` computes f everywhere. In the backward pass the branch that was not taken receives a gradient
    of 0, and 0 times an infinite derivative is NaN: the loss is right and finite, the gradient of the whole batch is
    not. The value gives no hint.

Example
    return torch.where(d > 0, d.sqrt(), 0.0).mean()

Write instead
    safe = torch.where(d > 0, d, 1.0)
    return torch.where(d > 0, safe.sqrt(), 0.0).mean()

When to allow it
    Never in training code.
"""

import sys
from collections.abc import Iterator

from lossmith.checker.evidence import finding
from lossmith.checker.faults import faults
from lossmith.checker.finding import Finding
from lossmith.checker.subject import Subject

CODE, NAME, SINCE = "LS103", "dead-branch-nan", "0.1"


def applies(subject: Subject) -> str:
    return "the graph of a bridged framework cannot be looked into" if subject.bridged else ""


def check(subject: Subject) -> Iterator[Finding]:
    for fault in faults(subject, "float32"):
        if fault.what == "gradient" and fault.dead_branch and not fault.constant:
            yield finding(
                sys.modules[__name__],
                subject,
                message=f"a branch that was not taken makes the gradient NaN, {fault.condition.name}",
                trial=fault.trial,
                why=f"{fault.explanation}; the gradient that reaches it is exactly 0, and 0 * inf is NaN",
                fix="make the argument safe before the operation, not its result after it: "
                "f(where(ok, x, 1.0)) inside the outer where(ok, ..., 0.0)",
                line=fault.line,
            )
            return
