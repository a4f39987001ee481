"""A walk over the tiles of a matrix of similarities, and the gradients that are gathered on the way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

import torch
from torch import Tensor

from lossmith.formulas.terms import unit
from lossmith.kernels.devices import add_product, product, tile_shape
from lossmith.kernels.tiles import Rule, Tiled, pieces
from lossmith.kernels.transforms import Transform
from lossmith.ops import reader_of

SAFE = {torch.float32: 64.0, torch.float64: 600.0}  # e^64 times 1e9 pairs, and e^-64, are far inside float32


@dataclass(frozen=True)
class Problem:
    """What is summed over what: everything but the tensors that have a gradient.

    rule       the pairs that belong to a row's sum
    largest    a bound on |u_i . v_j|, inf for none
    both       sums of the columns too
    symmetric  v is u
    transform  what is made of u_i . v_j + b_j, None for nothing
    above      a number for each row: pairs whose t is not larger do not belong
    unit       columns are divided by their length first
    pick       a row of v for each row of u that is wanted besides, as it was given
    totals     sum_j t_ij over all columns besides
    narrow     the dtype in which tiles are multiplied, None for float32 or wider
    """

    rule: Rule
    largest: float = inf
    both: bool = False
    symmetric: bool = False
    transform: Transform | None = None
    above: Tensor | None = None
    unit: bool = False
    pick: Tensor | None = None
    totals: bool = False
    narrow: torch.dtype | None = None


class Cut(NamedTuple):
    """The rows and columns of the tiles, and the rule in them."""

    rows: list[slice]
    columns: list[slice]
    rule: Tiled

    @staticmethod
    def of(u: Tensor, v: Tensor, problem: Problem) -> "Cut":
        height, width = tile_shape(u, len(u), len(v), symmetric=problem.symmetric)
        rows, columns = pieces(len(u), height), pieces(len(v), width)
        return Cut(rows, columns, problem.rule.split(rows, columns))


class Walk:
    """The tiles of a problem: where they lie, their logits, and the pairs in them that belong.

    cut   that of an earlier walk: its tiles are the same, and no label is read from the device again
    """

    def __init__(self, u: Tensor, v: Tensor, bias: Tensor | None, problem: Problem, cut: Cut | None = None) -> None:
        self.u, self.v, self.bias, self.problem = u.detach(), v.detach(), bias, problem
        self.wide = torch.promote_types(torch.promote_types(u.dtype, v.dtype), torch.float32)
        self.factors = problem.narrow or self.wide
        self.cut = cut or Cut.of(u, v, problem)
        self.rows, self.columns, self.rule = self.cut
        self.tiles = [place for place in self._all() if problem.totals or self.rule.some(*place)]
        limit = problem.largest if bias is None else inf
        limit = limit if problem.transform is None else problem.transform.limit
        self.bounded = limit <= SAFE.get(self.wide, 0.0)
        self.bytes = sum(self._size(i, j) for i, j in self.tiles) * self.wide.itemsize
        self._buffer = u.new_empty(max((self._size(i, j) for i, j in self.tiles), default=0), dtype=self.wide)
        self._column: tuple[int, Tensor] | None = None
        self.unit = u, u  # of the last columns, where they are divided by their length: `directions`
        self.ends = {j: i for i, j in self.tiles}  # the last tile of each column of tiles
        self.last = self._buffer  # u_i . v_j + b_j of the last tile, where a transform left them

    def logits(self, i: int, j: int, *, fresh: bool = False) -> Tensor:
        """t of a tile, in memory of its own if that is asked for; -inf where it is not above its row's bound."""
        transform, above = self.problem.transform, self.problem.above
        self.last = self.similarities(i, j, fresh=fresh)
        t = self.last if transform is None else transform(self.last)
        return t if above is None else t.masked_fill_(~(t > above[self.rows[i], None]), -inf)

    def similarities(self, i: int, j: int, *, fresh: bool = False) -> Tensor:
        """u_i . v_j + b_j of a tile, likewise."""
        out = self.products(i, j, fresh=fresh)
        return out if self.bias is None else out.add_(self.bias[self.columns[j]])

    def products(self, i: int, j: int, *, fresh: bool = False) -> Tensor:
        """u_i . v_j of a tile, where the last one was, or in memory of its own."""
        left, right = self.left(i), self.right(j)
        shape = len(left), len(right)
        out = self._buffer.new_empty(shape) if fresh else self._buffer[: shape[0] * shape[1]].view(shape)
        return product(out, left, right.T)

    def left(self, i: int) -> Tensor:
        return self.u[self.rows[i]].to(self.factors)

    def right(self, j: int) -> Tensor:
        """The columns of tile j, of length 1 where that is asked for; the last ones are remembered."""
        if self._column is None or self._column[0] != j:
            block = self.v[self.columns[j]]
            if self.problem.unit:
                self.unit = directions(block.to(self.wide))
                block = self.unit[0]
            self._column = j, block.to(self.factors)
        return self._column[1]

    def leave(self, tile: Tensor, i: int, j: int, value: float) -> Tensor:
        """The tile, in place, with this value where a pair does not belong."""
        return self.rule.leave(tile, i, j, value)

    def _all(self) -> list[tuple[int, int]]:
        """Every tile, one column of tiles after another; of a symmetric problem the upper half."""
        end = (lambda j: j + 1) if self.problem.symmetric else (lambda j: len(self.rows))
        return [(i, j) for j in range(len(self.columns)) for i in range(end(j))]

    def _size(self, i: int, j: int) -> int:
        row, column = self.rows[i], self.columns[j]
        return (row.stop - row.start) * (column.stop - column.start)


