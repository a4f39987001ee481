"""The operations on torch tensors, with a sum of everything taken over all ranks: what reduces the values of a batch
that several processes share to one total."""

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

    def sum(self, x: Tensor, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
        part = here.sum(x, axis=axis, keepdims=keepdims)
        return self.ranks.summed(part) if axis is None else part

    def size(self, x: Tensor) -> Tensor:
        return self.ranks.summed(torch.tensor(float(x.numel()), dtype=x.dtype, device=x.device))

    def count_nonzero(self, x: Tensor, like: Tensor) -> Tensor:
        return self.ranks.summed(here.count_nonzero(x, like))
