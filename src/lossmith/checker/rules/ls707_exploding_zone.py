"""LS707 exploding-zone

What it checks
    At predictions and targets that occur, the gradient stays within a thousand times its usual size: for residuals up
    to 12, and for a target of 0.

Why it matters
    A percentage error divides by the target: where that is 0, one sample has all of the gradient. An exponential loss
    gives a mislabelled sample the weight of 100000 others. Training is fine until one such sample comes. It is
    information: with clipped gradients, or targets that are never small, it does no harm.

Example
    return ((pred - target).abs() / target.abs().clamp(min=1e-8)).mean()

Write instead
    return ((pred - target).abs() / target.abs().clamp(min=0.1)).mean()      # or divide by the mean of the targets

When to allow it
    Targets are never near 0, or gradients are clipped.
"""

import sys
from collections.abc import Iterator

import torch

from lossmith.checker.evidence import evidence_of, finding
from lossmith.checker.finding import Finding
from lossmith.checker.joints import Line, lines, value_and_slope
from lossmith.checker.known import is_shipped
from lossmith.checker.subject import Subject

CODE, NAME, SINCE = "LS707", "exploding-zone", "0.1"
MANY = 1e3
PLACES = tuple(x / 4 + 0.05 for x in range(-48, 48))


def applies(subject: Subject) -> str:
    if is_shipped(subject):
        return "a shipped loss: its documentation says what it is"
    return "" if lines(subject) else "it is no loss of single numbers, each with its own target"


def check(subject: Subject) -> Iterator[Finding]:
    slopes = {line: [abs(value_and_slope(subject, line, x)[1]) for x in PLACES] for line in lines(subject)}
    if not slopes or not all(s == s and s < float("inf") for each in slopes.values() for s in each):
        return
    usual = min(sorted(each)[len(each) // 2] for each in slopes.values())
    for line, each in slopes.items():
        worst = max(range(len(each)), key=each.__getitem__)
        if each[worst] > MANY * usual > 0:
            yield _told(subject, line, PLACES[worst], each[worst] / usual)
            return


def _told(subject: Subject, line: Line, x: float, times: float) -> Finding:
    trial = subject.run(line.at(x), dtype=torch.float64)
    return finding(
        sys.modules[__name__],
        subject,
        severity="info",
        message=f"the gradient is {times:.3g} times its usual size, with a target of {line.target:g}",
        trial=trial,
        evidence=evidence_of(subject, trial),
        fix="give the quotient a floor of the size of ordinary targets, or let the loss grow more slowly",
    )
