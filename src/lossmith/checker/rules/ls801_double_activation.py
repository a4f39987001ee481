"""LS801 double-activation

What it checks
    What is squashed to probabilities is squashed once. What comes out of softmax or sigmoid, or an argument that is
    called a probability, does not go into cross_entropy, binary_cross_entropy_with_logits, or another softmax.

Why it matters
    The cross entropy of a softmax of a softmax cannot fall below log(1 + (C - 1) / e), 0.904 for five classes, however
    right the model is; the gradient is small everywhere, and vanishes where the model is sure and wrong. It trains,
    slowly, to a plateau that looks like hard data.

Example
    return F.cross_entropy(torch.softmax(logits, dim=1), target)

Write instead
    return F.cross_entropy(logits, target)

When to allow it
    Bounded logits are wanted, as a regulariser. Divide them by a temperature then, which also says so.
"""

import math
import sys
from collections.abc import Iterator

from torch.nn import functional as F

from lossmith.checker.activations import Mistaken, mistakes
from lossmith.checker.evidence import evidence_of, finding, show
from lossmith.checker.finding import Finding
from lossmith.checker.sample import perfect
from lossmith.checker.subject import Subject

CODE, NAME, SINCE = "LS801", "double-activation", "0.1"
FAR = 60.0  # a logit that leaves nothing to be desired
PLAIN = ("softmax", "sigmoid", "expit")
FLOOR = 0.1  # of what an undecided prediction costs


def applies(subject: Subject) -> str:
    return "" if subject.contract.preds else "the contract names no prediction"


def check(subject: Subject) -> Iterator[Finding]:
    found = next((each for each in mistakes(subject) if each.twice), None)
    if found is not None:
        yield from _told(subject, found)
    elif subject.bridged:
        yield from _by_its_floor(subject)


def _by_its_floor(subject: Subject) -> Iterator[Finding]:
    """Across a bridge no call is seen; but nothing else costs exactly this where a prediction is sure and right."""
    best = perfect(subject.contract, subject.draw(1, 1), FAR) if subject.contract.pred.kind == "logits" else None
    if best is None or subject.contract.target is None:
        return
    pred, target = best[subject.contract.preds[0]], best[subject.contract.target]
    floors = {"softmax": math.log1p((pred.shape[-1] - 1) / math.e)}
    if subject.contract.target_kind() == "binary":
        floors = {"sigmoid": float(F.binary_cross_entropy_with_logits(target, target))}
    trial = subject.run(best)
    for made_by, floor in floors.items():
        if any(math.isclose(trial.value, floor * count, rel_tol=1e-5) for count in (1, pred.numel())):
            yield finding(
                sys.modules[__name__],
                subject,
                message=f"a cross entropy of probabilities: {made_by} is applied twice",
                trial=trial,
                why=f"with every logit {FAR:g} on the right side it costs what 1 and 0 cost as logits",
                fix=f"leave {made_by} out, or say that it is applied (from_logits=False)",
            )
            return


def _told(subject: Subject, found: Mistaken) -> Iterator[Finding]:
    inputs = subject.draw(1, None if subject.contract.draw else 2)
    best = perfect(subject.contract, inputs, FAR)
    trial = subject.run(inputs if best is None else best)
    undecided = None
    if best is not None and subject.contract.pred.kind == "logits":
        where = subject.contract.preds[0]
        undecided = subject.values((*best[:where], best[where] * 0, *best[where + 1 :]))
    floor = undecided is not None and abs(trial.value) > FLOOR * abs(undecided)
    twice = found.function == found.given.made_by == "sigmoid"  # of one number; a softmax may be of weights
    if found.function in PLAIN and found.given.made_by and not floor and not twice:
        return  # a softmax of weights that happen to lie between 0 and 1
    rows = evidence_of(subject, trial)
    if floor:
        rows["with logits of 0"] = show(undecided)
    inner = f"the output of {found.given.made_by}" if found.given.made_by else subject.contract.pred.name
    why = f"with every logit {FAR:g} on the right side it still costs {show(trial.value)}" if floor else ""
    yield finding(
        sys.modules[__name__],
        subject,
        message=f"{found.function} takes logits and is given probabilities: {inner}",
        trial=trial,
        evidence=rows,
        why=why,
        fix=_fix(found),
        line=found.line,
    )


def _fix(found: Mistaken) -> str:
    if found.given.made_by:
        return f"leave {found.given.made_by} out: {found.function} has it inside"
    fits = {"cross_entropy": "nll_loss of their logarithm", "binary_cross_entropy_with_logits": "binary_cross_entropy"}
    return f"use {fits.get(found.function, 'them as they are')}, or hand over logits and call them so"
