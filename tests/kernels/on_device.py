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


def wide_product(out: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """As a CUDA device multiplies half precision: exactly, and added up in float32."""
    return torch.mm(left.to(out.dtype), right.to(out.dtype), out=out)


def multiply_in_half(monkeypatch: Any, devices: Any) -> None:
    """Let this device multiply tiles in half precision, as CUDA devices do."""
    monkeypatch.setattr(devices, "_multiplies", lambda device, dtype: True)
    if DEVICE == "cpu":
        monkeypatch.setattr(devices, "_half_product", wide_product)
