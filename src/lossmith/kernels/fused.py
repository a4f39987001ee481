"""One pass over a tile in place of a chain of operations: Triton kernels between the matrix products.

    forward    tile of products -> sums of its rows, of its columns, of t         read once
    backward   tile of products -> weights in the dtype of products               read once, written once

The products stay the device's own. The kernels serve the log-sum of at least `LEAST` pairs, in float32 tiles, on a
CUDA device where Triton runs, under the rules of `_keys` and no transform but `Cap`; for anything else, and with
LOSSMITH_TRITON=0 in the environment, `fused_passes` gives None and the chain of operations does the same.

Why       only there do they win 1.2x and more over the chain (`docs/gpu.md`): below, starting kernels takes the time
Numerics  as the chain; the soft-cap and e^t are off by a few eps of 1 and of |t|
Judge     that chain, and the whole matrix, in `tests/kernels/test_fused.py`
"""

import contextlib
import os
import warnings
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from lossmith.kernels.tiles import All, AllBut, Labelled, Others, Rule
from lossmith.kernels.transforms import Cap

if TYPE_CHECKING:
    from lossmith.kernels.pairs import Weights
    from lossmith.kernels.walk import Walk

LEAST = 2**28  # pairs
BLOCK = (32, 128)  # rows and columns of a program
WARPS = 4


class Keys(NamedTuple):
    """A rule as numbers of rows, (N,), and of columns, (M,): pairs of the same number belong, or of different ones."""

    rows: Tensor | None = None
    columns: Tensor | None = None
    same: bool = False
    itself: bool = True  # whether row i and column i may


class Parts(NamedTuple):
    """What is to be summed over the first axis: (parts, rows) or (parts, columns); None where it was not asked for."""

    rows: Tensor
    columns: Tensor | None = None
    totals: Tensor | None = None


def fused_passes(walk: "Walk") -> "Passes | None":
    """The kernels for the tiles of this walk, None where they do not serve."""
    transform = walk.problem.transform
    if walk.wide != torch.float32 or len(walk.u) * len(walk.v) < LEAST:
        return None
    if not (transform is None or isinstance(transform, Cap)) or not available(walk.u.device):
        return None
    keys = _keys(walk.problem.rule, len(walk.u), len(walk.v), walk.u.device)
    return None if keys is None else Passes(walk, keys)


def available(device: torch.device) -> bool:
    """Whether Triton's kernels run on this device; its interpreter (TRITON_INTERPRET=1) runs on a CPU."""
    wanted = "1" if device.type == "cuda" else "0"
    if os.environ.get("LOSSMITH_TRITON", "1") == "0" or os.environ.get("TRITON_INTERPRET", wanted) != "1":
        return False
    return device.type in ("cuda", "cpu") and find_spec("triton") is not None and _tried(device)


@lru_cache
def _tried(device: torch.device) -> bool:
    """Whether a kernel runs there: Triton wants a compiler of C at hand, and does not know every device."""
    numbers = torch.zeros(1, 1, device=device)
    sides = *(numbers[0], numbers[0]), None, None, None, numbers, None
    try:
        _launch("weigh_block", numbers, (None, None, None, None), sides, Keys(), 0, None)
    except Exception as error:  # whatever it is, there is another path
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        warnings.warn(f"Triton does not run on {device} ({reason}); losses of pairs take more time there", stacklevel=2)
        return False
    return True


def _keys(rule: Rule, rows: int, columns: int, device: torch.device) -> Keys | None:
    def places(count: int) -> Tensor:
        return torch.arange(count, device=device)

    match rule:
        case All():
            return Keys()
        case Others(None):
            return Keys(itself=False)
        case Others(int(period)):
            return Keys(places(rows) % period, places(columns) % period)
        case AllBut(column):
            return Keys(column, places(columns))
        case Labelled(of_rows, of_columns, same, itself):
            return Keys(of_rows, of_columns, same, itself)
        case _:
            return None


