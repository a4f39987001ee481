"""Softmaxes and norms that run along the batch, turned to the other axis of a table.

Where each sample stands alone as soon as they are turned, nothing else in the loss compares samples: the axis is a
slip. A loss that compares them on purpose (Barlow Twins, a table of similarities, relations within and between samples)
still does with its axes turned, or has such an operation along the other axis too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from lossmith.checker.accelerators import name_of
from lossmith.checker.batch import splits
from lossmith.checker.evidence import SkipRule
from lossmith.checker.subject import Subject
from lossmith.checker.watch import user_line

PLACES = {"softmax": 1, "log_softmax": 1, "softmin": 1, "normalize": 2}  # of the axis among the arguments
SEEDS = 2


@dataclass(frozen=True)
class Along:
    """An operation along the batch, and the line that asks for it."""

    name: str
    line: str


def along_the_batch(subject: Subject) -> Along | None:
    """The first one, if every one of them is, and each sample stands alone where they are turned."""
    if subject.bridged or subject.contract.fold is not None or isinstance(subject.loss, type):
        return None
    batch, other = list[Along](), list[str]()

    def turned(*inputs: Any) -> Any:
        pred = inputs[subject.contract.preds[0]]
        with _Turned(len(pred), subject.file, batch, other):
            return subject.twin(pred.dtype)(*inputs)

    try:
        parts = splits(replace(subject, loss=turned, build=None, _twins={}, cache={}), SEEDS)
    except SkipRule:
        return None
    alone = all(part.ok and part.plain() for part in parts)
    return batch[0] if batch and not other and alone else None


class _Turned(TorchFunctionMode):
    def __init__(self, n: int, file: str, batch: list[Along], other: list[str]) -> None:
        super().__init__()
        self.n, self.file, self.batch, self.other = n, file, batch, other

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        named, name = dict(kwargs or {}), name_of(func)
        value = args[0] if args else named.get("input")
        if name in PLACES and isinstance(value, Tensor) and value.ndim == 2 and value.shape[1] > 1:
            place, given = PLACES[name], list(args)
            axis = given[place] if len(given) > place else named.get("dim", 1 if name == "normalize" else None)
            if axis in (0, -2) and len(value) == self.n:
                self.batch.append(Along(name, user_line(self.file)))
                if len(given) > place:
                    given[place] = 1
                else:
                    named["dim"] = 1
                return func(*given, **named)
            self.other.append(name)
        return func(*args, **named)
