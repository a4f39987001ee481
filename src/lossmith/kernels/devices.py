"""What suits a device: how large the tiles are, and in which dtype they are multiplied. Nothing else asks for these.

Tiles      on a CPU those that stay in the second cache of a core with what is multiplied; elsewhere as many entries as
           keep the device busy, at most a sixteenth of the memory that is free
Products   of float16 and bfloat16 tensors, and of float32 under autocast, in that dtype where the device multiplies it
           faster than float32, and add up in float32. A processor without such instructions is 10 to 16 times slower
           in bfloat16 (measured: 2 against 30 GFLOP/s under AVX2), so there the product is one of float32
"""

from functools import lru_cache

import torch
from torch import Tensor

from lossmith.ops.torch import under_autocast

ON_CPU = (512, 1024)  # of a batch with itself (512, 512)
ENTRIES = 2**26  # of a tile elsewhere, at most: 256 MiB of float32, and 128 MiB of weights in half precision
TILES: dict[str, tuple[int, int]] = {}  # rows and columns by type of device, in place of what follows

_HALF = (torch.bfloat16, torch.float16)
_WIDE_RESULT = "dtype_out" in torch.ops.aten.mm.overloads()  # torch 2.8 and later


def tile_shape(x: Tensor, rows: int, columns: int, *, symmetric: bool = False) -> tuple[int, int]:
    """How many rows and columns a tile of a matrix of similarities has on the device of x, powers of two.

    Few rows give wide tiles. A symmetric matrix has square ones, some of them off its diagonal to be computed once.
    """
    kind = x.device.type
    if kind in TILES or kind == "cpu":
        height, width = TILES.get(kind, ON_CPU)
        return height, height if symmetric else width
    wide = torch.promote_types(x.dtype, torch.float32).itemsize
    entries = min(ENTRIES, max(2**16, _free_bytes(x.device) // (16 * wide)))
    power = entries.bit_length() - 1
    side = power // 2
    if symmetric:
        side = max(min(side, 11), min(side, _power(rows) - 1))
        return 2**side, 2**side
    side = min(side, _power(rows))
    return 2**side, 2 ** min(power - side, _power(columns))


def _power(count: int) -> int:
    """The smallest power of two that is not smaller: its exponent."""
    return max(count - 1, 0).bit_length()


def product_dtype(x: Tensor) -> torch.dtype | None:
    """The half precision that products with x are taken in; None: they are float32, or wider."""
    kind = x.device.type
    asked = x.dtype
    if asked == torch.float32 and under_autocast(kind):
        asked = torch.get_autocast_dtype(kind)
    return asked if asked in _HALF and _multiplies(x.device, asked) else None


def product(out: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """left @ right in `out`, which may be wider: then sums are float32, and so is the result where the device can."""
    return torch.mm(left, right, out=out) if left.dtype == out.dtype else _half_product(out, left, right)


def add_product(out: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """left @ right added to `out`, which may be wider."""
    if left.dtype == out.dtype:
        return out.addmm_(left, right)
    return out.add_(product(torch.empty_like(out), left, right))


def _half_product(out: Tensor, left: Tensor, right: Tensor) -> Tensor:
    if _WIDE_RESULT and left.device.type == "cuda":
        return torch.mm(left, right, out_dtype=out.dtype, out=out)
    return out.copy_(torch.mm(left, right))


@lru_cache
def _multiplies(device: torch.device, dtype: torch.dtype) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= ((8, 0) if dtype == torch.bfloat16 else (7, 0))
    able = getattr(torch.cpu, "get_capabilities", dict)() if device.type == "cpu" else {}
    return dtype == torch.bfloat16 and any(able.get(name, False) for name in ("avx512_bf16", "amx_bf16"))


def _free_bytes(device: torch.device) -> int:
    if device.type != "cuda":
        return 2**32
    cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + cached
