"""LS104 nan-at-perfect-prediction

What it checks
    Value and gradient are finite where the prediction equals the target, for a whole batch and for one sample of it;
    for embeddings, where the ones that belong together are identical.

Why it matters
    Square roots, norms, arc cosines and quotients have no finite derivative at 0. A model that gets one sample exactly
    right (padding, a constant target, a duplicate in the batch) then receives NaN for every weight.

Example
    return ((pred - target) ** 2).mean().sqrt()

Write instead
    return (((pred - target) ** 2).mean() + 1e-12).sqrt()

When to allow it
    The prediction provably never equals the target.
"""

import sys
from collections.abc import Iterator

from lossmith.checker.evidence import finding
from lossmith.checker.faults import faults
from lossmith.checker.finding import Finding
from lossmith.checker.sample import perfect
from lossmith.checker.subject import Subject

CODE, NAME, SINCE = "LS104", "nan-at-perfect-prediction", "0.1"


def applies(subject: Subject) -> str:
    return "" if perfect(subject.contract, subject.draw(1)) is not None else "the perfect prediction is not known"


def check(subject: Subject) -> Iterator[Finding]:
    for fault in faults(subject, "float32"):
        if fault.what == "gradient" and fault.condition.match and not fault.constant and not fault.dead_branch:
            yield finding(
                sys.modules[__name__],
                subject,
                message=f"the gradient is not finite {fault.condition.name}",
                trial=fault.trial,
                why=fault.explanation,
                fix="add a small constant inside the root or under the quotient (x + 1e-12), "
                "or use a function that is defined there (torch.linalg.vector_norm, torch.hypot)",
                line=fault.line,
            )
            return
