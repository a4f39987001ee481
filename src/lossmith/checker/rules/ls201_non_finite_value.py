"""LS201 non-finite-value

What it checks
    The value is finite for every valid input whose true value is finite: saturated logits, probabilities of exactly 0
    and 1, residuals up to 1e4. A guard that returns less for a value that is not finite than a milder mistake costs
    (`if isnan(loss): return 0`) hides the fault, and is told as one.

Why it matters
    `0 * log(0)` is NaN although it stands for 0, and exp(89) is inf in float32 although its logarithm is 89. One such
    sample makes the loss of the batch NaN, and with it every weight.

Example
    p = torch.sigmoid(pred)
    return -(target * p.log() + (1 - target) * (1 - p).log()).mean()

Write instead
    return torch.nn.functional.binary_cross_entropy_with_logits(pred, target)

When to allow it
    The loss is documented for inputs that stay away from these values.
"""

import sys
from collections.abc import Iterator

import torch

from lossmith.checker.conditions import conditions
from lossmith.checker.evidence import finding
from lossmith.checker.faults import Fault, faults
from lossmith.checker.finding import Finding
from lossmith.checker.left_out import speaks_of_nan
from lossmith.checker.mirrors import is_ordinary
from lossmith.checker.subject import Subject

CODE, NAME, SINCE = "LS201", "non-finite-value", "0.1"
DRAWS = (1, 2, 3)


def applies(subject: Subject) -> str:
    return ""


def check(subject: Subject) -> Iterator[Finding]:
    if (everywhere := _never_finite(subject)) is not None:
        yield everywhere
        return
    for fault in faults(subject, "float32"):
        if fault.what == "value" and not fault.constant:
            yield finding(
                sys.modules[__name__],
                subject,
                message=f"the value is {fault.trial.value:g} {fault.condition.name}",
                trial=fault.trial,
                why=_why(fault),
                fix=_fix(fault),
            )
            return  # the mildest condition; the harsher ones repeat it
    if (replaced := _replaced(subject)) is not None:
        yield replaced


def _never_finite(subject: Subject) -> Finding | None:
    """A loss that is inf or NaN on every ordinary draw, in float64 too."""
    trials = [subject.run(subject.draw(seed), dtype=dtype) for seed in DRAWS for dtype in (None, torch.float64)]
    if any(not trial.ok or trial.finite_value for trial in trials) or not is_ordinary(subject.contract):
        return None
    return finding(
        sys.modules[__name__],
        subject,
        message=f"the value is {trials[0].value:g} on all ordinary inputs, whatever they are",
        trial=trials[0],
        why="no other inputs were accepted with a finite value",
        fix="look for a log(0), a root or a fractional power of what may be negative, or a division by 0",
    )


def _replaced(subject: Subject) -> Finding | None:
    """A value that is not finite, and for which the loss returns less than for a milder mistake, without a gradient."""
    if not speaks_of_nan(subject):
        return None
    worst = 0.0
    for condition in conditions(subject):
        if "wrong" not in condition.name:
            continue
        trial = subject.run(condition.inputs)
        still = trial.grad is None or not bool((trial.grad != 0).any())
        if trial.ok and still and worst > 0 and trial.value < 0.1 * worst:
            return finding(
                sys.modules[__name__],
                subject,
                message=f"a value that is not finite is replaced by {trial.value:g}, {condition.name}",
                trial=trial,
                why=f"a milder mistake costs {worst:g}: what is worst is free, and has no gradient",
                fix="compute it in a form that stays finite (with_logits, log_softmax), and leave the guard out",
            )
        worst = max(worst, trial.value) if trial.finite_value else worst
    return None


def _why(fault: Fault) -> str:
    if fault.finite_in_double and fault.truth is not None:
        return f"in float64 it is {fault.truth.value:g}: an intermediate leaves the range of float32"
    return "values just before it are moderate, so the formula has a limit here that the code does not reach"


def _fix(fault: Fault) -> str:
    if fault.finite_in_double:
        return "use the stable form: softplus, logsumexp, log_softmax, log1p, expm1"
    return "give 0 * log(0) and 0 / 0 their limit (torch.xlogy, a guarded quotient), or compute from logits"
