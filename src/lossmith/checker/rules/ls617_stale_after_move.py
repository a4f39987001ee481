"""LS617 stale-after-move

What it checks
    A module that has been called and is then moved to another precision or device gives what a fresh one gives there:
    nothing that the first call made stays behind in the old precision or on the old device.

Why it matters
    A table that is made in the first call and kept in an attribute is no parameter and no buffer: `to()`, `double()`
    and `half()` do not move it. A loss that was tried once on the CPU raises on the GPU; one that is used in float32
    and then in float16 raises or computes in float32, depending on which came first.

Example
    if self.grid is None:
        self.grid = torch.arange(pred.shape[1])
    return ((pred - target).square() @ self.grid.float()).mean()

Write instead
    grid = torch.arange(pred.shape[1], dtype=pred.dtype, device=pred.device)

When to allow it
    The module is never moved once it has been called.
"""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.evidence import SkipRule, finding, reproduce
from lossmith.checker.finding import Finding
from lossmith.checker.subject import Subject, cast

CODE, NAME, SINCE = "LS617", "stale-after-move", "0.1"
MOVES = (("double()", torch.float64), ("to('meta')", "meta"))


def applies(subject: Subject) -> str:
    if subject.module is None or subject.framework != "torch":
        return "not an nn.Module: nothing moves it"
    return ""


def check(subject: Subject) -> Iterator[Finding]:
    inputs = subject.draw(0)
    if not subject.run(inputs).ok:
        raise SkipRule("the loss raises on valid inputs")
    if subject.twin(torch.float32) is subject.loss:
        raise SkipRule("the loss cannot be copied, and moving it would spoil it")
    for name, to in MOVES:
        moved = _moved(inputs, to)
        if _outcome(subject, moved, to, None):
            continue  # a fresh one does not work there: LS604 and LS306 ask why
        stopped = _outcome(subject, moved, to, inputs)
        # Without values much else raises; two devices in one operation is what is looked for.
        if stopped and (to != "meta" or "device" in stopped):
            yield _told(subject, inputs, name, stopped)
            return


def _moved(inputs: Sequence[Any], to: Any) -> list[Any]:
    if to == "meta":
        return [value.to("meta") if isinstance(value, Tensor) else value for value in inputs]
    return [cast(value, to) for value in inputs]


def _outcome(subject: Subject, inputs: Sequence[Any], to: Any, before: Sequence[Any] | None) -> str:
    """Empty if a loss that is moved works, after a call on `before` if there is one; else what it raises."""
    module = subject.twin(torch.float32)
    if before is not None:
        subject.run(before, loss=module)
    try:
        subject.call(module.to(to), inputs)
    except Exception as error:  # what it raises is the observation
        lines = str(error).splitlines()
        return f"{type(error).__name__}: {lines[0][:140] if lines else ''}"
    return ""


def _told(subject: Subject, inputs: Sequence[Any], move: str, stopped: str) -> Finding:
    names = [argument.name for argument in subject.contract.arguments]
    there = [
        f"{name}.{move}" if isinstance(value, Tensor) and (value.is_floating_point() or "meta" in move) else name
        for name, value in zip(names, inputs, strict=True)
    ]
    first = f"print(loss_fn({', '.join(names)}))"
    return finding(
        sys.modules[__name__],
        subject,
        message=f"once it has been called, it raises after {move}: something that the first call made is not moved",
        evidence={"moved, then called": "works", "called, moved, called": stopped},
        why="a fresh module that is moved before its first call works",
        fix="make it in each call with dtype=pred.dtype and device=pred.device, or register it as a buffer",
        reproducer=reproduce(subject, inputs, [first, f"loss_fn.{move}({', '.join(there)})  # raises"]),
    )
