"""Where autograd is not the derivative of the value, and is meant not to be."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from lossmith.checker.abroad import changes_only_the_gradient
from lossmith.checker.cuts import DETACHING, LEAVING, QUIET, depends_on, detached_at
from lossmith.checker.handwritten import HandWritten
from lossmith.checker.slopes import Point, Sample
from lossmith.checker.subject import Subject

OFFERED = re.compile(r"custom_gradient|custom_vjp|custom_jvp|defvjp")


def deliberate(subject: Subject, wrong: Sequence[Point], functions: Sequence[HandWritten]) -> str:
    """Why the difference is meant, or at least not the fault of a hand-written backward; empty if it is not."""
    if all(sample.slope.flat for point in wrong for sample in point.samples):
        return "the value does not move with any single prediction: it is piecewise constant, or rounding hides it"
    if subject.bridged:
        return _deliberate_abroad(subject)
    for function in functions:
        if function.identity:
            return f"{function.name} returns its input and has its own backward: it exists to change the gradient"
        if function.flat:
            return f"the forward of {function.name} is piecewise constant: its backward stands in for a derivative of 0"
    if reason := _detached(subject, wrong):
        return reason
    blamed = [function for function in functions if function.exact is not True]
    if functions and not blamed:
        return "every hand-written backward agrees with its forward: something else on the way changes the gradient"
    if functions:
        return ""
    cut = depends_on(subject, wrong[0].trial.inputs, LEAVING)
    place = f"; the value also depends on {cut.shown} ({cut.line}), which leaves autograd" if cut else ""
    return f"no hand-written backward is involved{place}"


def _deliberate_abroad(subject: Subject) -> str:
    try:
        text = Path(subject.file).read_text(encoding="utf-8")
    except (OSError, ValueError):
        text = ""
    if OFFERED.search(text) and "stop_gradient" not in text:
        return changes_only_the_gradient(subject)
    return "a part of the loss is kept out of the gradient; the bridge to its framework hides which"


def _detached(subject: Subject, wrong: Sequence[Point]) -> str:
    """Named only if autograd agrees with the differences once nothing is detached, at every point."""
    removed: list[Any] = []
    for point in wrong:
        trial, removed = detached_at(subject, point.trial.inputs)
        if not removed or not trial.ok or not all(_agrees(trial.grads, sample) for sample in point.wrong):
            return ""
    names = sorted({cut.shown for cut in removed if cut.name in (*DETACHING, QUIET)})
    lines = sorted({cut.line for cut in removed if cut.line})
    place = f" ({lines[0]})" if lines else ""
    return f"without {' and '.join(names)}{place} autograd agrees with the differences"


def _agrees(grads: Sequence[Tensor | None], sample: Sample) -> bool:
    grad = grads[sample.argument]
    return grad is not None and not replace(sample, autograd=float(grad.flatten()[sample.element])).wrong
