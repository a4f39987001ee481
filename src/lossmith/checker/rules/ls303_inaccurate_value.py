"""LS303 inaccurate-value

What it checks
    On ordinary inputs the value and the gradient in float32 are within 1 % of those in float64 on the same numbers. A
    loss of two real numbers that does not change when both are shifted is also asked at a shift of 1000, and for
    information at 10000, or where the distances of all pairs are taken by a product of matrices.

Why it matters
    float32 has seven digits. A variance as E[x^2] - E[x]^2 loses all of them once the mean is a thousand times the
    deviation, as pressures, prices and pixel coordinates have it: the loss is then noise, may be negative, and its
    root NaN.

Example
    variance = (x ** 2).mean() - x.mean() ** 2

Write instead
    variance = (x - x.mean()).square().mean()

When to allow it
    The inputs are standardised before they come here.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from lossmith.checker.batch import near, precise
from lossmith.checker.conditions import conditions
from lossmith.checker.evidence import SkipRule, finding, show
from lossmith.checker.finding import Finding, Severity
from lossmith.checker.sample import generator
from lossmith.checker.slopes import narrowed
from lossmith.checker.subject import Subject, Trial

CODE, NAME, SINCE = "LS303", "inaccurate-value", "0.1"
SHIFTS = (1e3, 1e4)
TINY = 1e-12
MODERATE = 10.0  # inputs beyond this are no ordinary ones
VALUE, GRADIENT = 0.01, 0.05


def applies(subject: Subject) -> str:
    return "" if subject.contract.preds else "the contract names no prediction"


@dataclass(frozen=True)
class Place:
    name: str
    inputs: tuple[Any, ...]
    severity: Severity = "warning"


def check(subject: Subject) -> Iterator[Finding]:
    inputs = subject.draw(1)
    if narrow := narrowed(subject, inputs, torch.float32):
        raise SkipRule(f"the loss computes in {narrow} inside (LS305)")
    usual = subject.run(inputs, dtype=torch.float64)
    if not usual.ok or not usual.finite_value or usual.total is None or usual.total.dtype != torch.float64:
        raise SkipRule("the loss has no value in float64 to compare with")
    precise(subject, inputs)
    for place in _places(subject):
        single, double = subject.run(place.inputs), subject.run(place.inputs, dtype=torch.float64)
        what = _inaccurate(single, double, usual)
        if what is not None and not _at_a_kink(subject, double, what):
            yield _told(subject, place, single, double, what)
            return


def _places(subject: Subject) -> Iterator[Place]:
    """What is not finite in float32 here is another rule's, so that only finite conditions are of use."""
    for condition in conditions(subject)[:8]:
        floats = [v for v in condition.inputs if isinstance(v, Tensor) and v.is_floating_point() and v.numel()]
        ordinary = all(float(v.abs().max()) <= MODERATE and not _vanishes(v) for v in floats)
        if condition.finite and not condition.match and ordinary:
            yield Place(condition.name, condition.inputs)
    if subject.contract.kinds() == ("real", "real") and subject.contract.target is not None:
        inputs = subject.draw(1)
        here = subject.values(inputs, dtype=torch.float64)
        for shift in SHIFTS:
            moved = tuple((value + shift) for value in inputs)
            if near(here, subject.values(moved, dtype=torch.float64), 1e-3):
                grave = shift < 1e4 and not _multiplies(subject, inputs)
                yield Place(f"for the same data around {shift:g}", moved, "warning" if grave else "info")


def _vanishes(value: Tensor) -> bool:
    """True if it holds numbers that no network gives, as a probability of 1e-30."""
    return bool(((value != 0) & (value.abs() < TINY)).any())


class _Products(TorchDispatchMode):
    """Whether matrices are multiplied: distances of all pairs are commonly taken so, for speed."""

    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.found = self.found or func.__name__.partition(".")[0] in ("mm", "bmm", "addmm", "baddbmm", "matmul")
        return func(*args, **(kwargs or {}))


def _multiplies(subject: Subject, inputs: tuple[Any, ...]) -> bool:
    watch = _Products()
    return subject.run(inputs, grad=False, watch=watch).ok and watch.found


def _inaccurate(single: Trial, double: Trial, usual: Trial) -> str | None:
    """`value` or `gradient`; an error is measured on the truth, or on a part of the usual where the truth is small."""
    if not (single.ok and double.ok and isfinite(double.value)):
        return None
    room = VALUE * max(abs(double.value), 0.1 * abs(usual.value))
    if not abs(single.value - double.value) <= room:
        return "value"
    if single.grad is None or double.grad is None or usual.grad is None or not double.finite_grad:
        return None
    size = max(float(double.grad.abs().max()), 0.1 * float(usual.grad.abs().max()))
    off = float((single.grad.double() - double.grad).abs().max())
    return None if off <= GRADIENT * size else "gradient"


def _at_a_kink(subject: Subject, double: Trial, what: str) -> bool:
    """True if float64 answers otherwise one rounding of float32 away: then none of its answers is the true one."""
    g = generator(1)
    near_by = [_nudged(v, g) if _is_float(v) else v for v in double.inputs]
    other = subject.run(near_by, dtype=torch.float64)
    if what == "value":
        return abs(other.value - double.value) > 0.5 * VALUE * abs(double.value)
    if other.grad is None or double.grad is None:
        return False
    return float((other.grad - double.grad).abs().max()) > GRADIENT * float(double.grad.abs().max())


def _nudged(value: Tensor, g: torch.Generator) -> Tensor:
    noise = 1e-7 * torch.randn(value.shape, generator=g).to(value)
    return value + noise * (value.abs() + 1e-2)


def _is_float(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


def _told(subject: Subject, place: Place, single: Trial, double: Trial, what: str) -> Finding:
    rows = {a.name: show(value) for a, value in zip(subject.contract.arguments, place.inputs, strict=True)}
    rows |= {"value": show(single.value), "value in float64": show(double.value)}
    name = subject.contract.pred.name
    if what == "gradient" and single.grad is not None and double.grad is not None:
        rows |= {f"grad {name}": show(single.grad), f"grad {name} in float64": show(double.grad)}
    said = f"{show(single.value)} instead of {show(double.value)}" if what == "value" else "another one than in float64"
    return finding(
        sys.modules[__name__],
        subject,
        severity=place.severity,
        message=f"the {what} in float32 is {said}, {place.name}",
        trial=single,
        evidence=rows,
        why="float64 on the same numbers is the judge: what differs was lost in intermediate results",
        fix="subtract before squaring: (x - x.mean()).square().mean() instead of (x ** 2).mean() - x.mean() ** 2"
        if "around" in place.name
        else "look for a difference of two large, nearly equal numbers, and rewrite it",
    )
