"""LS306 dtype-promotion

What it checks
    A loss that is given float32 does not return float64. A cast of the prediction itself (`pred.double()`) is taken as
    meant, and told for information.

Why it matters
    One float64 tensor among the constants turns everything after it into float64: the backward pass is twice as wide
    and many times slower on a GPU, Apple's GPUs refuse it, and the sum with other losses is float64 too.

Example
    weight = torch.from_numpy(np.array([1.0, 2.0, 0.5]))
    return (weight * (pred - target).square()).mean()

Write instead
    weight = torch.tensor([1.0, 2.0, 0.5], dtype=pred.dtype, device=pred.device)

When to allow it
    float64 is wanted, and the caller knows it.
"""

import sys
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from lossmith.checker.cuts import name_of
from lossmith.checker.evidence import SkipRule, evidence_of, finding, reproduce
from lossmith.checker.finding import Finding
from lossmith.checker.sample import head
from lossmith.checker.subject import Subject
from lossmith.checker.watch import user_line

CODE, NAME, SINCE = "LS306", "dtype-promotion", "0.1"
_CASTS = ("double", "to", "type")


def applies(subject: Subject) -> str:
    return "what is computed across a bridge cannot be seen" if subject.bridged else ""


class Wider(TorchFunctionMode):
    """The first call that met float64 and something narrower with a gradient, or that cast it by name."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self.file, self.operation, self.line, self.meant = file, "", "", False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if not self.operation and isinstance(result, Tensor) and result.dtype == torch.float64 and result.requires_grad:
            given = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
            if any(value.requires_grad and value.dtype != torch.float64 for value in given):
                self.operation = name_of(func).strip("_")
                self.line, self.meant = user_line(self.file), self.operation in _CASTS
        return result


def check(subject: Subject) -> Iterator[Finding]:
    inputs = head(subject.contract, subject.draw(1), 2)
    watch = Wider(subject.file)
    trial = subject.run(inputs, watch=watch)
    if not trial.ok:
        inputs = subject.draw(1)
        trial = subject.run(inputs, watch=watch)
    if not trial.ok or trial.output is None:
        raise SkipRule("the loss raises on valid inputs")
    floats = {value.dtype for value in inputs if isinstance(value, Tensor) and value.is_floating_point()}
    if trial.returned != "Tensor" or trial.output.dtype != torch.float64 or torch.float64 in floats:
        return
    if not watch.operation:
        raise SkipRule("the value is float64, but no operation on the prediction made it so")
    names = [argument.name for argument in subject.contract.arguments]
    rows = evidence_of(subject, trial)
    given = {n: v for n, v in zip(names, inputs, strict=True) if isinstance(v, Tensor) and v.is_floating_point()}
    rows |= {f"dtype of {n}": str(v.dtype).removeprefix("torch.") for n, v in given.items()}
    how = f"by {watch.operation}()" if watch.meant else f"from {watch.operation}() on, which met a float64 tensor"
    yield finding(
        sys.modules[__name__],
        subject,
        severity="info" if watch.meant else "warning",
        message=f"float32 goes in and float64 comes out: {how}",
        evidence=rows | {"dtype of the loss": "float64"},
        fix="return the value in the dtype of the prediction: .to(pred.dtype)"
        if watch.meant
        else f"give the constant that dtype: torch.as_tensor(values, dtype={names[trial.where]}.dtype)",
        line=watch.line,
        reproducer=reproduce(subject, inputs, [f"print(loss_fn({', '.join(names)}).dtype)"]),
    )
