"""LS504 weight-cancels

What it checks
    A class weight counts in a batch of one sample. With a mean that divides by the weights, as torch's cross_entropy
    has it, the weight of a single sample, or of a batch of one class, cancels.

Why it matters
    The rare class has a large weight, and is alone in its micro-batch: there it counts as if it had none. The
    effective learning rate changes with the classes of the batch. It is information, since it is torch's documented
    convention.

Example
    return F.cross_entropy(logits, target, weight=weight)

Write instead
    return F.cross_entropy(logits, target, weight=weight, reduction="sum") / len(target)

When to allow it
    The convention is wanted: all batches then have values of one size.
"""

import sys
from collections.abc import Iterator

import torch

from lossmith.checker.batch import near, no_batch, precise, take
from lossmith.checker.evidence import evidence_of, finding, show
from lossmith.checker.finding import Finding
from lossmith.checker.known import is_shipped
from lossmith.checker.subject import Subject
from lossmith.checker.weighing import weighings

CODE, NAME, SINCE = "LS504", "weight-cancels", "0.1"


def applies(subject: Subject) -> str:
    if is_shipped(subject):
        return "a shipped loss: its documentation says what it is"
    return no_batch(subject) or (
        "" if any(w.per == "class" for w in weighings(subject)) else "it takes no class weights"
    )


def check(subject: Subject) -> Iterator[Finding]:
    inputs = subject.draw(0)
    dtype = precise(subject, inputs)
    for weighing in weighings(subject):
        if weighing.per != "class":
            continue
        one = take(subject, inputs, [0])
        light, heavy = (torch.full((weighing.count,), w, dtype=torch.float64) for w in (1.0, 10.0))
        trials = [weighing.run(given, w, dtype) for given in (one, inputs) for w in (light, _uneven(heavy))]
        if not all(trial.ok and trial.finite_value for trial in trials):
            continue
        if near(trials[0].value, trials[1].value, 1e-9) and not near(trials[2].value, trials[3].value, 1e-6):
            rows = evidence_of(subject, trials[0]) | {f"value with {weighing.name} times 10": show(trials[1].value)}
            yield finding(
                sys.modules[__name__],
                subject,
                severity="info",
                message=f"{weighing.name} has no effect on a batch of one sample: ten times it gives the same value",
                evidence=rows,
                why="the mean divides by the weights that it was given, and one weight cancels",
                fix="divide by the number of samples: reduction='sum', then / len(target)",
            )
            return


def _uneven(weights: torch.Tensor) -> torch.Tensor:
    """Ten for each class, and more for the later ones."""
    return weights * (1 + torch.arange(len(weights)) / len(weights))
