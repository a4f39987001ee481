"""Where places in a batch have a meaning: views of the same samples one after another, or steps of one series."""

from collections.abc import Sequence

import torch

from lossmith.checker.batch import near, near_tensors, orders, same, size, take, tolerance
from lossmith.checker.subject import Subject

SAMPLES = 12
VIEWS = (2, 3, 4)


def views(subject: Subject, dtype: torch.dtype) -> int:
    """How many equal parts of a batch are views of the same samples; 0 if none are.

    Samples that are exchanged alike in each part leave the total as it is, and those of one part alone do not; no
    sample is left out.
    """
    inputs = subject.draw(0, SAMPLES)
    if size(subject, inputs) != SAMPLES:
        return 0
    before = subject.run(inputs, dtype=dtype)
    if not before.ok or before.grad is None or not bool((before.grad.reshape(SAMPLES, -1) != 0).any(1).all()):
        return 0
    for parts in VIEWS:
        each = SAMPLES // parts
        alike = [[part * each + row for part in range(parts) for row in order] for order in orders(each, 3)]
        first = [*orders(each, 1)[0], *range(each, SAMPLES)]
        if all(_follows(subject, inputs, order, dtype) for order in alike) and not _follows(
            subject, inputs, first, dtype
        ):
            return parts
    return 0


def _follows(subject: Subject, inputs: Sequence[torch.Tensor], order: Sequence[int], dtype: torch.dtype) -> bool:
    before, after = subject.run(inputs, dtype=dtype), subject.run(take(subject, inputs, order), dtype=dtype)
    if not after.ok or not same(before, after) or before.grad is None or after.grad is None:
        return False
    return near_tensors(before.grad[list(order)], after.grad, tolerance(before, after))


def is_a_series(subject: Subject) -> bool:
    """True if a guessed batch of single numbers is one sample: the loss takes a batch of such rows in front as well."""
    contract = subject.contract
    if contract.origin != "inferred" or any(argument.domain.axes != ("N",) for argument in contract.arguments):
        return False
    rows = subject.draw(0), subject.draw(1)
    whole = subject.run([torch.stack(pair) for pair in zip(*rows, strict=True)], grad=False)
    alone = [subject.run(row, grad=False) for row in rows]
    if not all(trial.ok and trial.finite_value for trial in (whole, *alone)):
        return False
    total = sum(trial.value for trial in alone)
    return any(near(whole.value, law * total, tolerance(whole)) for law in (1.0, 0.5))
