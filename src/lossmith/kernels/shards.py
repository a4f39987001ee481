"""Class vectors that are dealt out to several processes: every rank compares all rows with its own classes.

    log sum_{c != y} e^(t_c)    the log-sum over the classes of a rank, then over the ranks
    t_y                         from the rank that has the class y; the others add 0

What is exchanged is the rows, and a few numbers for each of them: no rank ever has the classes of another.

Partial FC (`sample_rate` below 1) compares with the classes that some row of the batch has and with others drawn
without replacement, so many that a share of `sample_rate` of the classes of a rank takes part.
Source     An et al. 2020, https://arxiv.org/abs/2010.05222
Judge      `WHOLE` on the classes of all ranks; of a sample, `WHOLE` on the classes that were drawn
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, nan
from typing import Any

import torch
from torch import Tensor

from lossmith.kernels.ranks import Ranks


@dataclass(frozen=True)
class Shard:
    """The classes that are here: `number` in all, those here from `first` on; without ranks all are.

    sizes         how many rows each rank has
    sample_rate   the share of the classes that takes part
    """

    number: int | None = None
    first: int = 0
    ranks: Ranks | None = None
    sizes: Sequence[int] = ()
    sample_rate: float = 1.0

    def rows(self, u: Tensor, target: Tensor, classes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The rows of all ranks, where the class of each is among those here, and the classes that take part.

        A class that is not here is at -1, or behind the last.
        """
        if self.ranks is not None:
            wide = u.to(torch.promote_types(u.dtype, torch.float32))  # their gradient is added up over the ranks
            u = self.ranks.gathered(wide.reshape(-1, u.shape[-1]), self.sizes)
            target = self.ranks.gathered(target.reshape(-1), self.sizes) - self.first
        if self.sample_rate >= 1.0:
            return u, target, classes
        chosen = sampled(target, len(classes), self.sample_rate)
        place = target.new_full((len(classes) + 1,), -1)  # the last one is that of all classes which are not here
        place[chosen] = torch.arange(len(chosen), device=place.device)
        return u, place[torch.where(known(target, classes), target, len(classes))], classes[chosen]

    def cost(self, ops: Any, rivals: Tensor, own: Tensor, target: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        """-log p of the class of each row, and its logit; NaN where the class does not exist."""
        rivals, there = rivals.reshape(own.shape), known(target, classes)
        if self.ranks is not None:
            rivals = self.ranks.log_summed(rivals)
            own = self.ranks.summed(torch.where(there, own, 0.0))
            there = self.ranks.summed(there.to(own.dtype)) > 0
        return torch.where(there, ops.softplus(rivals - own), nan), own

    def mean(self, total: Tensor, classes: Tensor) -> Tensor:
        """The mean over all classes, out of the sum over those here."""
        return (total if self.ranks is None else self.ranks.summed(total)) / (self.number or len(classes))

    def back(self, values: Tensor, target: Tensor) -> Tensor:
        """The values of the rows of this rank, in the shape of its labels."""
        own = values if self.ranks is None else values.split(list(self.sizes))[self.ranks.rank]
        return own.reshape(target.shape)


WHOLE = Shard()


def known(target: Tensor, classes: Tensor) -> Tensor:
    return (target >= 0) & (target < len(classes))


def sampled(target: Tensor, count: int, rate: float) -> Tensor:
    """Which of `count` classes take part: those of the rows, and others up to a share of `rate`; sorted."""
    order = torch.rand(count, device=target.device)
    here = target[(target >= 0) & (target < count)]
    order[here] = 2.0
    present = int((order > 1.0).sum())
    return order.topk(max(ceil(rate * count), present)).indices.sort().values
