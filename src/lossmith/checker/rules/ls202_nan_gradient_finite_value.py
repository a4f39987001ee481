"""LS202 nan-gradient-finite-value

What it checks
    Where the value of the loss is finite, its gradient is finite too: for confident predictions, right and wrong,
    and for large residuals.

Why it matters
    A confident wrong answer is the case a loss is for. `log(softmax(x))` has a factor 1/p in its gradient; once p
    underflows the gradient is inf or NaN while the loss still prints a number, and one step later so are the weights.

Example
    p = pred.softmax(-1)
    return -(target * (p + 1e-30).log()).sum(-1).mean()

Write instead
    return -(target * pred.log_softmax(-1)).sum(-1).mean()

When to allow it
    The loss is documented for inputs that stay away from these values.
"""

import sys
from collections.abc import Iterator

from lossmith.checker.evidence import finding
from lossmith.checker.faults import faults
from lossmith.checker.finding import Finding
from lossmith.checker.subject import Subject

CODE, NAME, SINCE = "LS202", "nan-gradient-finite-value", "0.1"


def applies(subject: Subject) -> str:
    return ""


def check(subject: Subject) -> Iterator[Finding]:
    for fault in faults(subject, "float32"):
        if fault.what == "gradient" and not fault.condition.match and not fault.constant and not fault.dead_branch:
            yield finding(
                sys.modules[__name__],
                subject,
                message=f"the value is finite but the gradient is not, {fault.condition.name}",
                trial=fault.trial,
                why=fault.explanation,
                fix="stay in log space (log_softmax, logsumexp, softplus), or keep the argument of that operation away "
                "from its singularity",
                line=fault.line,
            )
            return  # the mildest condition; the harsher ones repeat it
