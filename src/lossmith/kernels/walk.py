"""A walk over the tiles of a matrix of similarities, and the gradients that are gathered on the way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

import torch
from torch import Tensor

from lossmith.formulas.terms import unit
from lossmith.kernels.tiles import Rule, Tiled, pieces, tile_shape
from lossmith.ops import reader_of

SAFE = {torch.float32: 64.0, torch.float64: 600.0}  # e^64 times 1e9 pairs, and e^-64, are far inside float32


@dataclass(frozen=True)
class Problem:
    """What is summed over what: everything but the tensors that have a gradient.

    rule       the pairs that belong to a row's sum
    largest    a bound on |u_i . v_j|, inf for none
    both       sums of the columns too
    symmetric  v is u
    cap        the soft-cap of the logits
    unit       columns are divided by their length first
    pick       a row of v for each row of u that is wanted besides, as it was given
    totals     sum_j t_ij over all columns besides
    """

    rule: Rule
    largest: float = inf
    both: bool = False
    symmetric: bool = False
    cap: float | None = None
    unit: bool = False
    pick: Tensor | None = None
    totals: bool = False


class Walk:
    """The tiles of a problem: where they lie, their logits, and the pairs in them that belong."""

    def __init__(self, u: Tensor, v: Tensor, bias: Tensor | None, problem: Problem) -> None:
        height, width = tile_shape(u)
        self.u, self.v, self.bias, self.problem = u.detach(), v.detach(), bias, problem
        self.wide = torch.promote_types(u.dtype, torch.float32)
        width = height if problem.symmetric else width
        self.rows, self.columns = pieces(len(u), height), pieces(len(v), width)
        self.chosen: Tiled = problem.rule.split(self.rows, self.columns)
        limit = problem.largest if problem.cap is None else min(problem.largest, abs(problem.cap))
        self.bounded = limit <= SAFE.get(self.wide, 0.0) and (bias is None or problem.cap is not None)
        self.bytes = sum(self._size(i, j) for i, j in self.tiles())
        self._buffer = u.new_empty(min(len(u), height) * min(len(v), width), dtype=self.wide)
        self._column: tuple[int, Tensor] | None = None

    def tiles(self) -> list[tuple[int, int]]:
        """Every tile, one column of tiles after another; of a symmetric problem the upper half."""
        end = (lambda j: j + 1) if self.problem.symmetric else (lambda j: len(self.rows))
        return [(i, j) for j in range(len(self.columns)) for i in range(end(j))]

    def logits(self, i: int, j: int, *, fresh: bool = False) -> Tensor:
        """t of a tile, where the last one was, or in memory of its own."""
        left, right = self.left(i), self.right(j)
        shape = len(left), len(right)
        out = left.new_empty(shape) if fresh else self._buffer[: shape[0] * shape[1]].view(shape)
        torch.mm(left, right.T, out=out)
        if self.bias is not None:
            out += self.bias[self.columns[j]]
        return out if self.problem.cap is None else out.div_(self.problem.cap).tanh_().mul_(self.problem.cap)

    def left(self, i: int) -> Tensor:
        return self.u[self.rows[i]].to(self.wide)

    def right(self, j: int) -> Tensor:
        """The columns of tile j, of length 1 where that is asked for; the last ones are remembered."""
        if self._column is None or self._column[0] != j:
            block = self.v[self.columns[j]].to(self.wide)
            self._column = j, directions(block)[0] if self.problem.unit else block
        return self._column[1]

    def _size(self, i: int, j: int) -> int:
        row, column = self.rows[i], self.columns[j]
        return (row.stop - row.start) * (column.stop - column.start) * self.wide.itemsize


def directions(block: Tensor) -> tuple[Tensor, Tensor]:
    """x / |x| as `formulas.terms.unit` has it, and 1 / |x| as the two factors of the slope, 0 for the zero vector."""
    largest = block.abs().amax(-1, keepdim=True)
    there = largest != 0
    divisor = torch.where(largest.isfinite() & there, largest, 1.0)
    scaled = block / divisor
    inverse = torch.where(there, torch.linalg.vector_norm(scaled, dim=-1, keepdim=True), torch.inf).reciprocal()
    return scaled * inverse, torch.cat([inverse, 1.0 / divisor], -1)


class Gradients:
    """The sums of weight times the other side."""

    def __init__(self, walk: Walk, needed: Sequence[bool]) -> None:
        self.walk = walk
        self.du = torch.zeros_like(walk.u, dtype=walk.wide) if needed[0] else None
        self.dv = torch.zeros_like(walk.v, dtype=walk.wide) if needed[1] and not walk.problem.symmetric else None
        self.db = None if walk.bias is None or not needed[2] else torch.zeros_like(walk.bias, dtype=walk.wide)

    def add(self, i: int, j: int, weight: Tensor) -> None:
        walk = self.walk
        row, column, symmetric = walk.rows[i], walk.columns[j], walk.problem.symmetric
        if self.du is not None:
            self.du[row].addmm_(weight, walk.right(j))
        other = self.du if symmetric and i != j else self.dv
        if other is not None:
            other[column].addmm_(weight.T, walk.left(i))
        if self.db is not None:
            self.db[column] += weight.sum(0)
        if walk.problem.unit and self.dv is not None and i == len(walk.rows) - 1:
            self._through_length(self.dv[column], j)

    def _through_length(self, slope: Tensor, j: int) -> None:
        """The slope by the given columns, out of that by their directions."""
        one, factors = directions(self.walk.v[self.walk.columns[j]].to(self.walk.wide))
        slope -= (slope * one).sum(-1, keepdim=True) * one
        slope *= factors[:, :1]
        slope *= factors[:, 1:]

    def found(self, picked: Tensor | None = None) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """The gradients in the dtypes of what they belong to; `picked` is that of the picked rows."""
        walk = self.walk
        if self.dv is not None and picked is not None and walk.problem.pick is not None:
            self.dv.index_add_(0, walk.problem.pick, picked.to(walk.wide))
        du = None if self.du is None else self.du.to(walk.u.dtype)
        dv = None if self.dv is None else self.dv.to(walk.v.dtype)
        db = None if self.db is None or walk.bias is None else self.db.to(walk.bias.dtype)
        return du, dv, db


def none_outside(tile: Tensor, chosen: Tensor | bool, value: float) -> Tensor:
    return tile if chosen is True else tile.fill_(value) if chosen is False else tile.masked_fill_(~chosen, value)


def logits(u: Tensor, v: Tensor, bias: Tensor | None, problem: Problem) -> tuple[Tensor, Tensor]:
    """The whole matrix t, and the pairs in it that belong."""
    x, y = u.to(torch.promote_types(u.dtype, torch.float32)), v.to(torch.promote_types(v.dtype, torch.float32))
    x = x @ (unit(reader_of(y), y) if problem.unit else y).T
    x = x if bias is None else x + bias
    x = x if problem.cap is None else problem.cap * torch.tanh(x / problem.cap)
    chosen = problem.rule.split([slice(0, len(u))], [slice(0, len(v))])(0, 0)
    return x, torch.as_tensor(chosen, device=x.device).expand(x.shape)


def differentiable(
    dense: Callable[..., Sequence[Tensor]],
    given: tuple[Tensor, Tensor, Tensor | None],
    problem: Problem,
    slopes: Sequence[Tensor | None],
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """The gradient as a function of everything, the upstream gradient included, that can be differentiated again."""
    u, v, bias = given
    sides = [u, None if problem.symmetric else v, bias]
    with torch.enable_grad():
        outcome = dense(u, u if problem.symmetric else v, bias, problem)
        pairs = [(out, slope) for out, slope in zip(outcome, slopes, strict=True)]
        pairs = [(out, slope) for out, slope in pairs if slope is not None and out.requires_grad]
        outputs, upstream = [out for out, _ in pairs], [slope for _, slope in pairs]
        wanted = [x for x, need in zip(sides, needed, strict=False) if need and x is not None]
        found = iter(torch.autograd.grad(outputs, wanted, upstream, create_graph=True, allow_unused=True))
    return [next(found) if need and x is not None else None for x, need in zip(sides, needed, strict=False)]
