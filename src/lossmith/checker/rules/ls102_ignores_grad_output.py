"""LS102 ignores-grad-output

What it checks
    The gradient is proportional to the gradient that comes in: twice the loss has twice the gradient, 0 times the
    loss has none, and -3 times the loss has the opposite one, three times as large.

Why it matters
    A backward that does not use `grad_output` returns the same for `loss`, `0.1 * loss` and `0 * loss`. Weights of
    a multi-task sum, the division by the number of accumulation steps and the scale of a GradScaler then do nothing
    to this term; with a GradScaler its gradient ends up divided by the scale, tens of thousands of times too small.

Example
    def backward(ctx, grad_output):
        (residual,) = ctx.saved_tensors
        return 2 * residual

Write instead
        return grad_output * 2 * residual

When to allow it
    Never for a loss that is part of a sum. A Function that returns its input and clips the gradient is seen, and
    is not reported.
"""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.evidence import SkipRule, evidence_of, finding, reproduce, show, shrink
from lossmith.checker.finding import Finding
from lossmith.checker.handwritten import HandWritten, surrounding
from lossmith.checker.slopes import repeatable
from lossmith.checker.subject import Subject, Trial

CODE, NAME, SINCE = "LS102", "ignores-grad-output", "0.1"
# Times 2 and 0 are exact in every precision; -3 leaves room for a loss that computes in float32 inside.
FACTORS = {2.0: 1e-6, 0.0: 1e-6, -3.0: 1e-4}


def applies(subject: Subject) -> str:
    return "" if subject.contract.preds else "the contract names no prediction"


def check(subject: Subject) -> Iterator[Finding]:
    dtype = _precision(subject)
    for seed in (1, 2):
        inputs = subject.draw(seed)
        if not _fails(subject, inputs, dtype):
            return  # both draws must show it
    functions = surrounding(subject, subject.run(inputs, dtype=dtype))
    if any(function.identity for function in functions):
        return
    small = shrink(subject, inputs, lambda part: _fails(subject, part, dtype))
    yield _accusation(subject, subject.run(small, dtype=dtype), dtype, functions)


def _precision(subject: Subject) -> torch.dtype:
    inputs = subject.draw(1)
    for dtype in (torch.float64, torch.float32):
        trial = subject.run(inputs, dtype=dtype)
        if not trial.ok:
            continue
        if all(grad is None for grad in trial.grads):
            raise SkipRule("there is no gradient at all (LS105)")
        if not trial.finite_grad:
            raise SkipRule("the gradient is not finite on ordinary inputs")
        if not repeatable(subject, inputs, dtype):
            raise SkipRule("the loss does not give the same answer twice (LS607)")
        if _is_rounding(trial, dtype):
            raise SkipRule("the gradient is nothing but rounding")
        return dtype
    raise SkipRule("the loss raises on valid inputs")


def _is_rounding(trial: Trial, dtype: torch.dtype) -> bool:
    """True if no gradient is more than what rounding leaves of 0: the value does not depend on its inputs."""
    largest = max((float(grad.abs().max()) for grad in trial.grads if grad is not None and grad.numel()), default=0.0)
    return 0.0 < largest < 64 * torch.finfo(dtype).eps * abs(trial.value)


def _scaled(subject: Subject, inputs: Sequence[Any], dtype: torch.dtype) -> dict[float, Trial]:
    return {factor: subject.run(inputs, dtype=dtype, cotangent=factor) for factor in (1.0, *FACTORS)}


def _fails(subject: Subject, inputs: Sequence[Any], dtype: torch.dtype) -> bool:
    trials = _scaled(subject, inputs, dtype)
    once = trials[1.0].grads
    return any(
        not _times(once, trials[factor].grads, factor, tolerance)
        for factor, tolerance in FACTORS.items()
        if trials[factor].ok
    )


def _times(
    once: Sequence[Tensor | None], scaled: Sequence[Tensor | None], factor: float, tolerance: float = 1e-6
) -> bool:
    """True if `scaled` is `factor` times `once`, relative to the largest gradient."""
    for a, b in zip(once, scaled, strict=True):
        if a is None or b is None or not a.numel():
            continue
        size = float(a.abs().max())
        if not float((b - factor * a).abs().max()) <= tolerance * max(1.0, abs(factor)) * size:
            return False
    return True


def _accusation(subject: Subject, trial: Trial, dtype: torch.dtype, functions: Sequence[HandWritten]) -> Finding:
    trials = _scaled(subject, trial.inputs, dtype)
    ignored = all(_times(trials[1.0].grads, trials[factor].grads, 1.0) for factor in FACTORS)
    halved = subject.run(trial.inputs, dtype=dtype, cotangent=0.5)
    nothing = "; loss * 0.5 (a task weight, a GradScaler) leaves the gradient as it is" if ignored else ""
    culprit = next((function for function in functions if function.exact is not True), None)
    place = f"{culprit.name}.backward" if culprit else "the backward"
    unused = culprit is not None and culprit.ignores_grad_output
    return finding(
        sys.modules[__name__],
        subject,
        message="the gradient is the same for 1, 2, 0 and -3 times the loss"
        if ignored
        else "the gradient is not proportional to the gradient that comes in",
        trial=trial,
        evidence=_evidence(subject, trial, trials),
        why=(f"{place}, called alone, gives the same for any grad_output" if unused else "")
        + (nothing if unused and _times(trials[1.0].grads, halved.grads, 1.0) else ""),
        fix=f"multiply what {place} returns by its grad_output",
        line=culprit.line if culprit else "",
        reproducer=reproduce(subject, trial.inputs, _ending(subject)),
    )


def _evidence(subject: Subject, trial: Trial, trials: dict[float, Trial]) -> dict[str, str]:
    where = trial.where
    rows = {key: value for key, value in evidence_of(subject, trial).items() if not key.startswith("grad ")}
    for factor, other in trials.items():
        grad = other.grads[where]
        rows[f"grad of {factor:g} * loss"] = "none" if grad is None else show(grad)
    return rows


def _ending(subject: Subject) -> list[str]:
    names = [argument.name for argument in subject.contract.arguments]
    pred = names[subject.contract.preds[0]]
    return [
        f"{pred}.requires_grad_()",
        "for factor in (1.0, 2.0, 0.0, -3.0):",
        f"    loss = factor * loss_fn({', '.join(names)}).sum()",
        f"    print(factor, torch.autograd.grad(loss, {pred})[0])",
    ]
