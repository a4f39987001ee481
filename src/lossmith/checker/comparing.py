"""Losses of pairs of samples, and of two sets of them: one sample alone has no pair, and a set of one no spread."""

from math import isfinite, isnan
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from lossmith.checker.accelerators import name_of
from lossmith.checker.batch import interact, orders, precise, same, size, splits, take
from lossmith.checker.mirrors import looks_like_target
from lossmith.checker.subject import Subject, Trial

NORMS = ("normalize", "norm", "vector_norm", "linalg_vector_norm", "linalg_norm", "frobenius_norm")


def averages_pairs(subject: Subject, alone: Trial) -> bool:
    """True if a batch of one is NaN because a mean goes over no pair, and samples in any order give the same value.

    A loss of neighbours in the batch is another matter: those are steps of a sequence, on the wrong axis.
    """
    if alone.error is not None or not isnan(alone.value) or subject.bridged:
        return False
    watch = _OverNothing()
    subject.run(alone.inputs, grad=False, watch=watch)
    return watch.met and interact(splits(subject)) and _in_any_order(subject)


def compares_two_sets(subject: Subject, alone: Trial) -> bool:
    """True if either of two arguments may be put in another order alone, so that no sample has a partner.

    What is called a target has one for each prediction all the same.
    """
    arguments = subject.contract.arguments
    if alone.error is not None or isfinite(alone.value) or len(arguments) != 2:
        return False
    if any(looks_like_target(argument.name) for argument in arguments):
        return False
    inputs = subject.draw(1)
    n, dtype = size(subject, inputs), precise(subject, inputs)
    if any(not isinstance(value, Tensor) or len(value) != n for value in inputs):
        return False
    before = subject.run(inputs, dtype=dtype)
    moved = (
        tuple(value[order] if i == index else value for i, value in enumerate(inputs))
        for index in range(2)
        for order in orders(n, 2, 0)
    )
    return all(same(before, subject.run(each, dtype=dtype)) for each in moved)


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


def normalises_a_table(subject: Subject) -> bool:
    """True if a table of all samples by all samples is divided by the norms of its rows, which grow with the batch."""
    if subject.bridged:
        return False
    inputs = subject.draw(1)
    watch = _OverATable(size(subject, inputs))
    subject.run(inputs, grad=False, watch=watch)
    return watch.met


class _OverATable(TorchFunctionMode):
    """`met` is True once a norm was taken along an axis of a table of the batch by itself."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n, self.met = n, False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        table = bool(args) and isinstance(args[0], Tensor) and tuple(args[0].shape[-2:]) == (self.n, self.n)
        self.met = self.met or (table and name_of(func) in NORMS)
        return func(*args, **(kwargs or {}))
