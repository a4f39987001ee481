"""Which pairs of rows and columns a kernel looks at, and in which pieces.

A rule says which pairs belong to a row's sum: all, those of the same label or of another, all but one a row, all but
the row itself, or a block of booleans. It answers for a tile at a time: whether any pair in it belongs, so that a tile
without one is not even multiplied, and which entries do not. Only labels that are data are read, once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Rule(Protocol):
    """Which pairs belong to the sums. Its tensors are constant to differentiation."""

    def split(self, rows: Sequence[slice], columns: Sequence[slice]) -> "Tiled": ...


class Tiled(Protocol):
    """A rule, cut into tiles."""

    def some(self, i: int, j: int) -> bool:
        """Whether a pair of tile (i, j) may belong."""
        ...

    def leave(self, tile: Tensor, i: int, j: int, value: float) -> Tensor:
        """The tile (i, j), in place, with this value where a pair does not belong."""
        ...


@dataclass(frozen=True)
class All:
    """Every pair."""

    def split(self, rows: Sequence[slice], columns: Sequence[slice]) -> Tiled:
        return self

    def some(self, i: int, j: int) -> bool:
        return True

    def leave(self, tile: Tensor, i: int, j: int, value: float) -> Tensor:
        return tile


@dataclass(frozen=True)
class Explicit:
    """The pairs that are True in `chosen`, (N, M)."""

    chosen: Tensor

    def split(self, rows: Sequence[slice], columns: Sequence[slice]) -> Tiled:
        return _Masks(lambda i, j: self.chosen[rows[i], columns[j]])


@dataclass(frozen=True)
class Others:
    """Every pair but those of one sample: row i and column j with the same remainder of `period`.

    Of one batch as both sides it leaves itself out; of two views of N samples, one after the other, both of them.
    None is longer than any batch.
    """

    period: int | None = None

    def split(self, rows: Sequence[slice], columns: Sequence[slice]) -> Tiled:
        return _Diagonals(rows, columns, self.period)


@dataclass(frozen=True)
class AllBut:
    """Every pair but one a row: `column`, (N,), of which each is a column."""

    column: Tensor

    def split(self, rows: Sequence[slice], columns: Sequence[slice]) -> Tiled:
        return _Struck(rows, columns, self.column)


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
        return _Labels(rows, columns, self)


@dataclass(frozen=True)
class Both:
    """The pairs that two rules choose."""

    one: Rule
    other: Rule

    def split(self, rows: Sequence[slice], columns: Sequence[slice]) -> Tiled:
        return _Both(self.one.split(rows, columns), self.other.split(rows, columns))


@dataclass(frozen=True)
class _Both:
    one: Tiled
    other: Tiled

    def some(self, i: int, j: int) -> bool:
        return self.one.some(i, j) and self.other.some(i, j)

    def leave(self, tile: Tensor, i: int, j: int, value: float) -> Tensor:
        return self.other.leave(self.one.leave(tile, i, j, value), i, j, value)


@dataclass(frozen=True)
class _Masks:
    chosen: Callable[[int, int], Tensor]

    def some(self, i: int, j: int) -> bool:
        return True

    def leave(self, tile: Tensor, i: int, j: int, value: float) -> Tensor:
        return tile.masked_fill_(~self.chosen(i, j), value)


@dataclass(frozen=True)
class _Diagonals:
    rows: Sequence[slice]
    columns: Sequence[slice]
    period: int | None

    def some(self, i: int, j: int) -> bool:
        return True

    def leave(self, tile: Tensor, i: int, j: int, value: float) -> Tensor:
        height, width = tile.shape
        first = self.rows[i].start - self.columns[j].start  # the diagonal of the same numbers; others lie periods apart
        period = self.period or height + width + abs(first)
        for place in range(first - (first + height - 1) // period * period, width, period):
            tile.diagonal(place).fill_(value)
        return tile


@dataclass(frozen=True)
class _Struck:
    rows: Sequence[slice]
    columns: Sequence[slice]
    column: Tensor

    def some(self, i: int, j: int) -> bool:
        return True

    def leave(self, tile: Tensor, i: int, j: int, value: float) -> Tensor:
        place = self.column[self.rows[i], None] - self.columns[j].start
        inside = (place >= 0) & (place < tile.shape[1])
        place = place.clamp(0, tile.shape[1] - 1)
        return tile.scatter_(1, place, torch.where(inside, value, tile.gather(1, place)))


class _Labels:
    def __init__(self, rows: Sequence[slice], columns: Sequence[slice], rule: Labelled) -> None:
        self.rows, self.columns, self.rule = rows, columns, rule
        self.of_rows, self.of_columns = _ranges(rule.rows, rows), _ranges(rule.columns, columns)

    def some(self, i: int, j: int) -> bool:
        return not self.rule.same or self._common(i, j)

    def leave(self, tile: Tensor, i: int, j: int, value: float) -> Tensor:
        rule, row, column = self.rule, self.rows[i], self.columns[j]
        if not self._common(i, j):
            tile = tile.fill_(value) if rule.same else tile
        else:
            equal = rule.rows[row, None] == rule.columns[None, column]
            tile.masked_fill_(~equal if rule.same else equal, value)
        shift = row.start - column.start
        if not rule.itself and -tile.shape[0] < shift < tile.shape[1]:
            tile.diagonal(shift).fill_(value)
        return tile

    def _common(self, i: int, j: int) -> bool:
        """Whether the labels of the rows and of the columns overlap."""
        one, other = self.of_rows[i], self.of_columns[j]
        return one[1] >= other[0] and other[1] >= one[0]


def pieces(length: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]


def _ranges(labels: Tensor, parts: Sequence[slice]) -> list[list[int]]:
    """The smallest and the largest label of each piece, read from the device once."""
    if not parts:
        return []
    return torch.stack([torch.stack(labels[part].aminmax()) for part in parts]).tolist()
