"""A loss at many points in one call: its value and its derivatives by the numbers that move its arguments.

Three ways, the first that works: the map of the loss's framework (`torch.func.vmap`, `jax.vmap`); one large batch,
where the loss gives a value for each sample; a loop. The first two are compared with plain calls at a few points
before they are believed: a loss that draws random numbers, keeps state or mixes samples is not the same loss a
thousand at a time.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.limits import OverMemory, is_over_memory, limited_call
from lossmith.checker.lines import Move
from lossmith.checker.reductions import choices
from lossmith.checker.subject import Subject, as_tensor

ENTRIES = 1 << 21  # numbers of the first prediction in one chunk
AGREE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.bfloat16: 0.05, torch.float16: 0.01}


@dataclass(frozen=True)
class Values:
    """At each point: the total, its derivative by each number, and its second derivative by the first, if it was asked
    for and can be had: not from a framework that hands back numbers.

    `how` is vmap, batch or loop.
    """

    value: Tensor
    slopes: tuple[Tensor, ...]
    curvature: Tensor | None
    how: str


Totals = Callable[..., Tensor]  # the numbers, each of shape (M,) -> totals of shape (M,)


def at_many(
    subject: Subject,
    move: Move,
    points: Sequence[Tensor],
    *,
    dtype: torch.dtype = torch.float32,
    second: bool = False,
    rounded: torch.dtype | None = None,
) -> Values:
    """The loss at all points, computed in `dtype`. `rounded`: its arguments hold only what that dtype can."""
    places = tuple(point.double() for point in points)
    second = second and not subject.bridged
    once = _once(subject, move, dtype, rounded)
    sample = torch.linspace(0, len(places[0]) - 1, min(5, len(places[0]))).round().long()
    plain = _loop(once, tuple(place[sample] for place in places), False)
    for how, way in (("vmap", _mapped), ("batch", _batched)):
        totals = way(subject, move, dtype, rounded)
        if totals is None:
            continue
        try:
            made = _in_chunks(totals, places, second, _chunk(move, places), how)
        except OverMemory:
            raise
        except Exception as error:  # this way is closed for this loss: the next one
            if is_over_memory(error):
                raise OverMemory("it asked for more memory than it may have, at many points at once") from None
            continue
        if _agree(made, plain, sample, dtype):
            return made
    return _loop(once, places, second)


def _once(subject: Subject, move: Move, dtype: torch.dtype, rounded: torch.dtype | None) -> Totals:
    def once(*numbers: Tensor) -> Tensor:
        loss = subject.twin(dtype)  # a fresh one each time: what one call leaves behind would colour the next
        output, _ = as_tensor(subject.call(loss, _cast(move(*numbers), dtype, rounded)))
        return output.sum().double()

    return once


def _cast(inputs: tuple[Any, ...], dtype: torch.dtype, rounded: torch.dtype | None) -> tuple[Any, ...]:
    return tuple(
        _round(value, rounded).to(dtype) if isinstance(value, Tensor) and value.is_floating_point() else value
        for value in inputs
    )


def _round(value: Tensor, dtype: torch.dtype | None) -> Tensor:
    """The value that the dtype holds; the derivative goes through as it is, or it would be rounded too."""
    return value if dtype is None else value + (value.to(dtype).to(value.dtype) - value).detach()


def _mapped(subject: Subject, move: Move, dtype: torch.dtype, rounded: torch.dtype | None) -> Totals:
    """By the map of the loss's framework. Torch's may see what does not move unmapped: a mask can still choose rows."""
    if not subject.bridged:
        return torch.func.vmap(_once(subject, move, dtype, rounded), randomness="same")

    def totals(*numbers: Tensor) -> Tensor:
        values = subject.call_each(subject.twin(dtype), _cast(_rows(move, numbers), dtype, rounded))
        return values.double().flatten(1).sum(1) if values.ndim > 1 else values.double()

    return totals


def _rows(move: Move, numbers: Sequence[Tensor]) -> tuple[Any, ...]:
    return torch.func.vmap(lambda *one: move(*one))(*numbers)


def _batched(subject: Subject, move: Move, dtype: torch.dtype, rounded: torch.dtype | None) -> Totals | None:
    """All points as the samples of one batch, if the loss can give a value for each of them."""
    contract = subject.contract
    if any(not argument.domain.axes or argument.domain.axes[0] != "N" for argument in contract.arguments):
        return None
    offered = choices(subject)
    if offered is None or "none" not in offered.subjects:
        return None
    each = offered.subjects["none"]
    loss, mean = each.twin(dtype), getattr(offered, "subjects", {}).get("mean") is not None

    def totals(*numbers: Tensor) -> Tensor:
        flat = [value.flatten(0, 1) if isinstance(value, Tensor) else value for value in _rows(move, numbers)]
        values, _ = as_tensor(each.call(loss, _cast(tuple(flat), dtype, rounded)))
        found = values.double().reshape(len(numbers[0]), -1)
        return found.mean(1) if mean and not _sums(subject) else found.sum(1)

    return totals


def _sums(subject: Subject) -> bool:
    return getattr(subject.loss, "reduction", "mean") in ("sum", "none")


def _chunk(move: Move, places: Sequence[Tensor]) -> int:
    sizes = [value.numel() for value in move(*(place[0] for place in places)) if isinstance(value, Tensor)]
    return max(1, ENTRIES // max(1, *sizes))


def _in_chunks(totals: Totals, places: Sequence[Tensor], second: bool, chunk: int, how: str) -> Values:
    parts = [
        _derived(totals, [place[start : start + chunk] for place in places], second)
        for start in range(0, len(places[0]), chunk)
    ]
    value, *rest = (torch.cat(part) for part in zip(*parts, strict=True))
    slopes = tuple(rest[: len(places)])
    return Values(value, slopes, rest[-1] if second else None, how)


def _derived(totals: Totals, places: Sequence[Tensor], second: bool) -> tuple[Tensor, ...]:
    live = [place.detach().clone().requires_grad_() for place in places]
    with warnings.catch_warnings(), limited_call():
        warnings.simplefilter("ignore")
        value = totals(*live)
        if not value.requires_grad:  # a constant of the numbers: its slope is 0 where it is known to be one
            nothing = torch.full_like(places[0], torch.nan)
            return (value.detach(), *(nothing for _ in live), *([nothing] if second else []))
        slopes = torch.autograd.grad(value.sum(), live, create_graph=second, allow_unused=True)
        found = [torch.zeros_like(places[0]) if slope is None else slope for slope in slopes]
        twice = [_again(found[0], live[0])] if second else []
    return (value.detach(), *(slope.detach() for slope in found), *twice)


def _again(slope: Tensor, number: Tensor) -> Tensor:
    if not slope.requires_grad:
        return torch.zeros_like(slope)
    (found,) = torch.autograd.grad(slope.sum(), number, allow_unused=True)
    return torch.zeros_like(slope) if found is None else found.detach()


def _loop(once: Totals, places: Sequence[Tensor], second: bool) -> Values:
    """One call a point; where the loss raises, or has no second derivative, there is a hole."""
    rows = [_one(once, [place[index : index + 1] for place in places], second) for index in range(len(places[0]))]
    value, *rest = (torch.cat(part) for part in zip(*rows, strict=True))
    return Values(value, tuple(rest[: len(places)]), rest[-1] if second else None, "loop")


def _one(once: Totals, places: Sequence[Tensor], second: bool) -> tuple[Tensor, ...]:
    def totals(*numbers: Tensor) -> Tensor:
        return once(*(number[0] for number in numbers)).reshape(1)

    for twice in (True, False) if second else (False,):
        try:
            found = _derived(totals, places, twice)
        except Exception:  # a stranger's code: it has no value, or no derivative, here
            continue
        return found if twice or not second else (*found, torch.full_like(places[0], torch.nan))
    hole = torch.full_like(places[0], torch.nan)
    return (hole, *(hole for _ in places), *([hole] if second else []))


def _agree(made: Values, plain: Values, sample: Tensor, dtype: torch.dtype) -> bool:
    near = AGREE[dtype]
    pairs = [(made.value, plain.value), *zip(made.slopes, plain.slopes, strict=True)]
    return all(torch.allclose(a[sample], b, rtol=near, atol=near, equal_nan=True) for a, b in pairs)
