"""The loss under `torch.compile`: where its graph breaks, and the values and gradients of the compiled code.

Only for what is asked with `deep`: loading the compiler takes seconds.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.subject import Subject, Trial


@dataclass(frozen=True)
class Break:
    """One place where the graph ends and Python goes on: the line, and torch's own words for the reason."""

    line: str
    reason: str


def breaks(subject: Subject, inputs: Sequence[Any]) -> list[Break] | None:
    """All graph breaks of one call, None if the compiler itself fails."""
    import torch._dynamo as dynamo

    dynamo.reset()
    loss = subject.twin(torch.float32)
    try:
        told = dynamo.explain(lambda *row: subject.call(loss, row))(*_live(subject, inputs))
    except Exception:  # whatever the compiler raises is no verdict on the loss
        return None
    finally:
        dynamo.reset()
    found = [Break(_line(subject, each), _words(each)) for each in told.break_reasons]
    return list(dict.fromkeys(found))


def _live(subject: Subject, inputs: Sequence[Any]) -> list[Any]:
    row = [value.detach().clone() if isinstance(value, Tensor) else value for value in inputs]
    for index in subject.contract.preds:
        if row[index].is_floating_point():
            row[index].requires_grad_()
    return row


def _line(subject: Subject, reason: Any) -> str:
    """The innermost line in the user's file."""
    for frame in reversed(list(reason.user_stack or ())):
        if frame.filename == subject.file:
            return f"{subject.location.rpartition(':')[0]}:{frame.lineno}"
    return ""


def _words(reason: Any) -> str:
    text = str(reason.reason).strip()
    first = text.splitlines()[0] if text else "unknown"
    hint = re.search(r"Explanation: (.+)", text)
    return (f"{first}: {hint[1]}" if hint else first)[:200]


def compiled(subject: Subject, inputs: Sequence[Any], dtype: torch.dtype) -> Trial | None:
    """A trial of the compiled loss with the back end that traces forward and backward and generates no code."""
    import torch._dynamo as dynamo

    dynamo.reset()
    with suppress(Exception):
        loss = subject.twin(dtype)
        made = torch.compile(loss.apply if isinstance(loss, type) else loss, backend="aot_eager")
        trial = subject.run(inputs, dtype=dtype, loss=made)
        dynamo.reset()
        return trial
    return None
