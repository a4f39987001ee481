"""LS301 unrepresentable-constant

What it checks
    A guard such as `+ 1e-8` or `clamp(1e-7, 1 - 1e-7)` exists in the precision in which the loss runs. It is reported
    only with an input whose value or gradient is not finite, and becomes finite when the constant is made larger; for
    information, if that is so only in half precision, and nothing in the loss says that it runs there.

Why it matters
    float16 has no number between 0 and 6e-8, and nothing between 0.9995 and 1; in float32 1 - 1e-8 is exactly 1. The
    guard is in the code, and does nothing: log(0) and 1/0 come back.

Example
    return -(pred.clamp(1e-8, 1 - 1e-8)).log().mean()

Write instead
    eps = torch.finfo(pred.dtype).eps
    return -(pred.clamp(eps, 1 - eps)).log().mean()

When to allow it
    The loss never sees that precision: it casts its inputs to float32 first (then this rule stays silent by itself).
"""

import sys
from collections.abc import Iterator

import torch

from lossmith.checker.evidence import SkipRule, finding
from lossmith.checker.faults import DTYPES, Fault, faults, supports
from lossmith.checker.finding import Finding, Severity
from lossmith.checker.halves import meant_for_half
from lossmith.checker.subject import Subject

CODE, NAME, SINCE = "LS301", "unrepresentable-constant", "0.1"


def applies(subject: Subject) -> str:
    return "the constants of a bridged framework cannot be seen" if subject.bridged else ""


def check(subject: Subject) -> Iterator[Finding]:
    refused = [reason for precision in DTYPES if (reason := supports(subject, precision))]
    if len(refused) == len(DTYPES):
        raise SkipRule("; ".join(refused))
    for precision in DTYPES:
        for fault in faults(subject, precision):
            if fault.constant is not None:
                yield _finding(subject, fault)
                return  # one finding a loss: the same constant fails in every lower precision


def _finding(subject: Subject, fault: Fault) -> Finding:
    constant = fault.constant
    assert constant is not None
    held = float(torch.tensor(constant.number, dtype=constant.dtype))
    short = str(constant.dtype).removeprefix("torch.")
    return finding(
        sys.modules[__name__],
        subject,
        severity=_severity(subject, fault),
        message=f"the constant {_spelled(constant.number)} is {held:g} in {short}: the guard does nothing, "
        f"and the {fault.what} is not finite {fault.condition.name}",
        trial=fault.trial,
        why=f"with {_spelled(constant.repaired)} in its place the result is finite",
        fix="take the constant from the precision: torch.finfo(x.dtype).eps "
        f"(here {torch.finfo(constant.dtype).eps:.3g})",
        line=constant.line,
    )


def _severity(subject: Subject, fault: Fault) -> Severity:
    """In half precision nearly every guard vanishes: that matters to a loss that says it runs there.

    Exact matches and zeros are rare in training, and told as a warning.
    """
    if fault.precision == "float32":
        return "error"
    if not meant_for_half(subject):
        return "info"
    return "warning" if fault.condition.degenerate else "error"


def _spelled(number: float) -> str:
    """0.99999999 as people write it: 1 - 1e-08."""
    return f"1 - {1.0 - number:.3g}" if 0.5 < number < 1.0 else f"{number:g}"
