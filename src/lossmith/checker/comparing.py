"""Losses of pairs of samples: one sample alone has none to be compared with, and a mean over nothing is NaN."""

from math import isnan
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from lossmith.checker.accelerators import name_of
from lossmith.checker.batch import interact, orders, precise, same, size, splits, take
from lossmith.checker.subject import Subject, Trial


def averages_pairs(subject: Subject, alone: Trial) -> bool:
    """True if a batch of one is NaN because a mean goes over no pair, and samples in any order give the same value.

    A loss of neighbours in the batch is another matter: those are steps of a sequence, on the wrong axis.
    """
    if alone.error is not None or not isnan(alone.value) or subject.bridged:
        return False
    watch = _OverNothing()
    subject.run(alone.inputs, grad=False, watch=watch)
    return watch.met and interact(splits(subject)) and _in_any_order(subject)


def _in_any_order(subject: Subject) -> bool:
    inputs = subject.draw(1)
    dtype = precise(subject, inputs)
    before = subject.run(inputs, dtype=dtype)
    moved = (take(subject, inputs, order) for order in orders(size(subject, inputs), 3, 0))
    return all(same(before, subject.run(each, dtype=dtype)) for each in moved)


class _OverNothing(TorchFunctionMode):
    """`met` is True once a mean was taken of a tensor that holds nothing."""

    met = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        empty = bool(args) and isinstance(args[0], Tensor) and not args[0].numel()
        self.met = self.met or (empty and name_of(func) == "mean")
        return func(*args, **(kwargs or {}))
