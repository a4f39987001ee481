"""The curve of a loss: value, gradient and curvature as the predictions move together through their domain."""

from dataclasses import replace
from typing import Any

import torch

from lossmith.checker.lines import Path, line
from lossmith.checker.many import Values, at_many
from lossmith.checker.picture import Curve, Series
from lossmith.checker.sample import SIZES
from lossmith.checker.subject import Subject

POINTS = 161
ROUNDING = 64  # units in the last place of the largest slope: differences of terms that cancel
OF_MANY = frozenset("index labels onehot dist simplex logprob embedding unit boxes cxcywh".split())  # need their axis


def path_of(subject: Subject) -> Path | None:
    """The line along which one sample of the loss is looked at."""
    return line(subject.contract, samples(subject))


def samples(subject: Subject, count: int = 1) -> tuple[Any, ...]:
    """The arguments for so many samples; of one prediction each, where the loss takes one alone."""
    contract = subject.contract
    if contract.draw is not None:
        return subject.draw(1)
    if not set(contract.kinds()) & OF_MANY:
        alone = subject.with_contract(replace(contract, sizes=dict.fromkeys(SIZES, 1)))
        given = alone.draw(1, count)
        if alone.run(given).finite_value:
            return given
    return subject.draw(1, count)


def curve_of(
    subject: Subject,
    span: tuple[float, float] | None = None,
    points: int = POINTS,
    dtype: torch.dtype = torch.float32,
) -> Curve | None:
    """The curve for one sample, or None where a single moving number says nothing."""
    path = path_of(subject)
    if path is None:
        return None
    low, high = span or path.span
    x = torch.linspace(low, high, points, dtype=torch.float64)
    series = [
        _series(label, x, at_many(subject, move, (x,), dtype=dtype, second=True), dtype)
        for label, move in path.moves.items()
    ]
    return Curve(path.names[0], series) if any(len(set(one.value)) > 1 for one in series) else None


def _series(label: str, x: torch.Tensor, made: Values, dtype: torch.dtype) -> Series:
    known = made.curvature is not None and not made.curvature.isnan().all()
    curvature = _without_rounding(made.curvature, made.slopes[0], x, dtype).tolist() if known else []
    return Series(label, x.tolist(), made.value.tolist(), made.slopes[0].tolist(), curvature)


def _without_rounding(
    curvature: torch.Tensor | None, slope: torch.Tensor, x: torch.Tensor, dtype: torch.dtype
) -> torch.Tensor:
    """0 where from one point to the next the slope changes by less than it may be rounded by."""
    assert curvature is not None
    largest = slope[slope.isfinite()].abs().max() if slope.isfinite().any() else torch.zeros(())
    step = float(x[-1] - x[0]) / max(len(x) - 1, 1)
    return torch.where(curvature.abs() * step <= ROUNDING * torch.finfo(dtype).eps * largest, 0.0, curvature)
