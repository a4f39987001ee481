"""LS806 reference-mismatch

What it checks
    With `--reference torch.nn.HuberLoss`, the loss has the value and the gradient of that one, on ordinary inputs and
    on extreme ones, in float64. Without it, nothing.

Why it matters
    A loss that is rewritten to be faster, or from a paper, is meant to be the one it replaces. What differs is mostly a
    factor, a constant, or what happens at the boundary.

Example
    0.5 * (pred - target).square().mean()        # --reference torch.nn.MSELoss

Write instead
    (pred - target).square().mean()

When to allow it
    The difference is meant: then it is no reference.
"""

import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

import torch

from lossmith.checker.conditions import conditions
from lossmith.checker.evidence import SkipRule, finding, reproduce, show
from lossmith.checker.finding import Finding
from lossmith.checker.subject import Subject, Trial

CODE, NAME, SINCE = "LS806", "reference-mismatch", "0.1"
RELATIVE = 1e-5  # far above the rounding of two ways to compute one number in float64


def applies(subject: Subject) -> str:
    return "" if subject.reference else "no --reference is given"


def check(subject: Subject) -> Iterator[Finding]:
    reference = _built(subject.reference)
    judge = Subject.of(subject.reference, reference).with_contract(subject.contract)
    compared = 0
    for inputs in [subject.draw(0), subject.draw(1), *(each.inputs for each in conditions(subject))]:
        own, other = (each.run(inputs, dtype=torch.float64) for each in (subject, judge))
        if not (own.ok and other.ok and other.finite_value and other.finite_grad):
            continue
        compared += 1
        if what := _differs(own, other):
            yield _told(subject, inputs, own, other, what)
            return
    if not compared:
        raise SkipRule(f"{subject.reference} does not take these inputs")


def _built(text: str) -> Any:
    module, _, name = text.replace(":", ".").rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        raise SkipRule(f"there is no {text}") from None
    try:
        return found() if isinstance(found, type) else found
    except TypeError as error:
        raise SkipRule(f"{text} cannot be built without settings: {error}") from None


def _differs(own: Trial, other: Trial) -> str:
    if not _near(own.value, other.value):
        return "value"
    pairs = [(a, b) for a, b in zip(own.grads, other.grads, strict=True) if a is not None and b is not None]
    near = all(torch.allclose(a, b, RELATIVE, 1e-9, equal_nan=False) for a, b in pairs)
    return "" if near else "gradient"


def _near(a: float, b: float) -> bool:
    return abs(a - b) <= RELATIVE * max(abs(a), abs(b)) + 1e-9


def _told(subject: Subject, inputs: Sequence[Any], own: Trial, other: Trial, what: str) -> Finding:
    rows = {a.name: show(value) for a, value in zip(subject.contract.arguments, inputs, strict=True)}
    given, wanted = (show(own.value), show(other.value)) if what == "value" else (show(own.grad), show(other.grad))
    rows |= {f"{what} here": given, f"{what} there": wanted}
    if what == "value" and other.value:
        rows["ratio"] = show(own.value / other.value)
    return finding(
        sys.modules[__name__],
        subject,
        message=f"the {what} is not that of {subject.reference}: {given} instead of {wanted}"[:300],
        evidence=rows,
        reproducer=reproduce(subject, inputs),
    )
