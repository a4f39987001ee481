"""LS108 not-a-subgradient

What it checks
    At a kink, autograd gives a number between the slopes on both sides. Kinks are found along the line on which every
    prediction moves away from its target, and the place where the prediction is right is looked at in any case.

Why it matters
    `x.clamp(min=0) + x.clamp(max=0)` is x, and autograd says 2 at 0; `relu(x) - relu(-x)` is x too, and it says 0. A
    point that is hit exactly, as 0 is by padding, by rounded data or by a fresh last layer, then gets no step or a
    double one.

Example
    e = error.clamp(min=0) + error.clamp(max=0)

Write instead
    e = torch.where(error > 0, error, error)      # one of the two branches has the place

When to allow it
    The place is never hit: predictions are continuous, and targets are no round numbers.
"""

import sys
from collections.abc import Iterator
from math import isfinite

from lossmith.checker.evidence import evidence_of, finding, show
from lossmith.checker.finding import Finding
from lossmith.checker.handwritten import surrounding
from lossmith.checker.joints import Line, joints, lines, value_and_slope
from lossmith.checker.subject import Subject

CODE, NAME, SINCE = "LS108", "not-a-subgradient", "0.1"
STEP = 1e-6
AGREE = 1e-3  # autograd beside the kink, and the differences of the value, relative to the larger slope
CLEAR = 0.05


def applies(subject: Subject) -> str:
    return "" if lines(subject) else "it is no loss of single numbers, each with its own target"


def check(subject: Subject) -> Iterator[Finding]:
    places = [(line, 0.0) for line in lines(subject)]
    places += [(joint.line, joint.x) for joint in joints(subject) if abs(joint.jump) < STEP]
    for line, x in places:
        found = _outside(subject, line, x)
        if found is not None and not surrounding(subject, subject.run(line.at(x))):
            yield _told(subject, line, x, *found)
            return


def _outside(subject: Subject, line: Line, x: float) -> tuple[float, float, float] | None:
    """What autograd says there, and the slopes below and above, if it is not between them."""
    middle, given = value_and_slope(subject, line, x)
    (low, below), (high, above) = (value_and_slope(subject, line, x + step) for step in (-STEP, STEP))
    if not all(map(isfinite, (middle, given, low, below, high, above))):
        return None
    size = max(abs(below), abs(above))
    left, right = (middle - low) / STEP, (high - middle) / STEP
    if size < 1e-6 or abs(left - below) > AGREE * size or abs(right - above) > AGREE * size:
        return None  # another kink is near, or rounding hides the slope
    outside = max(min(below, above) - given, given - max(below, above))
    return (given, below, above) if outside > CLEAR * size else None


def _told(subject: Subject, line: Line, x: float, given: float, below: float, above: float) -> Finding:
    trial = subject.run(line.at(x))
    name = subject.contract.pred.name
    place = f"{name} = {x:g}" if subject.contract.target_kind() != "real" else f"a residual of {x:g}"
    rows = {**evidence_of(subject, trial), "slope below": show(below), "slope above": show(above)}
    return finding(
        sys.modules[__name__],
        subject,
        severity="warning",
        message=f"at {place} autograd gives {given + 0.0:.4g}, and the slope is {below:.4g} below, {above:.4g} above",
        trial=trial,
        evidence=rows,
        fix="let one branch alone hold the place: >= on one side, < on the other; or write the sum as what it is",
    )
