"""The derivative of a loss by its own differences, with a statement of how sure it is.

    central    C(h) = (f(x + h) - f(x - h)) / 2h        one-sided    R(h) - L(h)  ->  0 if f is smooth at x

Three steps in a row, a decade apart, must tell the same slope. Their spread, the gap between the two sides and the
rounding of f are the error: a kink has a gap, a step too large a spread, a step too small noise, and each of them
makes the slope unsure instead of wrong.

All elements are moved at once first, each its own part of the way. If that slope is the gradient's, so is each of
them; if not, one by one, and halves of them down to one that is wrong.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lossmith.checker.subject import Subject, Trial
from lossmith.checker.truth import Truth, truth_at

STEPS = {torch.float64: (1e-2, 1e-3, 1e-4, 1e-5), torch.float32: (1e-1, 3e-2, 1e-2)}
ROUNDINGS = 16.0  # a total over a few dozen values has lost about this many units in the last place
DIFFERS = 0.05
SURE = 0.02  # an error above this part of the slope decides nothing
KNOWN, MET = 1e-3, 1e-5  # how well the slope of all elements at once must be known, and how near the gradient's be


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
    def met(self) -> bool:
        """The derivative is known, and is autograd's, to far more digits than what one of many wrong elements takes."""
        largest = max(abs(self.autograd), abs(self.slope.value))
        return self.slope.error <= KNOWN * largest and abs(self.autograd - self.slope.value) <= MET * largest

    @property
    def missed(self) -> bool:
        largest = max(abs(self.autograd), abs(self.slope.value))
        gap = abs(self.autograd - self.slope.value)
        return self.slope.error <= KNOWN * largest and gap > 10 * max(KNOWN * largest, self.slope.error)

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
    truth = truth_at(subject, trial.inputs, dtype) if traced else ""
    samples: list[Sample] = []
    for argument in subject.contract.preds:
        grad = trial.grads[argument]
        if grad is None or not grad.numel():
            continue
        moving = Moving(subject, trial.inputs, argument, grad, dtype)
        told = _traced(moving, truth, most) if isinstance(truth, Truth) else moving.samples(most)
        floor = 1e-4 * float(grad.abs().max())
        samples += [one for one in told if max(abs(one.autograd), abs(one.slope.value)) > floor]
    return Point(trial, tuple(samples))


def _traced(moving: "Moving", truth: Truth, most: int) -> Iterator[Sample]:
    for element in _elements(moving.grad.numel(), most):
        exact = truth.slope(moving.argument, element)
        if exact is None:
            found = moving.sample([element])
        else:
            given = float(moving.grad.flatten()[element])
            found = Sample(moving.argument, element, given, Slope(*exact, flat=exact == (0.0, 0.0)))
        if found is not None:
            yield found


def _elements(count: int, most: int) -> list[int]:
    return sorted(torch.randperm(count, generator=torch.Generator().manual_seed(count))[:most].tolist())


@dataclass(frozen=True)
class Moving:
    """One argument of a loss, some elements of which are moved, with what autograd says of it."""

    subject: Subject
    inputs: Sequence[Any]
    argument: int
    grad: Tensor
    dtype: torch.dtype

    def samples(self, most: int) -> list[Sample]:
        """All elements at once if that slope is the gradient's; else up to `most`, and one that is wrong if any is."""
        every = list(range(self.grad.numel()))
        together = self.sample(every)
        if together is not None and together.met:
            return [together]
        found = [one for one in (self.sample([element]) for element in _elements(len(every), most)) if one is not None]
        if together is not None and together.missed and not any(one.wrong for one in found):
            found += self._halved(every)
        return found

    def sample(self, elements: Sequence[int]) -> Sample | None:
        """The slope along one element, or along several by their sizes; None where the loss is not finite around it."""
        base: Tensor = self.inputs[self.argument]
        sizes = base.abs().flatten()[elements].clamp(min=max(0.1 * float(base.abs().mean()), 1e-30))
        way, scale = torch.zeros(base.numel(), dtype=base.dtype), 1.0
        if len(elements) == 1:
            way[elements], scale = 1.0, float(sizes)
        else:  # uphill, so that the parts add up; each by a part of its own, so that no two errors cancel
            parts = 0.5 + torch.rand(len(elements), generator=torch.Generator().manual_seed(len(elements)))
            way[elements] = (sizes * parts).copysign(self.grad.flatten()[elements]).to(base.dtype)
        moved = way.reshape(base.shape)
        found = slope(lambda shift: self._value(base + shift * moved), scale, self.dtype)
        given = float((self.grad.flatten().double() * way.double()).sum())
        return None if found is None else Sample(self.argument, elements[0], given, found)

    def _value(self, moved: Tensor) -> float:
        inputs = [moved if i == self.argument else value for i, value in enumerate(self.inputs)]
        return self.subject.run(inputs, grad=False).value

    def _halved(self, elements: Sequence[int]) -> list[Sample]:
        """One wrong element of several that together are: halves of them, while the first or the second is too."""
        while len(elements) > 1:
            middle = len(elements) // 2
            first = self.sample(elements[:middle])
            elements = elements[:middle] if first is not None and (first.missed or first.wrong) else elements[middle:]
        last = self.sample(elements)
        return [] if last is None else [last]


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
