"""LS705 unintended-kink

What it checks
    Where two curved pieces of a loss meet away from the target, their slopes agree. A kink at the target (absolute
    error), where a hinge becomes flat, and between straight pieces is what the loss is made of, and is not told.

Why it matters
    Huber's loss is chosen for its smooth joint. With a slope that jumps there, the gradient of an error near the joint
    changes from step to step, and curvature-based methods see a curvature that is not there. It is information: some
    losses (wing) have such a kink in their paper.

Example
    return torch.where(e < delta, 0.5 * e**2, 2 * delta * e - 1.5 * delta**2).mean()

Write instead
    return torch.where(e < delta, 0.5 * e**2, delta * e - 0.5 * delta**2).mean()

When to allow it
    The paper has it.
"""

import sys
from collections.abc import Iterator

import torch

from lossmith.checker.evidence import evidence_of, finding
from lossmith.checker.finding import Finding
from lossmith.checker.joints import Joint, joints, lines, value_and_slope
from lossmith.checker.known import is_shipped
from lossmith.checker.subject import Subject

CODE, NAME, SINCE = "LS705", "unintended-kink", "0.1"
CLEAR = 0.02
BESIDE = 0.05


def applies(subject: Subject) -> str:
    if is_shipped(subject):
        return "a shipped loss: its documentation says what it is"
    return "" if lines(subject) else "it is no loss of single numbers, each with its own target"


def check(subject: Subject) -> Iterator[Finding]:
    for joint in sorted(joints(subject), key=lambda joint: (abs(joint.x), -joint.x)):
        below, above = joint.slopes
        size = max(abs(below), abs(above))
        apart = abs(joint.x) > 1e-3 and abs(joint.jump) < 1e-6 * (1 + abs(joint.values[0]))
        if apart and below * above > 0 and abs(above - below) > CLEAR * size and _curved(subject, joint):
            yield _told(subject, joint)
            return


def _curved(subject: Subject, joint: Joint) -> bool:
    """At least one of the two pieces is no straight line."""
    sides = zip((-BESIDE, BESIDE), joint.slopes, strict=True)
    near = [abs(value_and_slope(subject, joint.line, joint.x + step)[1] - slope) for step, slope in sides]
    return max(near) > 1e-3 * max(map(abs, joint.slopes))


def _told(subject: Subject, joint: Joint) -> Finding:
    name = subject.contract.pred.name
    trial = subject.run(joint.inputs, dtype=torch.float64)
    place = f"{name} = {joint.x:g}" if subject.contract.target_kind() != "real" else f"a residual of {joint.x:g}"
    return finding(
        sys.modules[__name__],
        subject,
        severity="info",
        message=f"the slope jumps at {place}, from {joint.slopes[0]:.4g} to {joint.slopes[1]:.4g}",
        trial=trial,
        evidence=evidence_of(subject, trial),
        fix="give the outer piece the slope that the inner one has where they meet",
    )
