"""Several processes that share a batch: what they tell each other, with its gradient.

Every rank calls a loss with its own part of the batch, and each gets the total of the whole. `backward` is the exact
transpose of what was exchanged, so that it yields the gradient of the sum of what all ranks got: P times that of the
total for P ranks, in the part that a rank holds. The averaging of gradients by DistributedDataParallel, and of FSDP,
takes the P off again. Where nothing averages:

    replicated   a tensor that every rank holds, such as a learned temperature: its gradient is averaged here
    held_apart   a tensor of which every rank holds another part, such as the weights of a large head: divided by P

Before anything is exchanged the ranks `agree`: an error on one of them becomes an error on all, not a wait without end.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from typing import Any
from zlib import crc32

import torch
import torch.distributed as dist
from torch import Tensor

from lossmith.errors import LossmithError, SettingError, message


class RankError(LossmithError, RuntimeError):
    """Ranks that do not agree on what they compute together."""


@dataclass(frozen=True)
class Ranks:
    """The processes of a group, this one among them."""

    group: Any
    rank: int
    size: int

    def sizes(self, count: int, like: Tensor) -> list[int]:
        """How many rows each rank has; this one has `count`."""
        return _told(self, [count], like.device)[:, 0].tolist()

    def summed(self, x: Tensor) -> Tensor:
        """The sum over the ranks."""
        return _Sum.apply(x, self)

    def largest(self, x: Tensor) -> Tensor:
        """The largest over the ranks, without a gradient."""
        top = x.detach().clone(memory_format=torch.contiguous_format)
        dist.all_reduce(top, dist.ReduceOp.MAX, group=self.group)
        return top

    def log_summed(self, logs: Tensor) -> Tensor:
        """log sum e^x over the ranks; -inf where all are."""
        top = self.largest(logs)
        top = torch.where(top.isfinite(), top, 0.0)  # inf - inf would be NaN
        total = self.summed((logs - top).exp())
        some = total != 0
        return torch.where(some, torch.where(some, total, 1.0).log() + top, -inf)

    def gathered(self, x: Tensor, sizes: Sequence[int]) -> Tensor:
        """The rows of all ranks, one rank after another."""
        return _Gather.apply(x, self, tuple(sizes))

    def replicated(self, x: Tensor) -> Tensor:
        """x, which every rank holds; its gradient is the mean over the ranks."""
        return _Mean.apply(x, self)

    def held_apart(self, x: Tensor) -> Tensor:
        """x, of which every rank holds another part; its gradient is divided by the number of ranks."""
        return _Share.apply(x, self)

    def part(self, length: int) -> slice:
        """Which of `length` rows this rank holds, where they are dealt out evenly, the first ranks holding one more."""
        each, more = divmod(length, self.size)
        start = self.rank * each + min(self.rank, more)
        return slice(start, start + each + (self.rank < more))

    @contextmanager
    def agreeing(self, caller: str, *said: object) -> Iterator[None]:
        """Run what may refuse the arguments; then all ranks go on, if all may, and if they said the same."""
        mark = crc32(repr(said).encode())
        try:
            yield
        except Exception:
            _told(self, [0, mark])
            raise
        told = _told(self, [1, mark])
        refused = [rank for rank, (fine, _) in enumerate(told.tolist()) if not fine]
        if refused:
            why = "all ranks stop, so that none waits for the others"
            raise RankError(message(f"{caller}: another rank refused its arguments", {"ranks": refused}, why))
        others = [rank for rank, (_, theirs) in enumerate(told.tolist()) if theirs != mark]
        if others:
            given = {f"rank {self.rank}": ", ".join(map(str, said)), "others": f"ranks {others}"}
            why = "they would exchange arrays that do not fit, or add up different losses"
            raise RankError(message(f"{caller}: every rank must have the same settings, dtypes and widths", given, why))


def ranks_of(caller: str, group: Any) -> Ranks:
    """The ranks of a process group; True stands for the group of all processes."""
    if not (dist.is_available() and dist.is_initialized()):
        why = "there are no other processes to share a batch with"
        fix = "torch.distributed.init_process_group first, or group=None"
        raise SettingError(message(f"{caller}: group needs torch.distributed to be set up", {"group": group}, why, fix))
    group = dist.group.WORLD if group is True else group
    if not isinstance(group, dist.ProcessGroup):
        fix = "True for all processes, or what torch.distributed.new_group returned on its members"
        raise SettingError(
            message(f"{caller}: group must be a process group that this rank is in", {"group": repr(group)}, fix=fix)
        )
    return Ranks(group, dist.get_rank(group), dist.get_world_size(group))


def _told(ranks: Ranks, words: list[int], device: torch.device | None = None) -> Tensor:
    """What every rank says, (ranks, words); on the device that the group talks through."""
    if device is None:
        nccl = "nccl" in dist.get_backend(ranks.group)
        device = torch.device("cuda", torch.cuda.current_device()) if nccl else torch.device("cpu")
    own = torch.tensor([words], device=device)
    return _gathered(own, ranks, (1,) * ranks.size)


def _gathered(x: Tensor, ranks: Ranks, sizes: tuple[int, ...]) -> Tensor:
    longest = max(sizes)
    if longest == 0:
        return x.clone()
    whole = x.new_empty(ranks.size * longest, *x.shape[1:])
    gather = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor  # its name before torch 2.13
    gather(whole, _padded(x.detach().contiguous(), longest), group=ranks.group)
    if min(sizes) == longest:
        return whole
    return torch.cat([part[:size] for part, size in zip(whole.split(longest), sizes, strict=True)])


def _scattered(x: Tensor, ranks: Ranks, sizes: tuple[int, ...]) -> Tensor:
    """The sum over the ranks of the rows that belong to this one."""
    longest = max(sizes)
    if longest == 0:
        return x.clone()
    if min(sizes) < longest:
        x = torch.cat([_padded(part, longest) for part in x.split(sizes)])
    own = x.new_empty(longest, *x.shape[1:])
    scatter = getattr(dist, "reduce_scatter_single", None) or dist.reduce_scatter_tensor
    scatter(own, x.detach().contiguous(), group=ranks.group)
    return own[: sizes[ranks.rank]]


def _padded(x: Tensor, length: int) -> Tensor:
    return x if len(x) == length else torch.cat([x, x.new_zeros(length - len(x), *x.shape[1:])])


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        total = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total, group=ranks.group)
        return total

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        return _Sum.apply(slopes[0], ctx.ranks), None


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, ranks: Ranks, sizes: tuple[int, ...]) -> Tensor:
        ctx.ranks, ctx.sizes = ranks, sizes
        return _gathered(x, ranks, sizes)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None, None]:
        return _Scatter.apply(slopes[0], ctx.ranks, ctx.sizes), None, None


class _Scatter(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, ranks: Ranks, sizes: tuple[int, ...]) -> Tensor:
        ctx.ranks, ctx.sizes = ranks, sizes
        return _scattered(x, ranks, sizes)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None, None]:
        return _Gather.apply(slopes[0], ctx.ranks, ctx.sizes), None, None


class _Mean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        return _Sum.apply(slopes[0], ctx.ranks) / ctx.ranks.size, None


class _Share(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, ranks: Ranks) -> Tensor:
        ctx.size = ranks.size
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        return slopes[0] / ctx.size, None
