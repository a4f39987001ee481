"""How far each dtype is from the truth along the whole domain, in value and in gradient.

The truth is the trace of the loss with every digit, where it could be traced, else the same loss in float64. It is
given the very numbers that the dtype holds: rounding the inputs is not the loss's fault. Errors are relative to the
truth, or to the smallest normal number where the truth is smaller.
"""

from collections.abc import Callable
from dataclasses import replace
from math import inf, isfinite, nan
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.curve import path_of
from lossmith.checker.exact import Exact
from lossmith.checker.lines import Move
from lossmith.checker.many import at_many
from lossmith.checker.picture import Errors, Precision
from lossmith.checker.subject import Subject
from lossmith.errors import LossmithError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
TRUE = "the true value, to fifty digits"
Wanted = Callable[[torch.dtype], tuple[list[Any], list[Any]]]  # values and slopes for what a dtype holds


def precision_of(subject: Subject) -> Precision | None:
    """The errors by dtype, or None where the loss has no line, or neither a trace nor a float64 to compare with."""
    path = path_of(subject)
    if path is None or not path.wide:
        return None
    (_, move), *_ = path.moves.items()
    x = torch.tensor(path.wide, dtype=torch.float64)
    try:
        exact = Exact(subject, move, path.span)
        told, wanted = TRUE, lambda dtype: exact.at(x, dtype)
    except (LossmithError, ModuleNotFoundError, ArithmeticError) as error:
        told = f"float64, for want of the true value: {str(error).splitlines()[0]}"
        wanted = _by_float64(subject, move, x)
        if wanted is None:
            return None
    errors = [_errors(subject, move, x, name, dtype, wanted) for name, dtype in DTYPES.items()]
    return Precision(path.names[0], path.scale, x.tolist(), errors, told)


def _by_float64(subject: Subject, move: Move, x: Tensor) -> Wanted | None:
    middle = x[len(x) // 2 - 1 : len(x) // 2 + 1]
    if at_many(subject, move, (middle,), dtype=torch.float64).value.isnan().all():
        return None

    def wanted(dtype: torch.dtype) -> tuple[list[Any], list[Any]]:
        found = at_many(subject, move, (x,), dtype=torch.float64, rounded=dtype)
        return found.value.tolist(), found.slopes[0].tolist()

    return wanted


def _errors(subject: Subject, move: Move, x: Tensor, name: str, dtype: torch.dtype, wanted: Wanted) -> Errors:
    unit = torch.finfo(dtype).eps
    blank = Errors(name, [], [], unit)
    if subject.bridged and dtype is torch.bfloat16:
        return replace(blank, absent="bfloat16 does not cross from this framework to the one that measures")
    if (refused := _refusal(subject, move, x, dtype)) is not None:
        return replace(blank, absent=f"it raises {type(refused).__name__} in {name}")
    got = at_many(subject, move, (x,), dtype=dtype)
    values, slopes = wanted(dtype)
    return Errors(name, _relative(got.value, values, dtype), _relative(got.slopes[0], slopes, dtype), unit)


def _refusal(subject: Subject, move: Move, x: Tensor, dtype: torch.dtype) -> Exception | None:
    given = tuple(
        value.to(dtype) if isinstance(value, Tensor) and value.is_floating_point() else value
        for value in move(x[len(x) // 2])
    )
    return subject.run(given, dtype=dtype).error


def _relative(got: Tensor, want: list[Any], dtype: torch.dtype) -> list[float]:
    """inf where the dtype has no number and the truth has one; nothing is told of a truth beyond the dtype."""
    limits = torch.finfo(dtype)
    found: list[float] = []
    for one, true in zip(got.tolist(), want, strict=True):
        if not abs(true) <= limits.max:
            found.append(nan)
        else:
            found.append(float(abs(one - true) / max(abs(true), limits.tiny)) if isfinite(one) else inf)
    return found
