"""The operations on torch tensors of which each rank holds some rows: `across` adds up what the ranks have.

A formula whose samples or pixels interact by sums alone, such as a Dice loss of the batch, is read with it as it is
written. A sum of everything is over all ranks too: that reduces the values of their rows to one total.
"""

from typing import Any

import torch
from torch import Tensor

from lossmith.kernels.ranks import Ranks
from lossmith.ops import torch as here


class WholeBatch:
    """A reader of `lossmith.ops` for arrays of which each rank holds some rows."""

    def __init__(self, ranks: Ranks) -> None:
        self.ranks = ranks

    def __getattr__(self, name: str) -> Any:
        return getattr(here, name)

    def across(self, x: Tensor) -> Tensor:
        return self.ranks.summed(x)

    def across_max(self, x: Tensor) -> Tensor:
        return self.ranks.largest(x)

    def sum(self, x: Tensor, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
        part = here.sum(x, axis=axis, keepdims=keepdims)
        return self.ranks.summed(part) if axis is None else part

    def size(self, x: Tensor) -> Tensor:
        return self.ranks.summed(torch.tensor(float(x.numel()), dtype=x.dtype, device=x.device))

    def count_nonzero(self, x: Tensor, like: Tensor) -> Tensor:
        return self.ranks.summed(here.count_nonzero(x, like))
