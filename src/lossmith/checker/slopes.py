"""The derivative of a loss by its own differences, with a statement of how sure it is.

    central    C(h) = (f(x + h) - f(x - h)) / 2h        one-sided    R(h) - L(h)  ->  0 if f is smooth at x

Three steps in a row, a decade apart, must tell the same slope. Their spread, the gap between the two sides and the
rounding of f are the error: a kink has a gap, a step too large a spread, a step too small noise, and each of them
makes the slope unsure instead of wrong.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lossmith.checker.subject import Subject, Trial
from lossmith.checker.truth import truth_at

STEPS = {torch.float64: (1e-2, 1e-3, 1e-4, 1e-5), torch.float32: (1e-1, 3e-2, 1e-2)}
ROUNDINGS = 16.0  # a total over a few dozen values has lost about this many units in the last place
DIFFERS = 0.05
SURE = 0.02  # an error above this part of the slope decides nothing


@dataclass(frozen=True)
class Slope:
    """`value` +- `error`; `flat` if the loss did not move at all at any step."""

    value: float
    error: float
    flat: bool


def slope(f: Callable[[float], float], scale: float, dtype: torch.dtype) -> Slope | None:
    """The derivative of f at 0 for arguments of this scale, None where f is not finite around 0."""
    middle = f(0.0)
    rows: list[tuple[float, float, float]] = []
    steps = [step * scale for step in STEPS[dtype]]
    size = abs(middle)
    for h in steps:
        above, below = f(h), f(-h)
        if not (isfinite(above) and isfinite(below) and isfinite(middle)):
            return None
        size = max(size, abs(above), abs(below))
        rows.append(((above - below) / (2 * h), (above - middle) / h, (middle - below) / h))
    unit = _unit(middle, dtype) * size * ROUNDINGS
    found = [_agreed(rows[i : i + 3], unit / steps[i + 1]) for i in range(len(rows) - 2)]
    value, error = min(found, key=lambda pair: pair[1])
    flat = all(row == (0.0, 0.0, 0.0) for row in rows)
    return Slope(value, error, flat)


def _agreed(rows: Sequence[tuple[float, float, float]], noise: float) -> tuple[float, float]:
    central = [row[0] for row in rows]
    gap = max(abs(right - left) for _, right, left in rows[1:])
    return central[1], max(max(central) - min(central), gap, noise)


def _unit(value: float, dtype: torch.dtype) -> float:
    """The rounding of a value: a float64 that float32 holds exactly was probably computed in float32."""
    narrow = dtype == torch.float32 or float(torch.tensor(value, dtype=torch.float32)) == value
    return 6e-8 if narrow else 1.2e-16


@dataclass(frozen=True)
class Sample:
    """One element of one argument: what autograd says of it and what the differences say."""

    argument: int
    element: int
    autograd: float
    slope: Slope

    @property
    def sure(self) -> bool:
        return self.slope.error <= SURE * max(abs(self.autograd), abs(self.slope.value))

    @property
    def wrong(self) -> bool:
        gap = abs(self.autograd - self.slope.value)
        largest = max(abs(self.autograd), abs(self.slope.value))
        return self.sure and gap > DIFFERS * largest and gap > 4 * self.slope.error

    @property
    def ratio(self) -> float:
        return self.autograd / self.slope.value if self.slope.value else float("nan")


@dataclass(frozen=True)
class Point:
    """One set of inputs with the elements that were looked at there."""

    trial: Trial
    samples: tuple[Sample, ...]

    @property
    def wrong(self) -> tuple[Sample, ...]:
        return tuple(sample for sample in self.samples if sample.wrong)

    @property
    def sure(self) -> tuple[Sample, ...]:
        return tuple(sample for sample in self.samples if sample.sure)


def look(
    subject: Subject, inputs: Sequence[Any], dtype: torch.dtype, most: int, *, traced: bool = False
) -> Point | None:
    """Compare autograd with the derivative at up to `most` elements of each prediction; None if the loss raises.

    With `traced` the derivative is that of the traced forward, on balls, where it can be traced; else, and at points
    where that is not told, it is the differences'.
    """
    trial = subject.run(inputs, dtype=dtype)
    if not trial.ok or not trial.finite_value or not trial.finite_grad:
        return None
    samples: list[Sample] = []
    truth = truth_at(subject, trial.inputs, dtype) if traced else ""
    for argument in subject.contract.preds:
        grad = trial.grads[argument]
        if grad is None or not grad.numel():
            continue
        floor = 1e-4 * float(grad.abs().max())
        for element in _elements(grad.numel(), most):
            exact = None if isinstance(truth, str) else truth.slope(argument, element)
            if exact is not None:
                found = Slope(*exact, flat=exact == (0.0, 0.0))
            else:
                found = _slope_of(subject, trial.inputs, argument, element, dtype)
            given = float(grad.flatten()[element])
            if found is not None and max(abs(given), abs(found.value)) > floor:
                samples.append(Sample(argument, element, given, found))
    return Point(trial, tuple(samples))


def _elements(count: int, most: int) -> list[int]:
    return sorted(torch.randperm(count, generator=torch.Generator().manual_seed(count))[:most].tolist())


def _slope_of(subject: Subject, inputs: Sequence[Any], argument: int, element: int, dtype: torch.dtype) -> Slope | None:
    base: Tensor = inputs[argument]
    at = torch.unravel_index(torch.tensor(element), base.shape)
    x = float(base[at])
    scale = max(abs(x), 0.1 * float(base.abs().mean()), 1e-30)

    def f(shift: float) -> float:
        moved = base.clone()
        moved[at] = x + shift
        changed = [moved if i == argument else value for i, value in enumerate(inputs)]
        return subject.run(changed, grad=False).value

    return slope(f, scale, dtype)


class Narrow(TorchDispatchMode):
    """Notes whether any operation of a call gave a float of fewer bits than float32."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = ""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        for value in tree_leaves(output):
            if isinstance(value, Tensor) and value.dtype in (torch.float16, torch.bfloat16):
                self.seen = str(value.dtype).removeprefix("torch.")
        return output


def narrowed(subject: Subject, inputs: Sequence[Any], dtype: torch.dtype) -> str:
    """The half precision that the loss computes in by itself, empty if none was seen."""
    if subject.bridged:
        return ""
    watch = Narrow()
    subject.run(inputs, dtype=dtype, grad=False, watch=watch)
    return watch.seen


def repeatable(subject: Subject, inputs: Sequence[Any], dtype: torch.dtype | None = None) -> bool:
    """True if the same call, twice on fresh copies of the loss with the same seed, gives the same answer."""
    first, second = (subject.run(inputs, dtype=dtype) for _ in range(2))
    return same(first, second)


def same(first: Trial, second: Trial) -> bool:
    """True if two trials agree in value and gradient up to the rounding of another order of summation."""
    if first.total is None or second.total is None:
        return first.total is second.total
    return all(_close(a, b) for a, b in zip((first.total, *first.grads), (second.total, *second.grads), strict=True))


def _close(a: Tensor | None, b: Tensor | None) -> bool:
    if a is None or b is None:
        return a is b
    if a.shape != b.shape:
        return False
    size = float(a[a.isfinite()].abs().max()) if bool(a.isfinite().any()) else 0.0
    rounding = 64 * torch.finfo(a.dtype).eps
    return bool(torch.allclose(a, b, rtol=rounding, atol=rounding * size, equal_nan=True))
