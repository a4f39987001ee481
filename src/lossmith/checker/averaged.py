"""A cross entropy that was averaged, and is then taken for that of a sample: exp(-loss) is nobody's probability."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from lossmith.checker.accelerators import name_of
from lossmith.checker.subject import Subject
from lossmith.checker.watch import user_line

LIKELIHOODS = ("cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits")
_NEGATIVE = ("neg", "negative", "__neg__")


class Averaged(TorchFunctionMode):
    """`line` is where exp is taken of the negative of a likelihood that many samples share; empty if nowhere."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self.file, self.line, self.found = file, "", False
        self._means: list[Tensor] = []  # kept, so that no other tensor gets the id of one of them
        self._negatives: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        name, first = name_of(func), args[0] if args else None
        if name == "exp" and any(first is each for each in self._negatives) and not self.found:
            self.found, self.line = True, user_line(self.file)
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and not result.ndim and isinstance(first, Tensor):
            if name in LIKELIHOODS and first.numel() > 1:
                self._means.append(result)
            elif name in _NEGATIVE and any(first is each for each in self._means):
                self._negatives.append(result)
        return result


def averaged_too_early(subject: Subject) -> Averaged | None:
    """The place where it happens, for a loss whose value is not that exponential itself (a likelihood of the batch)."""
    if subject.bridged:
        return None
    watch = Averaged(subject.file)
    trial = subject.run(subject.draw(1), grad=False, watch=watch)
    return watch if watch.found and trial.ok else None
