"""A walk over the tiles of a matrix of similarities, and the gradients that are gathered on the way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lossmith.kernels.tiles import Rule, Tiled, pieces, tile_shape

SAFE = {torch.float32: 64.0, torch.float64: 600.0}  # e^64 times 1e9 pairs, and e^-64, are far inside float32


@dataclass(frozen=True)
class Problem:
    """What is summed over what: everything but the tensors that have a gradient."""

    rule: Rule
    largest: float
    both: bool
    symmetric: bool
    cap: float | None


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

    def tiles(self) -> list[tuple[int, int]]:
        """Every tile; of a symmetric problem the upper half."""
        start = (lambda i: i) if self.problem.symmetric else (lambda i: 0)
        return [(i, j) for i in range(len(self.rows)) for j in range(start(i), len(self.columns))]

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
        return self.v[self.columns[j]].to(self.wide)

    def _size(self, i: int, j: int) -> int:
        row, column = self.rows[i], self.columns[j]
        return (row.stop - row.start) * (column.stop - column.start) * self.wide.itemsize


class Gradients:
    """The sums of weight times the other side."""

    def __init__(self, walk: Walk, needed: tuple[bool, ...]) -> None:
        self.walk, self.needed = walk, needed
        self.du = torch.zeros_like(walk.u, dtype=walk.wide) if needed[0] else None
        self.dv = torch.zeros_like(walk.v, dtype=walk.wide) if needed[1] and not walk.problem.symmetric else None
        self.db = None if walk.bias is None or not needed[2] else torch.zeros_like(walk.bias, dtype=walk.wide)

    def add(self, i: int, j: int, weight: Tensor) -> None:
        row, column, symmetric = self.walk.rows[i], self.walk.columns[j], self.walk.problem.symmetric
        if self.du is not None:
            self.du[row].addmm_(weight, self.walk.right(j))
        other = self.du if symmetric and i != j else self.dv
        if other is not None:
            other[column].addmm_(weight.T, self.walk.left(i))
        if self.db is not None:
            self.db[column] += weight.sum(0)

    def found(self) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        walk = self.walk
        du = None if self.du is None else self.du.to(walk.u.dtype)
        dv = None if self.dv is None else self.dv.to(walk.v.dtype)
        db = None if self.db is None or walk.bias is None else self.db.to(walk.bias.dtype)
        return du, dv, db


def none_outside(tile: Tensor, chosen: Tensor | bool, value: float) -> Tensor:
    return tile if chosen is True else tile.fill_(value) if chosen is False else tile.masked_fill_(~chosen, value)


def logits(u: Tensor, v: Tensor, bias: Tensor | None, problem: Problem) -> tuple[Tensor, Tensor]:
    """The whole matrix t, and the pairs in it that belong."""
    x = u.to(torch.promote_types(u.dtype, torch.float32)) @ v.to(torch.promote_types(v.dtype, torch.float32)).T
    x = x if bias is None else x + bias
    x = x if problem.cap is None else problem.cap * torch.tanh(x / problem.cap)
    chosen = problem.rule.split([slice(0, len(u))], [slice(0, len(v))])(0, 0)
    return x, torch.as_tensor(chosen, device=x.device).expand(x.shape)


def differentiable(
    dense: Callable[..., Sequence[Tensor]],
    given: tuple[Tensor, Tensor, Tensor | None],
    problem: Problem,
    slopes: Sequence[Tensor],
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """The gradient as a function of everything, the upstream gradient included, that can be differentiated again."""
    u, v, bias = given
    sides = [u, None if problem.symmetric else v, bias]
    with torch.enable_grad():
        outcome = dense(u, u if problem.symmetric else v, bias, problem)[: len(slopes)]
        wanted = [x for x, need in zip(sides, needed, strict=False) if need and x is not None]
        found = iter(torch.autograd.grad(outcome, wanted, slopes, create_graph=True, allow_unused=True))
    return [next(found) if need and x is not None else None for x, need in zip(sides, needed, strict=False)]
