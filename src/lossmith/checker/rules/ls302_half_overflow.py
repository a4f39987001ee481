"""LS302 half-overflow

What it checks
    In float16 and bfloat16, value and gradient are finite for inputs up to 60 whose true result fits that precision.
    In a loss that says it runs in half precision this is an error; in another one only a product that leaves the range
    is, since autocast takes exponentials, powers, logarithms and sums to float32: what they lose is information.

Why it matters
    exp(12) overflows float16, and so does the sum of a few thousand moderate numbers. Under mixed precision that is a
    skipped step at best, and NaN weights at worst.

Example
    return (1 + (-pred * target).exp()).log().mean()

Write instead
    return torch.nn.functional.softplus(-pred * target).mean()

When to allow it
    The loss is only ever called in float32 (cast at its entry, and this rule is silent).
"""

import sys
from collections.abc import Iterator

import torch

from lossmith.checker.evidence import SkipRule, finding
from lossmith.checker.faults import Precision, faults, supports
from lossmith.checker.finding import Finding
from lossmith.checker.halves import meant_for_half, overflows
from lossmith.checker.subject import Subject

CODE, NAME, SINCE = "LS302", "half-overflow", "0.1"
# Fused kernels of torch that fail in half precision by themselves: the user's arithmetic is not at fault.
FUSED = frozenset(("BinaryCrossEntropy",))
HALVES: tuple[Precision, ...] = ("float16", "bfloat16")


def applies(subject: Subject) -> str:
    return ""


def check(subject: Subject) -> Iterator[Finding]:
    refused = [reason for precision in HALVES if (reason := supports(subject, precision))]
    if any("without overflow" in reason for reason in refused):
        yield _refused(subject)
        return
    if len(refused) == len(HALVES):
        raise SkipRule("; ".join(refused))
    known = {fault.condition.name for fault in faults(subject, "float32")}
    for precision in HALVES:
        for fault in faults(subject, precision):
            if fault.constant is not None or fault.condition.name in known:
                continue  # told by LS301, or not a matter of half precision
            fused = fault.blame is not None and fault.blame.operation in FUSED
            grave = overflows(subject, fault) or (meant_for_half(subject) and not fault.condition.degenerate)
            grave = grave and len(subject.contract.arguments) > 1  # what a single one may hold is a guess
            yield finding(
                sys.modules[__name__],
                subject,
                severity="error" if grave and not fused else "info",
                message=f"the {fault.what} is not finite in {precision}, {fault.condition.name}",
                trial=fault.trial,
                why=f"in float64 the value at the same inputs is {fault.truth.value:g}" if fault.truth else "",
                fix="compute in float32 (pred.float()), or use the stable form: softplus, logsumexp, log_softmax",
                line=fault.line,
            )
            return


def _refused(subject: Subject) -> Finding:
    """A constant such as -1e9 that float16 cannot hold: torch raises where a mask is filled with it."""
    return finding(
        sys.modules[__name__],
        subject,
        severity="error" if meant_for_half(subject) else "info",
        message="a constant is beyond the range of float16: it raises there",
        trial=subject.run(subject.draw(1), dtype=torch.float16),
        fix="take the constant from the precision: torch.finfo(x.dtype).min",
    )
