"""Which pairs of rows and columns a kernel looks at, and in which pieces.

A rule says which pairs belong to a row's sum: all, those of the same label, those of another, or a block of booleans.
"All but itself" is "another label" where every row has a label of its own. A rule answers for a tile at a time, with
True or False where one word holds for the whole tile, so that most tiles of sorted labels need no mask at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

ON_CPU = (512, 512)  # a tile of float32 and its neighbour fit the second cache of a core
ELSEWHERE = (4096, 4096)


class Rule(Protocol):
    """Which pairs belong to the sums. Its tensors are constant to differentiation."""

    def split(self, rows: Sequence[slice], columns: Sequence[slice]) -> "Tiled": ...


class Tiled(Protocol):
    """A rule, cut into tiles."""

    def __call__(self, i: int, j: int) -> Tensor | bool:
        """The pairs of tile (i, j) that belong: all, none, or booleans."""
        ...


@dataclass(frozen=True)
class All:
    """Every pair."""

    def split(self, rows: Sequence[slice], columns: Sequence[slice]) -> Tiled:
        return lambda i, j: True


@dataclass(frozen=True)
class Explicit:
    """The pairs that are True in `chosen`, (N, M)."""

    chosen: Tensor

    def split(self, rows: Sequence[slice], columns: Sequence[slice]) -> Tiled:
        return lambda i, j: self.chosen[rows[i], columns[j]]


@dataclass(frozen=True)
class Labelled:
    """Pairs of the same label, or of different ones. `rows`: (N,), `columns`: (M,), integers.

    itself   False: row i and column i do not belong, whatever their labels
    """

    rows: Tensor
    columns: Tensor
    same: bool
    itself: bool = True

    def split(self, rows: Sequence[slice], columns: Sequence[slice]) -> Tiled:
        left, right = self.rows, self.columns
        if min(left.numel(), right.numel()) == 0:
            return lambda i, j: False
        low, high = _ranges(left, rows), _ranges(right, columns)

        def chosen(i: int, j: int) -> Tensor | bool:
            if low[i][1] < high[j][0] or high[j][1] < low[i][0]:  # no label in common
                return not self.same
            equal = left[rows[i], None] == right[None, columns[j]]
            return self._without_itself(equal if self.same else ~equal, rows[i].start, columns[j].start)

        return chosen

    def _without_itself(self, chosen: Tensor, row: int, column: int) -> Tensor:
        shift = row - column
        if not self.itself and -chosen.shape[0] < shift < chosen.shape[1]:
            chosen.diagonal(shift).fill_(False)
        return chosen


@dataclass(frozen=True)
class Both:
    """The pairs that two rules choose."""

    one: Rule
    other: Rule

    def split(self, rows: Sequence[slice], columns: Sequence[slice]) -> Tiled:
        first, second = self.one.split(rows, columns), self.other.split(rows, columns)

        def chosen(i: int, j: int) -> Tensor | bool:
            here = first(i, j)
            if here is False:
                return False
            there = second(i, j)
            return here & there if isinstance(there, Tensor) and here is not True else here if there is True else there

        return chosen


def own_labels(count: int, like: Tensor) -> Tensor:
    """0, 1, 2, ...: a label of its own for each row."""
    return torch.arange(count, device=like.device)


def pieces(length: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]


def tile_shape(x: Tensor) -> tuple[int, int]:
    """How many rows and columns a tile has on the device of x."""
    return ON_CPU if x.device.type == "cpu" else ELSEWHERE


def _ranges(labels: Tensor, parts: Sequence[slice]) -> list[list[int]]:
    """The smallest and the largest label of each piece, read from the device once."""
    return torch.stack([torch.stack(labels[part].aminmax()) for part in parts]).tolist()
