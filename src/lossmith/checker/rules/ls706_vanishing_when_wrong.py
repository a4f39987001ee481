"""LS706 vanishing-when-wrong

What it checks
    A prediction that is sure and wrong has a slope. Along the line from right to wrong, the gradient where the loss is
    above half of its range is held against the largest one: below 2 % it has vanished.

Why it matters
    A squared error of a sigmoid is flat at both ends: the samples that are most wrong teach least, and a network that
    starts out sure and wrong stays so. It is information: losses that are robust against wrong labels are made so.

Example
    return ((torch.sigmoid(logits) - target) ** 2).mean()

Write instead
    return F.binary_cross_entropy_with_logits(logits, target)

When to allow it
    Labels may be wrong, and what contradicts the model strongly is to be left alone.
"""

import sys
from collections.abc import Iterator

import torch

from lossmith.checker.curve import path_of
from lossmith.checker.evidence import finding
from lossmith.checker.finding import Finding
from lossmith.checker.known import is_shipped
from lossmith.checker.many import at_many
from lossmith.checker.subject import Subject

CODE, NAME, SINCE = "LS706", "vanishing-when-wrong", "0.1"
GRID = torch.linspace(-12, 12, 97, dtype=torch.float64)
VANISHED, HALF = 0.02, 0.5


def applies(subject: Subject) -> str:
    if is_shipped(subject):
        return "a shipped loss: its documentation says what it is"
    contract = subject.contract
    fits = bool(contract.preds) and contract.pred.kind == "logits"
    return "" if fits and contract.target_kind() in ("binary", "pm1", "index") else "it takes no logits and labels"


def check(subject: Subject) -> Iterator[Finding]:
    path = path_of(subject)
    for label, move in (path.moves if path is not None else {}).items():
        made = at_many(subject, move, (GRID,), dtype=torch.float64)
        value, slope = made.value, made.slopes[0].abs()
        if not bool(torch.isfinite(value).all() and torch.isfinite(slope).all()) or not float(slope.max()):
            continue
        high = value > value.min() + HALF * (value.max() - value.min())
        end = 0 if value[0] > value[-1] else -1
        if bool(high[end]) and float(slope[end]) < VANISHED * float(slope.max()):
            yield finding(
                sys.modules[__name__],
                subject,
                severity="info",
                message=f"the gradient vanishes where it is most wrong, for {label}",
                evidence={
                    f"logit {x:g}": f"value {v:.4g}, slope {s:.4g}"
                    for x, v, s in list(zip(GRID.tolist(), value.tolist(), slope.tolist(), strict=True))[::16]
                },
                fix="take the loss that belongs to the link: cross entropy for a sigmoid or softmax",
            )
            return
