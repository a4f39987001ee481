"""LS704 discontinuous

What it checks
    The pieces of a loss meet. Along the line on which every prediction moves away from its target, no place is left
    where the value jumps: the interval is halved until it is a billionth wide, and the difference stays.

Why it matters
    A jump is a constant that is missing in one branch, or right for the default alone. The gradient does not see it:
    the optimizer crosses the place and the loss changes for no reason, and a line search or an early stopping that
    reads values is misled.

Example
    return torch.where(e < delta, 0.5 * e**2, delta * (e - delta)).mean()      # at delta: 0.5 delta^2, and 0

Write instead
    return torch.where(e < delta, 0.5 * e**2, delta * (e - 0.5 * delta)).mean()

When to allow it
    The loss counts something, or has a threshold below which an error is free. One that rounds, or selects samples by
    what they cost, is not reported, nor one that detaches a step so that the gradient goes straight through.
"""

import re
import sys
from collections.abc import Iterator

import torch

from lossmith.checker.evidence import SkipRule, evidence_of, finding, literal, reproduce, show
from lossmith.checker.finding import Finding
from lossmith.checker.joints import Joint, joints, lines
from lossmith.checker.subject import Subject

CODE, NAME, SINCE = "LS704", "discontinuous", "0.1"
STEPS = re.compile(r"quanti[sz]|thresh|ohem|hard|trunc|round|stair|step|zero_?one|count|bin(?:ned|s)", re.I)
CLEAR = 1e-4  # of the value there


def applies(subject: Subject) -> str:
    return "" if lines(subject) else "it is no loss of single numbers, each with its own target"


def check(subject: Subject) -> Iterator[Finding]:
    if STEPS.search(f"{subject.name} {' '.join(subject.settings)}"):
        raise SkipRule("its name says that it has steps")
    found = [joint for joint in joints(subject) if _jumps(joint)]
    if 0 < len(found) <= 8:
        yield _told(subject, min(found, key=lambda joint: (abs(joint.x), -joint.x)))


def _jumps(joint: Joint) -> bool:
    """The difference is no slope, and the loss is no staircase."""
    size = max(*map(abs, joint.values), 1e-3)
    return joint.jump > CLEAR * size and max(map(abs, joint.slopes)) > 1e-9


def _told(subject: Subject, joint: Joint) -> Finding:
    where = subject.contract.preds[0]
    names = [argument.name for argument in subject.contract.arguments]
    name = names[where]
    low = tuple(v - 1e-6 if i == where else v for i, v in enumerate(joint.inputs))
    trial = subject.run(low, dtype=torch.float64)
    rows = evidence_of(subject, trial)
    slopes = f"{joint.slopes[0]:.6g} below, {joint.slopes[1]:.6g} above"
    rows |= {f"value at {name} + 2e-6": show(joint.values[1] + 0.0), "slopes": slopes}
    other = ", ".join(f"{each} + 2e-6" if each == name else each for each in names)
    doubled = [f"{names[where]} = {literal(low[where])}"]
    ending = [*doubled, f"print(loss_fn({', '.join(names)}).sum())", f"print(loss_fn({other}).sum())"]
    place = f"{name} = {joint.x:.6g}" if subject.contract.target_kind() != "real" else f"a residual of {joint.x:.6g}"
    return finding(
        sys.modules[__name__],
        subject,
        message=f"the value jumps at {place}, from {joint.values[0]:.6g} to {joint.values[1] + 0.0:.6g}",
        trial=trial,
        evidence=rows,
        fix="give one branch the constant that makes both equal where they meet",
        reproducer=reproduce(subject, trial.inputs, ending),
    )
