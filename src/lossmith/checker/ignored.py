"""Labels that mean "do not count this one": which, if any, a loss speaks of, and batches that hold some."""

import inspect
import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.signature import source_of
from lossmith.checker.subject import Subject

IGNORE_NAME = re.compile(
    r"^(?:ignored?|void)(?:_?(?:index|idx|labels?|lbl?|value|id|class))?$|^pad(?:ding)?_(?:index|idx|label|id|token(?:_id)?)$"
)
PAD = re.compile(r"^pad(?:ding)?(?:_value)?$")  # of a negative number: another may be a width
_COMPARED = re.compile(r"(?:!=|==|\.ne\(|\.eq\(|ignore_index\s*=)\s*(-\d+|255)\b")


def ignored_label(subject: Subject) -> int | None:
    """The class number that the loss ignores: its own attribute, a default, or a negative label that its code names.

    A function that only calls cross_entropy has one too (-100), but says nothing of it: that is None.
    """
    if subject.contract.target_kind() != "index":
        return None
    for name, value in {**subject.settings, **getattr(subject.loss, "__dict__", {})}.items():
        if _means_ignored(name, value):
            return value
    default = _default(subject.loss)
    return _in_the_code(subject.loss) if default is None else default


def _default(loss: Any) -> int | None:
    try:
        parameters = inspect.signature(loss).parameters
    except (TypeError, ValueError):
        return None
    return next((one.default for name, one in parameters.items() if _means_ignored(name, one.default)), None)


def _means_ignored(name: str, value: Any) -> bool:
    return type(value) is int and bool(IGNORE_NAME.search(name) or (PAD.search(name) and value < 0))


def _in_the_code(loss: Any) -> int | None:
    thing = loss if inspect.isroutine(loss) or isinstance(loss, type) else type(loss)
    if thing.__module__.partition(".")[0] in ("torch", "keras"):
        return None
    match = _COMPARED.search(source_of(thing))
    return int(match[1]) if match else None


def with_ignored(subject: Subject, inputs: Sequence[Any], label: int, seed: int) -> tuple[Any, ...]:
    """The same batch with about a third of its labels ignored, fewer in some places than in others."""
    index = subject.contract.target
    if index is None or not isinstance(inputs[index], Tensor):
        return tuple(inputs)
    g = torch.Generator().manual_seed(seed)
    chosen = torch.rand(inputs[index].shape, generator=g) < 0.35
    changed = torch.where(chosen, torch.full_like(inputs[index], label), inputs[index])
    return tuple(changed if i == index else value for i, value in enumerate(inputs))
