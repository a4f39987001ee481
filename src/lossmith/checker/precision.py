"""How far each dtype is from the truth along the whole domain, in value and in gradient.

The truth is the same loss in float64, given the very numbers that the dtype holds: rounding the inputs is not the
loss's fault. Errors are relative to the truth, or to the smallest normal number where the truth is smaller.
"""

from dataclasses import replace

import torch
from torch import Tensor

from lossmith.checker.curve import path_of
from lossmith.checker.lines import Move
from lossmith.checker.many import at_many
from lossmith.checker.picture import Errors, Precision
from lossmith.checker.subject import Subject

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def precision_of(subject: Subject) -> Precision | None:
    """The errors by dtype, or None where the loss has no line, or no float64 to compare with."""
    path = path_of(subject)
    if path is None or not path.wide:
        return None
    (_, move), *_ = path.moves.items()
    x = torch.tensor(path.wide, dtype=torch.float64)
    middle = x[len(x) // 2 - 1 : len(x) // 2 + 1]
    if at_many(subject, move, (middle,), dtype=torch.float64).value.isnan().all():
        return None
    errors = [_errors(subject, move, x, name, dtype) for name, dtype in DTYPES.items()]
    return Precision(path.names[0], path.scale, x.tolist(), errors, "float64")


def _errors(subject: Subject, move: Move, x: Tensor, name: str, dtype: torch.dtype) -> Errors:
    unit = torch.finfo(dtype).eps
    blank = Errors(name, [], [], unit)
    if subject.bridged and dtype is torch.bfloat16:
        return replace(blank, absent="bfloat16 does not cross from this framework to the one that measures")
    if (refused := _refusal(subject, move, x, dtype)) is not None:
        return replace(blank, absent=f"it raises {type(refused).__name__} in {name}")
    got = at_many(subject, move, (x,), dtype=dtype)
    want = at_many(subject, move, (x,), dtype=torch.float64, rounded=dtype)
    return Errors(name, _relative(got.value, want.value, dtype), _relative(got.slopes[0], want.slopes[0], dtype), unit)


def _refusal(subject: Subject, move: Move, x: Tensor, dtype: torch.dtype) -> Exception | None:
    given = tuple(
        value.to(dtype) if isinstance(value, Tensor) and value.is_floating_point() else value
        for value in move(x[len(x) // 2])
    )
    return subject.run(given, dtype=dtype).error


def _relative(got: Tensor, want: Tensor, dtype: torch.dtype) -> list[float]:
    limits = torch.finfo(dtype)
    error = (got - want).abs() / want.abs().clamp(min=limits.tiny)
    told = want.isfinite() & (want.abs() <= limits.max)  # beyond, infinity is the right answer
    return torch.where(told, torch.where(got.isfinite(), error, torch.inf), torch.nan).tolist()
