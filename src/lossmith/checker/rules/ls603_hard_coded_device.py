"""LS603 hard-coded-device

What it checks
    The loss runs where its inputs are. It is called with its inputs on a pretended accelerator: no accelerator may be
    named in the code, and no tensor that is made on the CPU may meet one that came from the inputs.

Why it matters
    `.cuda()` in a loss fails on a machine without a GPU, and with two GPUs it puts its numbers on the first. A tensor
    made by `torch.zeros(n)` or `torch.arange(n)` is on the CPU: the first call on a GPU raises.

Example
    labels = torch.arange(len(logits))
    mask = torch.ones(n).cuda()

Write instead
    labels = torch.arange(len(logits), device=logits.device)
    mask = logits.new_ones(n)

When to allow it
    The loss is meant for one kind of machine, and says so.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from lossmith.checker.devices import Event, Pretended, watched
from lossmith.checker.evidence import SkipRule, finding, reproduce
from lossmith.checker.finding import Finding
from lossmith.checker.signature import source_of
from lossmith.checker.subject import Subject

CODE, NAME, SINCE = "LS603", "hard-coded-device", "0.1"


_ASKS = ("is_available", ".is_cuda", "get_device(", "device_count")


def applies(subject: Subject) -> str:
    if subject.framework != "torch":
        return "only torch asks where a tensor is"
    asked = next((word for word in _ASKS if word in _code(subject)), "")
    reason = f"its code asks which devices there are ({asked.strip('.(')}), and would do otherwise on another machine"
    return reason if asked else ""


def _code(subject: Subject) -> str:
    """The source of the loss, and the lines of its file that stand outside of everything."""
    try:
        lines = Path(subject.file).read_text(encoding="utf-8").splitlines() if subject.file else []
    except (OSError, ValueError):
        lines = []
    return source_of(subject.loss) + "\n".join(line for line in lines if line[:1].isalpha())


def check(subject: Subject) -> Iterator[Finding]:
    events = _building(subject)
    inputs = subject.draw(1)
    seen, error = watched(subject, inputs)
    if error is not None and not events:
        raise SkipRule("the loss raises on valid inputs")
    events += seen
    for kind in ("hard-coded", "mixed"):
        found = [event for event in events if event.kind == kind]
        if found:
            yield _told(subject, found)
            return


def _building(subject: Subject) -> list[Event]:
    """What the constructor names."""
    if not isinstance(subject.build, type):
        return []
    mode = Pretended(subject.file)
    try:
        with mode:
            subject.build(**subject.settings)
    except Exception:  # a constructor that fails the second time is no matter of devices
        return []
    return [event for event in mode.events if event.kind == "hard-coded"]


def _told(subject: Subject, found: list[Event]) -> Finding:
    first = found[0]
    rows = {event.line: event.what for event in dict.fromkeys(found)}
    if first.kind == "hard-coded":
        message = f"{first.what} names an accelerator: the loss runs on no other device"
        fix = "take the device of the inputs: device=pred.device, pred.new_tensor(...), .to(pred.device)"
        if all(event in _building(subject) for event in found):
            fix = "leave the device out of the constructor: register_buffer(...), and .to(device) moves it"
        ending = None
    else:
        message = f"on an accelerator {first.what}, and raises"
        fix = "make it where the inputs are: device=pred.device, torch.zeros_like(pred), pred.new_zeros(...)"
        names = ", ".join(f"{argument.name}.to('meta')" for argument in subject.contract.arguments)
        moved = "loss_fn.to('meta')" if subject.module is not None else "loss_fn"
        ending = [f"{moved}({names})  # any device but the cpu"]
    return finding(
        sys.modules[__name__],
        subject,
        message=message,
        evidence=rows,
        fix=fix,
        line=first.line,
        reproducer=reproduce(subject, subject.draw(1, 2) if subject.contract.draw is None else subject.draw(1), ending),
    )
