"""LS602 graph-break

What it checks
    `torch.compile` makes one graph of the loss. Asked with --deep, since loading the compiler takes seconds.

Why it matters
    At each break the compiled model goes back to Python, and nothing is fused across it. With `fullgraph=True`, and in
    `torch.export`, it is an error. What breaks a graph mostly waits for the accelerator as well (LS601).

Example
    if pred.max() > 1:
        pred = pred.clamp(max=1)

Write instead
    pred = pred.clamp(max=1)

When to allow it
    The model is not compiled, or the loss is left out of what is. It is information.
"""

import sys
from collections.abc import Iterator

from lossmith.checker.compiled import breaks
from lossmith.checker.evidence import SkipRule, finding, reproduce
from lossmith.checker.finding import Finding
from lossmith.checker.subject import Subject

CODE, NAME, SINCE = "LS602", "graph-break", "0.1"


def applies(subject: Subject) -> str:
    if subject.bridged:
        return "it computes with another framework"
    return "" if subject.deep else "asked with --deep only: it loads torch's compiler"


def check(subject: Subject) -> Iterator[Finding]:
    inputs = subject.draw(1)
    if not subject.run(inputs).ok:
        raise SkipRule("the loss raises on valid inputs")
    found = breaks(subject, inputs)
    if found is None:
        raise SkipRule("torch's compiler itself fails on it")
    if not found:
        return
    names = ", ".join(argument.name for argument in subject.contract.arguments)
    yield finding(
        sys.modules[__name__],
        subject,
        severity="info",
        message=f"torch.compile breaks its graph in {len(found)} place{'s' * (len(found) != 1)}",
        evidence={each.line or f"place {i + 1}": each.reason for i, each in enumerate(found)},
        fix="torch.where() in place of `if`, and no .item(), print() or numpy inside the loss",
        line=next((each.line for each in found if each.line), ""),
        reproducer=reproduce(subject, inputs, [f"print(torch._dynamo.explain(loss_fn)({names}))"]),
    )
