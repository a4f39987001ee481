"""Sums over pairs whose columns go round: every rank sees the columns of one rank at a time.

    step s of P   rank r has the columns of rank r - s, adds what its rows make of them, and passes them on

What a column gathers on the way, its log-sum over the rows of all ranks and in the backward its gradient, travels with
it and is complete when it is home. A weight of the backward needs the sums over all columns, not those of a block, and
these are known by then: no block is summed a second time.

Memory     beside the rows and the columns of a rank and their gradients: two blocks of visiting columns, one of
           their gradients, and what a block adds to the gradients of both sides
Time       as one process has for a block of rows, if the next columns arrive before the present ones are done with
Again      no double backward: gather the columns for that
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor

from lossmith.errors import SettingError, message
from lossmith.kernels import pair_sums, pairs
from lossmith.kernels.ranks import Ranks
from lossmith.kernels.tiles import Rule
from lossmith.kernels.walk import Problem

Sides = tuple[Tensor, Tensor]  # something for each row, and for each column


class Summed(Protocol):
    """A sum over pairs, a block of columns at a time."""

    @property
    def start(self) -> float:
        """The sum of nothing."""
        ...

    def block(self, u: Tensor, v: Tensor, rows: Tensor, columns: Tensor) -> Sides:
        """The sums over one block, of columns with these tags."""
        ...

    def add(self, one: Tensor, other: Tensor) -> Tensor: ...

    def slopes(self, u: Tensor, v: Tensor, rows: Tensor, columns: Tensor, whole: Sides, slopes: Sides) -> Sides:
        """What one block makes of the slopes by u and by v, given the sums over all blocks."""
        ...


@dataclass(frozen=True)
class LogSum:
    """`pairs.log_sum`."""

    chooses: Callable[[Tensor, Tensor], Rule]
    largest: float
    both: bool
    narrow: torch.dtype | None
    start = -torch.inf

    def block(self, u: Tensor, v: Tensor, rows: Tensor, columns: Tensor) -> Sides:
        rule = self.chooses(rows, columns)
        made = pairs.log_sum(u, v, rule=rule, largest=self.largest, both=self.both, narrow=self.narrow)
        return made if self.both else (made, made.new_empty(0))

    def add(self, one: Tensor, other: Tensor) -> Tensor:
        return torch.logaddexp(one, other)

    def slopes(self, u: Tensor, v: Tensor, rows: Tensor, columns: Tensor, whole: Sides, slopes: Sides) -> Sides:
        problem = Problem(self.chooses(rows, columns), self.largest, self.both, narrow=self.narrow)
        made: Any = pairs.gradients(u, v, None, problem, whole, slopes)
        return made[0], made[1]


@dataclass(frozen=True)
class SoftplusSum:
    """`pair_sums.softplus_sum`."""

    chooses: Callable[[Tensor, Tensor], Rule]
    narrow: torch.dtype | None
    both = False
    start = 0.0

    def block(self, u: Tensor, v: Tensor, rows: Tensor, columns: Tensor) -> Sides:
        made = pair_sums.softplus_sum(u, v, rule=self.chooses(rows, columns), narrow=self.narrow)
        return made, made.new_empty(0)

    def add(self, one: Tensor, other: Tensor) -> Tensor:
        return one + other

    def slopes(self, u: Tensor, v: Tensor, rows: Tensor, columns: Tensor, whole: Sides, slopes: Sides) -> Sides:
        problem = Problem(self.chooses(rows, columns), narrow=self.narrow)
        made: Any = pair_sums.gradients(u, v, None, problem, slopes[:1])
        return made[0], made[1]


def ring_sums(ranks: Ranks, u: Tensor, v: Tensor, tags: Tensor, summed: Any) -> Sides:
    """The sums of each row here over the columns of all ranks; where asked for, of each column here over all rows."""
    sizes = ranks.sizes(len(v), v)
    return _Ring.apply(u, v, tags, ranks, sizes, summed)


class _Ring(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, u: Tensor, v: Tensor, tags: Tensor, ranks: Ranks, sizes: list[int], summed: Any) -> Sides:
        wide = torch.promote_types(u.dtype, torch.float32)
        rows = u.new_full((len(u),), summed.start, dtype=wide)
        columns = v.new_full((len(v) if summed.both else 0,), summed.start, dtype=wide)
        for block, visiting in _round(ranks, sizes, (v, tags)):
            of_rows, of_columns = summed.block(u, block[0], tags, block[1])
            rows = summed.add(rows, of_rows)
            columns = summed.add(columns, of_columns) if summed.both else columns
            (columns,) = _passed_on(ranks, (columns,), visiting if summed.both else 0)
        ctx.of = ranks, sizes, summed
        ctx.save_for_backward(u, v, tags, rows, columns)
        if not summed.both:
            ctx.mark_non_differentiable(columns)
        return rows, columns

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise SettingError(message("a ring has no double backward", fix='exchange="gather"'))
        u, v, tags, rows, columns = ctx.saved_tensors
        ranks, sizes, summed = ctx.of
        du, dv = torch.zeros_like(u, dtype=rows.dtype), torch.zeros_like(v, dtype=rows.dtype)
        for block, visiting in _round(ranks, sizes, (v, tags, columns, slopes[1]) if summed.both else (v, tags)):
            whole, upstream = ((rows, block[2]), (slopes[0], block[3])) if summed.both else ((rows, rows), slopes)
            more = summed.slopes(u, block[0], tags, block[1], whole, upstream)
            du, dv = du.add_(more[0]), dv.add_(more[1])
            del more  # a block of the gradient, which is not to wait for the next
            (dv,) = _passed_on(ranks, (dv,), visiting)
        return du.to(u.dtype), dv.to(v.dtype), None, None, None, None


def _round(ranks: Ranks, sizes: Sequence[int], block: tuple[Tensor, ...]) -> Any:
    """The blocks of all ranks, each with how many columns the next one has, which is on its way meanwhile."""
    for step in range(ranks.size):
        visiting = sizes[(ranks.rank - step - 1) % ranks.size]
        arriving, wait = _start(ranks, block, visiting) if step + 1 < ranks.size else (block, lambda: None)
        yield block, visiting
        wait()
        block = arriving


def _passed_on(ranks: Ranks, tensors: tuple[Tensor, ...], count: int) -> tuple[Tensor, ...]:
    arriving, wait = _start(ranks, tensors, count, first_tag=100)
    wait()
    return arriving


def _start(
    ranks: Ranks, tensors: Sequence[Tensor], count: int, first_tag: int = 0
) -> tuple[tuple[Tensor, ...], Callable[[], None]]:
    """Send to the next rank and receive `count` rows from the one before; both are done after the wait."""
    ahead, behind = (dist.get_global_rank(ranks.group, (ranks.rank + by) % ranks.size) for by in (1, -1))
    leaving = [x.detach().contiguous() for x in tensors]
    arriving = tuple(x.new_empty(count, *x.shape[1:]) for x in leaving)
    if ranks.size == 1:
        return tuple(leaving), lambda: None
    both = zip(leaving, arriving, strict=True)
    hops = [
        dist.P2POp(does, x, other, ranks.group, tag)
        for tag, (out, into) in enumerate(both, first_tag)
        for does, x, other in ((dist.isend, out, ahead), (dist.irecv, into, behind))
        if x.numel()
    ]
    requests = dist.batch_isend_irecv(hops) if hops else []

    def wait() -> None:
        for request in requests:
            request.wait()
        leaving.clear()

    return arriving, wait