class Passes:
    """What is done with the tiles of a walk; `pairs` does it by torch's operations."""

    def __init__(self, walk: "Walk", keys: Keys) -> None:
        self.walk, self.keys = walk, keys
        self._room = walk.u.new_empty(0, dtype=walk.factors)

    def sums(self, i: int, j: int, *, columns: bool = False) -> Parts:
        """Of e^t where t is bounded, their logarithms where not; and of t over all columns where that is wanted."""
        tile = self.walk.products(i, j)
        down, across = _programs(tile)
        of_rows = tile.new_empty(across, tile.shape[0])
        of_columns = tile.new_empty(down, tile.shape[1]) if columns else None
        of_totals = torch.empty_like(of_rows) if self.walk.problem.totals else None
        self._start("sum_block", i, j, tile, of_rows, of_columns, of_totals, BOUNDED=self.walk.bounded)
        return Parts(of_rows, of_columns, of_totals)

    def weights(
        self, i: int, j: int, rows: "Weights", columns: "Weights | None", total: Tensor | None, *, sums: bool
    ) -> tuple[Tensor, Tensor | None]:
        """w_ij of a tile, and their sums over its rows if they are wanted; `total`: (N,), slopes of the totals."""
        row, column = self.walk.rows[i], self.walk.columns[j]
        tile = self.walk.products(i, j)
        out = tile if tile.dtype == self.walk.factors else self._shaped(tile)
        of_columns = tile.new_empty(_programs(tile)[0], tile.shape[1]) if sums else None
        of_each = [_part(rows.slopes, row), _part(rows.logs, row), None, None]
        if columns is not None:
            of_each[2:] = _part(columns.slopes, column), _part(columns.logs, column)
        self._start("weigh_block", i, j, tile, *of_each, _part(total, row), out, of_columns)
        return out, None if of_columns is None else of_columns.sum(0)

    def _shaped(self, tile: Tensor) -> Tensor:
        if self._room.numel() < tile.numel():
            self._room = torch.empty_like(tile, dtype=self.walk.factors)
        return self._room.view(-1)[: tile.numel()].view(tile.shape)

    def _start(self, name: str, i: int, j: int, tile: Tensor, *more: Tensor | None, **flags: bool) -> None:
        walk, keys = self.walk, self.keys
        row, column, problem = walk.rows[i], walk.columns[j], walk.problem
        bias = None if walk.bias is None else walk.bias.detach()
        of_rows, of_columns = _part(keys.rows, row), _part(keys.columns, column)
        of_each = _part(bias, column), _part(problem.above, row), of_rows, of_columns
        cap = problem.transform.cap if isinstance(problem.transform, Cap) else None
        _launch(name, tile, of_each, more, keys, row.start - column.start, cap, **flags)


def _launch(
    name: str,
    tile: Tensor,
    of_each: tuple[Tensor | None, ...],
    more: tuple[Tensor | None, ...],
    keys: Keys,
    shift: int,
    cap: float | None,
    **flags: bool,
) -> None:
    from lossmith.kernels import fused_triton

    down, across = _programs(tile)
    with torch.cuda.device(tile.device) if tile.device.type == "cuda" else contextlib.nullcontext():
        getattr(fused_triton, name)[across, down](
            *(tile, tile.stride(0), *tile.shape, *of_each, shift, 1.0 if cap is None else float(cap), *more),
            **{"SAME": keys.same, "ITSELF": keys.itself, "CAPPED": cap is not None, **flags},
            BI=BLOCK[0],
            BJ=BLOCK[1],
            num_warps=WARPS,
        )


def _programs(tile: Tensor) -> tuple[int, int]:
    """How many lie one under the other, and side by side."""
    return -(-tile.shape[0] // BLOCK[0]), -(-tile.shape[1] // BLOCK[1])


def _part(numbers: Tensor | None, where: slice) -> Tensor | None:
    """Those of some rows or columns, one after the other: a kernel asks for no stride."""
    return None if numbers is None else numbers[where].contiguous()
