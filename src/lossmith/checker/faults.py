"""Where a loss stops being a number: every condition, in every precision, with the truth beside it.

A non-finite result is a fault only if the true one is finite and fits the precision. Truth is the same call in
float64; where that is not finite either, the way there decides: a loss that is still moderate one rounding error
before it turns into inf or NaN did not get there by growing, so the formula has a value that the code misses.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any, Literal

import torch
from torch import Tensor

from lossmith.checker.conditions import conditions
from lossmith.checker.ends import Condition
from lossmith.checker.evidence import shrink
from lossmith.checker.subject import Subject, Trial, as_tensor, cast
from lossmith.checker.watch import Blame, Constant, Constants, blame

Precision = Literal["float32", "float16", "bfloat16"]
DTYPES: dict[Precision, torch.dtype] = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}
MODERATE = 1e8  # times the ordinary value; a singularity (1/x one rounding error from 0) is far beyond it
HALF_RANGE = 60.0  # inputs beyond this are not expected to survive half precision


@dataclass(frozen=True)
class Fault:
    """`constant` is set if a literal that this precision cannot hold was shown to be the cause."""

    condition: Condition
    precision: Precision
    what: Literal["value", "gradient"]
    trial: Trial
    truth: Trial | None
    constant: Constant | None = None
    blame: Blame | None = None

    @property
    def finite_in_double(self) -> bool:
        return self.truth is not None and self.truth.finite_value and self.truth.finite_grad

    @property
    def dead_branch(self) -> bool:
        """True if the gradient broke where nothing was to flow: 0 * inf in a branch that was not taken."""
        return self.blame is not None and self.blame.unselected

    @property
    def line(self) -> str:
        return self.blame.line if self.blame else ""

    @property
    def explanation(self) -> str:
        """What is known of the cause, each part tested."""
        parts: list[str] = []
        if self.blame is not None:
            parts.append(f"the derivative of {self.blame.operation} is not finite there")
        if self.finite_in_double:
            parts.append(f"in float64 it is finite: an intermediate leaves the range of {self.precision}")
        return "; ".join(parts)


def faults(subject: Subject, precision: Precision) -> list[Fault]:
    """All faults of a loss in one precision, found once. Raises nothing: a precision it refuses has no faults."""
    key = ("faults", precision)
    if key not in subject.cache:
        found = (_fault(subject, condition, precision) for condition in conditions(subject))
        subject.cache[key] = [fault for fault in found if fault is not None]
    return subject.cache[key]


def supports(subject: Subject, precision: Precision) -> str:
    """Empty if the loss runs in this precision on ordinary inputs, else why not."""
    trial = subject.run(conditions(subject)[0].inputs, dtype=DTYPES[precision])
    return "" if trial.error is None else f"{precision}: {type(trial.error).__name__}: {str(trial.error)[:90]}"


def _fault(subject: Subject, condition: Condition, precision: Precision) -> Fault | None:
    dtype = DTYPES[precision]
    if dtype != torch.float32 and _largest(condition.inputs) > HALF_RANGE:
        return None
    inputs = tuple(cast(value, dtype) for value in condition.inputs)
    trial = subject.run(inputs)
    what = _broken(trial)
    if not trial.ok or what is None:
        return None
    if condition.match and trial.value == -inf and not trial.finite_grad:
        what = "gradient"  # an error may have a logarithm; NaN is what its weights get
    truth = subject.run(inputs, dtype=torch.float64)
    if not _ought_to_be_finite(subject, condition, what, trial, truth, dtype):
        return None
    trial, truth = _smaller(subject, trial, truth, what)
    constant = _vanishing(subject, trial) if truth.ok and _broken(truth) is None else None
    blamed = _blame(subject, trial) if what == "gradient" else None
    return Fault(condition, precision, what, trial, truth if truth.ok else None, constant, blamed)


def _largest(inputs: tuple[Any, ...]) -> float:
    floats = [value for value in inputs if isinstance(value, Tensor) and value.is_floating_point() and value.numel()]
    return max((float(value.abs().max()) for value in floats), default=0.0)


def _broken(trial: Trial) -> Literal["value", "gradient"] | None:
    if not trial.ok:
        return None
    if not trial.finite_value:
        return "value"
    return None if trial.finite_grad else "gradient"


def _ought_to_be_finite(
    subject: Subject, condition: Condition, what: str, trial: Trial, truth: Trial, dtype: torch.dtype
) -> bool:
    if truth.ok and _broken(truth) is None:
        top = 0.5 * torch.finfo(dtype).max
        steepest = max((float(g.abs().max()) for g in truth.grads if g is not None and g.numel()), default=0.0)
        return abs(truth.value) < top and steepest < top
    if not condition.finite or dtype != torch.float32:
        return False
    if condition.match and what == "gradient":
        return True  # whatever the derivative is there, NaN is what reaches the weights
    if what == "gradient" and (blamed := _blame(subject, trial)) is not None and blamed.unselected:
        return True  # nothing was to flow through that branch, wherever its own values go
    return _moderate_on_the_way(subject, condition, what)


def _moderate_on_the_way(subject: Subject, condition: Condition, what: str) -> bool:
    """Follow the straight line from ordinary inputs to the condition; look at the last finite point before it."""
    start = conditions(subject)[0].inputs
    if not all(a.shape == b.shape for a, b in zip(start, condition.inputs, strict=True) if isinstance(a, Tensor)):
        return False
    size = _size_along(subject, start, condition.inputs, what)
    ordinary, low, high = size(0.0), 0.0, 1.0
    if not isfinite(ordinary):
        return False
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if isfinite(size(middle)) else (low, middle)
    return size(low) < MODERATE * (1.0 + ordinary) and not _diverges(size, low)


def _diverges(size: Callable[[float], float], edge: float) -> bool:
    """True if it still grows at each step towards the edge, as log 0 and 1 / 0 do: there is no value to miss."""
    near = [size(edge * (1.0 - 2.0**-bits)) for bits in (16, 26, 36)]
    first, second = near[1] - near[0], near[2] - near[1]
    return second > 1e-6 * (1.0 + near[2]) and second > 0.5 * first


def _size_along(subject: Subject, start: tuple[Any, ...], end: tuple[Any, ...], what: str) -> Callable[[float], float]:
    def size(s: float) -> float:
        mixed = tuple(
            torch.lerp(a.double(), b.double(), s) if isinstance(a, Tensor) and a.is_floating_point() else b
            for a, b in zip(start, end, strict=True)
        )
        trial = subject.run(mixed, dtype=torch.float64, grad=what == "gradient")
        if not trial.ok or _broken(trial):
            return float("inf")
        steepest = max((float(g.abs().max()) for g in trial.grads if g is not None), default=0.0)
        return steepest if what == "gradient" else abs(trial.value)

    return size


def _smaller(subject: Subject, trial: Trial, truth: Trial, what: str) -> tuple[Trial, Trial]:
    dtype = next(value.dtype for value in trial.inputs if isinstance(value, Tensor) and value.is_floating_point())

    def still(part: tuple[Any, ...]) -> bool:
        one = subject.run(part)
        if _broken(one) != what:
            return False
        real = subject.run(part, dtype=torch.float64)
        if truth.ok and _broken(truth) is None:
            return real.ok and _broken(real) is None and abs(real.value) < torch.finfo(dtype).max
        return True

    ordinary = tuple(cast(value, dtype) for value in conditions(subject)[0].inputs)
    inputs = shrink(subject, trial.inputs, still, ordinary)
    return subject.run(inputs), subject.run(inputs, dtype=torch.float64)


def _vanishing(subject: Subject, trial: Trial) -> Constant | None:
    """A constant that this precision cannot hold, if replacing it by one that it can hold mends the result."""
    if subject.bridged:
        return None
    seen = Constants(subject.file)
    subject.run(trial.inputs, watch=seen)
    suspects = [constant for constant in seen.found if constant.vanishes]
    if not suspects:
        return None
    mended = subject.run(trial.inputs, watch=Constants(subject.file, repair=True))
    return suspects[0] if mended.ok and _broken(mended) is None else None


def _blame(subject: Subject, trial: Trial) -> Blame | None:
    if subject.bridged:
        return None

    def total() -> Tensor:
        live = [
            value.detach().clone().requires_grad_(i in subject.contract.preds and value.is_floating_point())
            if isinstance(value, Tensor)
            else value
            for i, value in enumerate(trial.inputs)
        ]
        dtype = live[subject.contract.preds[0]].dtype
        output, _ = as_tensor(subject.call(subject.twin(dtype), live))
        return output.sum()

    torch.default_generator.manual_seed(0)  # torch.manual_seed asks every device, and keeps a traceback
    try:
        return blame(total, subject.file)
    except Exception:  # a graph that cannot be walked has no culprit to name
        return None