def directions(block: Tensor) -> tuple[Tensor, Tensor]:
    """x / |x| as `formulas.terms.unit` has it, and 1 / |x| as the factors of the slope, 0 for the zero vector."""
    if block.device.type == "cpu" and len(block):  # elsewhere the look at the ends would be waited for
        length = torch.linalg.vector_norm(block, dim=-1, keepdim=True)
        least, most = length.aminmax()
        limit = torch.finfo(block.dtype).tiny ** 0.4
        if least.item() > limit and most.item() < 1.0 / limit:  # no square over- or underflows
            inverse = length.reciprocal_()
            return block * inverse, inverse
    largest = block.abs().amax(-1, keepdim=True)
    there = largest != 0
    divisor = torch.where(largest.isfinite() & there, largest, 1.0)
    scaled = block / divisor
    inverse = torch.where(there, torch.linalg.vector_norm(scaled, dim=-1, keepdim=True), torch.inf).reciprocal()
    return scaled * inverse, torch.cat([inverse, 1.0 / divisor], -1)


class Gradients:
    """The sums of weight times the other side. Those of a column of tiles are complete before the next one begins.

    slopes   the upstream gradients that weights are made of; for float16 they are larger by `_gain` than the given
             ones, which keeps the weights away from its smallest numbers, and the gradients are divided by it
    """

    def __init__(self, walk: Walk, needed: Sequence[bool], slopes: Sequence[Tensor]) -> None:
        self.walk, self._open = walk, -1
        transform = walk.problem.transform
        self._gain = _gain(slopes, transform) if walk.factors == torch.float16 else None
        self.slopes = slopes if self._gain is None else [slope * self._gain for slope in slopes]
        self.du = torch.zeros_like(walk.u, dtype=walk.wide) if needed[0] else None
        like = torch.empty_like if len(walk.ends) == len(walk.columns) else torch.zeros_like  # a column without a tile
        self.dv = like(walk.v) if needed[1] and not walk.problem.symmetric else None
        self.db = None if walk.bias is None or not needed[2] else torch.zeros_like(walk.bias, dtype=walk.wide)
        self._column = walk.u.new_empty(0)

    def add(self, i: int, j: int, weight: Tensor, sums: Tensor | None = None) -> None:
        """The weights of a tile, and their sums over its rows where these are known."""
        walk = self.walk
        row, column, symmetric = walk.rows[i], walk.columns[j], walk.problem.symmetric
        if self.db is not None:
            self.db[column] += weight.sum(0) if sums is None else sums
        weight = weight.to(walk.factors)
        if self.du is not None:
            add_product(self.du[row], weight, walk.right(j))
            if symmetric and i != j:
                add_product(self.du[column], weight.T, walk.left(i))
        if self.dv is not None:
            if self._open == j:
                add_product(self._column, weight.T, walk.left(i))
            else:
                self._begin(j, self.dv[column])
                product(self._column, weight.T, walk.left(i))
            if walk.ends[j] == i:
                self._finish(self.dv[column])

    def _begin(self, j: int, there: Tensor) -> None:
        """Gather a column of tiles where it belongs, or in memory of its own where that is not wide enough."""
        self._open = j
        self._column = there if there.dtype == self.walk.wide else torch.empty_like(there, dtype=self.walk.wide)

    def _finish(self, there: Tensor) -> None:
        slope = self._column
        if self._gain is not None:
            slope /= self._gain
        self.walk.right(self._open)  # a tile that was kept did not ask for them
        if self.walk.problem.unit:  # the slope by the given columns, out of that by their directions
            one, factors = self.walk.unit
            slope -= (slope * one).sum(-1, keepdim=True) * one
            for factor in factors.split(1, -1):
                slope *= factor
        if there.dtype != slope.dtype:
            there.copy_(slope)

    def found(self, picked: Tensor | None = None) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """The gradients in the dtypes of what they belong to; `picked` is that of the picked rows."""
        walk = self.walk
        for sums in (self.du, self.db):
            if sums is not None and self._gain is not None:
                sums /= self._gain
        if self.dv is not None and picked is not None and walk.problem.pick is not None:
            label, part = walk.problem.pick, picked.to(walk.wide)
            if self.dv.dtype != walk.wide:
                label, part = _sums_by_label(label, part)  # rounded once, not with every sample of a class
            self.dv.index_add_(0, label, part.to(self.dv.dtype))
        du = None if self.du is None else self.du.to(walk.u.dtype)
        db = None if self.db is None or walk.bias is None else self.db.to(walk.bias.dtype)
        return du, self.dv, db


