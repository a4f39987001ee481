"""LS611 eager-vs-compiled

What it checks
    Under `torch.compile` (back end `aot_eager`, which traces forward and backward and generates no code) the loss gives
    the value and the gradients that it gives without. Asked with --deep.

Why it matters
    What is compiled is what was traced. A hand-written backward that looks at Python state, a tensor changed in place,
    or a branch that was taken once can mean something else there; the model then trains on another loss than was
    tested.

Example
    self.calls += 1                       # read inside an autograd.Function: frozen when it is traced
    return Scaled.apply(pred, self.calls)

Write instead
    return pred * scale                   # a tensor, an argument like any other

When to allow it
    The loss is never compiled.
"""

import sys
from collections.abc import Iterator

import torch

from lossmith.checker.batch import near, near_tensors
from lossmith.checker.compiled import compiled
from lossmith.checker.evidence import SkipRule, evidence_of, finding, reproduce, show
from lossmith.checker.finding import Finding
from lossmith.checker.slopes import repeatable
from lossmith.checker.subject import Subject, Trial

CODE, NAME, SINCE = "LS611", "eager-vs-compiled", "0.1"
RELATIVE = 1e-3  # compiled code may round otherwise; float64 is asked


def applies(subject: Subject) -> str:
    if subject.bridged or subject.contract.fold is not None:
        return "it computes with another framework, or takes dictionaries and lists"
    return "" if subject.deep else "asked with --deep only: it loads torch's compiler"


def check(subject: Subject) -> Iterator[Finding]:
    inputs = subject.draw(1)
    eager = subject.run(inputs, dtype=torch.float64)
    if not eager.ok or not repeatable(subject, inputs, torch.float64):
        raise SkipRule("the loss does not give the same answer twice in float64 (LS607)")
    other = compiled(subject, inputs, torch.float64)
    if other is None or not other.ok:
        raise SkipRule("it does not run compiled")
    if _same(eager, other):
        return
    names = ", ".join(argument.name for argument in subject.contract.arguments)
    rows = evidence_of(subject, eager)
    rows |= {"value compiled": show(other.value)}
    rows |= {"grad compiled": show(other.grad)} if other.grad is not None else {}
    yield finding(
        sys.modules[__name__],
        subject,
        message="under torch.compile the loss is another one: "
        + ("the gradient differs" if near(eager.value, other.value, RELATIVE) else "the value differs"),
        evidence=rows,
        fix="no Python state and no in-place change that the forward or a hand-written backward depends on",
        reproducer=reproduce(
            subject,
            inputs,
            [f"print(loss_fn({names}))", f"print(torch.compile(loss_fn, backend='aot_eager')({names}))"],
        ),
    )


def _same(a: Trial, b: Trial) -> bool:
    if not (near(a.value, b.value, RELATIVE) or a.value != a.value):
        return False
    pairs = zip(a.grads, b.grads, strict=True)
    return all(
        (x is None) == (y is None) and (x is None or y is None or near_tensors(x, y, RELATIVE)) for x, y in pairs
    )
