"""Where these tests run: LOSSMITH_TEST_DEVICE=cuda runs them on that device.

Numbers are drawn on the CPU and moved, so that they are the same everywhere.
"""

import os
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

DEVICE = os.environ.get("LOSSMITH_TEST_DEVICE", "cpu")


def here(x: Any) -> Any:
    """A tensor, or a module, on the device."""
    return x.to(DEVICE)


def all_here(arrays: Iterable[Tensor]) -> tuple[Tensor, ...]:
    return tuple(here(array) for array in arrays)


def randn(*shape: int, seed: int = 0) -> Tensor:
    """Normal numbers in float64."""
    g = torch.Generator().manual_seed(seed)
    return here(torch.randn(*shape, generator=g, dtype=torch.float64, device="cpu"))


def randint(end: int, *shape: int, seed: int = 0) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return here(torch.randint(0, end, shape, generator=g, device="cpu"))