def _gain(slopes: Sequence[Tensor], transform: Transform | None) -> Tensor:
    """2^12 over the largest upstream gradient, so that a weight is at most a few times that."""
    top = torch.stack([slope.abs().amax() for slope in slopes if slope is not None and slope.ndim == 1 and len(slope)])
    top = top.amax() * (1.0 if transform is None else transform.steepest)
    return torch.where((top > 0) & top.isfinite(), 4096.0 / top, 1.0)


def _sums_by_label(label: Tensor, part: Tensor) -> tuple[Tensor, Tensor]:
    """The sum of the parts of each label, in the row where it is first; 0 in the rows that are left, for any label."""
    ordered, order = label.sort()
    place = torch.cat([ordered.new_zeros(min(len(label), 1)), (ordered[1:] != ordered[:-1]).cumsum(0)])
    return (
        torch.zeros_like(label).scatter_(0, place, ordered),
        torch.zeros_like(part).index_add_(0, place, part[order]),
    )


def logits(u: Tensor, v: Tensor, bias: Tensor | None, problem: Problem) -> tuple[Tensor, Tensor]:
    """The whole matrix t, and the pairs in it that belong."""
    ops = reader_of(u)
    wide = torch.promote_types(torch.promote_types(u.dtype, v.dtype), torch.float32)
    x, y = u.to(wide), v.to(wide)
    x = ops.matmul(x, ops.matrix_transpose(unit(ops, y) if problem.unit else y))
    x = x if bias is None else x + bias
    x = x if problem.transform is None else problem.transform(x)
    chosen = belong(problem.rule, len(u), len(v), x.device)
    return x, chosen if problem.above is None else chosen & (x.detach() > problem.above[:, None])


def belong(rule: Rule, rows: int, columns: int, device: torch.device) -> Tensor:
    """The pairs of the whole matrix that belong."""
    chosen = torch.ones(rows, columns, dtype=torch.bool, device=device)
    if chosen.numel() == 0:
        return chosen
    return rule.split([slice(0, rows)], [slice(0, columns)]).leave(chosen, 0, 0, False)


def differentiable(
    dense: Callable[..., Sequence[Tensor]],
    given: tuple[Tensor, Tensor, Tensor | None],
    problem: Problem,
    slopes: Sequence[Tensor | None],
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """The gradient as a function of everything, the upstream gradient included, that can be differentiated again."""
    with torch.enable_grad():
        u, v, bias = (None if x is None else x.view_as(x) for x in given)  # v may be made of u, or u of v
        sides = [u, None if problem.symmetric else v, bias]
        outcome = dense(u, u if problem.symmetric else v, bias, problem)
        pairs = [(out, slope) for out, slope in zip(outcome, slopes, strict=True)]
        pairs = [(out, slope) for out, slope in pairs if slope is not None and out.requires_grad]
        outputs, upstream = [out for out, _ in pairs], [slope for _, slope in pairs]
        wanted = [x for x, need in zip(sides, needed, strict=False) if need and x is not None]
        found = iter(torch.autograd.grad(outputs, wanted, upstream, create_graph=True, allow_unused=True))
    return [next(found) if need and x is not None else None for x, need in zip(sides, needed, strict=False)]
