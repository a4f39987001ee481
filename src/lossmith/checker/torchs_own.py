"""Where a value of NaN is torch's own: its cross entropy divides by the number of labels that count, which may be 0."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from lossmith.checker.accelerators import name_of
from lossmith.checker.subject import Subject

IGNORES = ("cross_entropy", "nll_loss")


class _NoneIsZero(TorchFunctionMode):
    """A mean over no label is 0 in torch's functions that ignore labels; everything else is as it was."""

    def __torch_function__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        target = kwargs.get("target", args[1] if len(args) > 1 else None)
        if name_of(func) in IGNORES and isinstance(target, Tensor) and not target.is_floating_point():
            ignored = kwargs.get("ignore_index", -100)
            if kwargs.get("reduction", "mean") == "mean" and target.numel() and bool((target == ignored).all()):
                kwargs["reduction"] = "sum"
        return func(*args, **kwargs)


def is_torchs_own(subject: Subject, inputs: Sequence[Any]) -> bool:
    """True if the value and gradient are finite as soon as torch's own mean over no label is 0."""
    if subject.bridged:
        return False
    trial = subject.run(inputs, watch=_NoneIsZero())
    return trial.ok and trial.finite_value and trial.finite_grad
