"""The rows of one process against the columns of the whole batch: alone, gathered, or passed round a ring.

    Alone     the batch is here
    Gathered  every rank holds the columns of all ranks: one all-gather, and one reduce-scatter in the backward
    Ring      the columns of a rank go from one rank to the next until all have seen them; a rank holds its own, the
              ones it looks at, and the next, which arrive meanwhile. In the backward they go round once more, and
              their gradient with them

What travels with a column are its tags, integers by which a rule chooses the pairs: its sample, and its label.
The log-sum of a column over all rows is combined from what each rank has of it.

Judge     `Alone` on the whole batch
"""

from collections.abc import Callable
from math import inf
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from lossmith.kernels import pair_sums, pairs
from lossmith.kernels.ranks import Ranks
from lossmith.kernels.ring import LogSum, SoftplusSum, ring_sums
from lossmith.kernels.tiles import Rule

Exchange = Literal["gather", "ring"]
Chooses = Callable[[Tensor, Tensor], Rule]  # a rule for the tags of rows (n, T) and of columns (m, T)


class Batch(Protocol):
    """Sums of the rows here over the columns of the whole batch."""

    def samples(self, like: Tensor) -> Tensor:
        """A number for each sample that is here, (n,), which no other sample of the batch has."""
        ...

    def log_sum(
        self,
        u: Tensor,
        v: Tensor,
        chooses: Chooses,
        tags: Tensor,
        *,
        largest: float = inf,
        both: bool = False,
        narrow: torch.dtype | None = None,
    ) -> Any:
        """`pairs.log_sum`, of rows and columns with these tags; with `both` also of the columns that are here."""
        ...

    def softplus_sum(
        self,
        u: Tensor,
        v: Tensor,
        chooses: Chooses,
        tags: Tensor,
        *,
        shift: Tensor,
        narrow: torch.dtype | None = None,
    ) -> Tensor:
        """`pair_sums.softplus_sum` with one shift for all pairs."""
        ...

    def of_class(self, z: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """The sum of the rows of z with the label of each row, over the batch, and how many they are."""
        ...


class Alone:
    """One process that has the whole batch."""

    def samples(self, like: Tensor) -> Tensor:
        return torch.arange(len(like), device=like.device)

    def log_sum(
        self,
        u: Tensor,
        v: Tensor,
        chooses: Chooses,
        tags: Tensor,
        *,
        largest: float = inf,
        both: bool = False,
        narrow: torch.dtype | None = None,
    ) -> Any:
        rule = chooses(tags, tags)
        return pairs.log_sum(u, None if v is u else v, rule=rule, largest=largest, both=both, narrow=narrow)

    def softplus_sum(
        self,
        u: Tensor,
        v: Tensor,
        chooses: Chooses,
        tags: Tensor,
        *,
        shift: Tensor,
        narrow: torch.dtype | None = None,
    ) -> Tensor:
        return pair_sums.softplus_sum(u, v, rule=chooses(tags, tags), bias=shift.expand(len(v)), narrow=narrow)

    def of_class(self, z: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        classes, place, size = label.unique(return_inverse=True, return_counts=True)
        return z.new_zeros(len(classes), z.shape[1]).index_add(0, place, z)[place], size[place]


ALONE = Alone()


class _Shared:
    """What both forms of exchange have in common: they know how many samples each rank has."""

    def __init__(self, ranks: Ranks) -> None:
        self.ranks = ranks

    def samples(self, like: Tensor) -> Tensor:
        return torch.arange(len(like), device=like.device) + sum(self.ranks.sizes(len(like), like)[: self.ranks.rank])

    def of_class(self, z: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        everyones = self.ranks.gathered(label, self.ranks.sizes(len(label), label))
        classes, size = everyones.unique(return_counts=True)
        place = torch.searchsorted(classes, label)
        sums = self.ranks.summed(z.new_zeros(len(classes), z.shape[1]).index_add(0, place, z))
        return sums[place], size[place]


class Gathered(_Shared):
    """Every rank holds all columns."""

    def log_sum(
        self,
        u: Tensor,
        v: Tensor,
        chooses: Chooses,
        tags: Tensor,
        *,
        largest: float = inf,
        both: bool = False,
        narrow: torch.dtype | None = None,
    ) -> Any:
        columns, everyones, sizes = self._all(v, tags)
        rule = chooses(tags, everyones)
        made = pairs.log_sum(u, columns, rule=rule, largest=largest, both=both, narrow=narrow)
        if not both:
            return made
        return made[0], self.ranks.log_summed(made[1]).split(sizes)[self.ranks.rank]

    def softplus_sum(
        self,
        u: Tensor,
        v: Tensor,
        chooses: Chooses,
        tags: Tensor,
        *,
        shift: Tensor,
        narrow: torch.dtype | None = None,
    ) -> Tensor:
        columns, everyones, _ = self._all(v, tags)
        rule = chooses(tags, everyones)
        return pair_sums.softplus_sum(u, columns, rule=rule, bias=shift.expand(len(columns)), narrow=narrow)

    def _all(self, v: Tensor, tags: Tensor) -> tuple[Tensor, Tensor, list[int]]:
        sizes = self.ranks.sizes(len(v), v)
        return self.ranks.gathered(v, sizes), self.ranks.gathered(tags, sizes), sizes


class Ring(_Shared):
    """Every rank sees the columns of one rank at a time."""

    def log_sum(
        self,
        u: Tensor,
        v: Tensor,
        chooses: Chooses,
        tags: Tensor,
        *,
        largest: float = inf,
        both: bool = False,
        narrow: torch.dtype | None = None,
    ) -> Any:
        rows, columns = ring_sums(self.ranks, u, v, tags, LogSum(chooses, largest, both, narrow))
        return (rows, columns) if both else rows

    def softplus_sum(
        self,
        u: Tensor,
        v: Tensor,
        chooses: Chooses,
        tags: Tensor,
        *,
        shift: Tensor,
        narrow: torch.dtype | None = None,
    ) -> Tensor:
        # the shift is one more coordinate: u . v + shift = (u, shift) . (v, 1)
        u, v = torch.cat([u, shift.expand(len(u), 1)], -1), torch.cat([v, v.new_ones(len(v), 1)], -1)
        return ring_sums(self.ranks, u, v, tags, SoftplusSum(chooses, narrow))[0]


def batch_over(ranks: Ranks, exchange: Exchange) -> Batch:
    return Gathered(ranks) if exchange == "gather" else Ring(ranks)
