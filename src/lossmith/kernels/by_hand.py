"""Losses whose gradient is written by hand: the values, and a function that takes an upstream gradient back.

    @by_hand(formulas.ms_ssim)
    def ms_ssim(job): ...

Such a body gets a `Job` and returns a `Made`, or None for settings or arrays that it does not know. What it knows in
the forward it keeps; what is asked of it again (a second backward) is computed again, and a graph of the gradient is
the formula's. The formula runs as well where a value is not finite, under transforms, on other devices than the CPU,
and wherever no kernel may.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

import torch
from torch import Tensor

from lossmith.ops import torch as ops
from lossmith.spec import Formula, Outcome

Pull = Callable[[Tensor], Sequence[Tensor]]


@dataclass(frozen=True)
class Job:
    """What is to be computed. moved: the places of the arrays whose gradient is wanted."""

    arrays: Sequence[Tensor]
    kept: Tensor | None
    settings: Mapping[str, Any]
    moved: Sequence[int]


@dataclass(frozen=True)
class Made:
    """The values, how many terms each counts for, and the gradients of `moved` from that of the values.

    `pull` is called once, and may write into what it keeps.
    """

    values: Tensor
    counts: Tensor | None
    pull: Pull


Body = Callable[[Job], Made | None]
B = TypeVar("B", bound=Body)

BODIES: dict[Formula, Body] = {}
BY_HAND: dict[Formula, Callable[..., Any]] = {}  # each asks the hand-written body first
COMPILED: dict[Formula, Callable[..., Body]] = {}
LONG: set[Formula] = set()


def by_hand(formula: Formula, *, compiled: Callable[..., Body] | None = None, long: bool = False) -> Callable[[B], B]:
    """Enter the decorated function as the body that the eager path of a formula asks first.

    compiled    gives another body, from options of `torch.compile`, for a face that is compiled
    long        of the formula itself torch's compiler would make minutes of work, on any device
    """

    def enter(body: B) -> B:
        if compiled is not None:
            COMPILED[formula] = compiled
        if long:
            LONG.add(formula)
        BODIES[formula], BY_HAND[formula] = body, asking(formula, body)
        return body

    return enter


def asking(formula: Formula, body: Body) -> Callable[..., Any]:
    """A formula's body that asks this one first."""

    @wraps(formula.body)
    def run(reader: Any, *arrays: Tensor, kept: Tensor | None = None, **settings: Any) -> Any:
        more = {} if kept is None else {"kept": kept}
        moved = [place for place, x in enumerate(arrays) if x.requires_grad] if torch.is_grad_enabled() else []
        plain = reader is ops and not torch._C._len_torch_function_stack()
        if plain and all(x.device.type == "cpu" for x in arrays):
            job = Job([x.detach() for x in arrays], kept, settings, moved)
            with torch.no_grad():
                made = body(job)
            if made is not None and made.values.isfinite().all():
                values = _ByHand.apply(formula, body, job, made, *arrays) if moved else made.values
                return Outcome(values, made.counts)
        return formula.body(reader, *arrays, **more, **settings)

    return run


class _ByHand(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, formula: Formula, body: Body, job: Job, made: Made, *arrays: Tensor) -> Tensor:
        ctx.formula, ctx.body, ctx.made = formula, body, made
        ctx.kept, ctx.settings, ctx.moved = job.kept, job.settings, job.moved
        ctx.save_for_backward(*arrays)
        return made.values

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        (slope,), arrays = upstream, ctx.saved_tensors
        if torch.is_grad_enabled():
            more = {} if ctx.kept is None else {"kept": ctx.kept}
            again = ctx.formula.body(ops, *arrays, **more, **ctx.settings)
            values = again.values if isinstance(again, Outcome) else again
            chosen = [arrays[place] for place in ctx.moved]
            found = torch.autograd.grad(values, chosen, slope, create_graph=True, materialize_grads=True)
        else:
            made, ctx.made = ctx.made, None
            if made is None:
                made = ctx.body(Job([x.detach() for x in arrays], ctx.kept, ctx.settings, ctx.moved))
            found = made.pull(slope)
        gradients: list[Tensor | None] = [None] * (4 + len(arrays))
        for place, gradient in zip(ctx.moved, found, strict=True):
            gradients[4 + place] = gradient
        return tuple(gradients)
