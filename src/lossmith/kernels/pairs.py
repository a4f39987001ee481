"""Log-sum-exp over pairs, tile by tile: the matrix of similarities is never held.

    t_ij = f(u_i . v_j + b_j)              f elementwise (`lossmith.kernels.transforms`), else nothing
    r_i  = log sum_j e^(t_ij)              over the pairs that a rule chooses (`lossmith.kernels.tiles`)
    c_j  = log sum_i e^(t_ij)              from the same tiles, for `both`; for `v=None` it is r itself

    backward   w_ij = g_i e^(t_ij - r_i) + h_j e^(t_ij - c_j),  times f'
               du_i = sum_j w_ij v_j,  dv_j = sum_i w_ij u_i,  db_j = sum_i w_ij

A scale is a factor of u, and a margin a term of what r is compared with: both are differentiated outside.

Memory     a few tiles beside u, v and their gradients. In the backward every tile is computed again, but for a
           problem whose tiles take at most `KEPT` bytes, which are then kept.
Time       three matrix products of (N, M, D), or four where tiles are computed again; a symmetric problem (v=None)
           computes a tile once for both of its halves: one and a half, or two.
Numerics   tiles and sums are float32 or wider, whatever the inputs are. Where |t| <= `largest` is known beforehand
           and small enough, as for cosines, e^t cannot leave the range of the dtype and no maximum is subtracted;
           otherwise sums follow the running maximum of each row. No pair at all gives -inf with gradient 0.
Narrow     `narrow` names a half precision for what is multiplied: u, v, and in the backward the weights w. Each is
           off by at most half an eps of that dtype (2^-8 in bfloat16), and with it a logit by eps |u| |v|, for numbers
           in that dtype not at all; a CPU also rounds the logit itself. Rounding differs from entry to entry, so that
           what is left of it is smaller by the root of D. Sums are float32.
Not done   tiles whose weights are all too small to count are not left out of the backward. Of 1024 x 32 768 logits like
           those of a trained model (64 topics, frequencies by Zipf, entropies of 3.4 to 4.7 nats) 97 % of the weights
           are below 2^-24, but not one tile, nor one of 128 x 128, nor at 2^-12, with classes in any order or by
           frequency; and to ask a tile costs a pass over it, and on a device a wait.
Again      a graph of the gradient (double backward) is that of `dense`, the same sums with the whole matrix.
Judge      `dense`, and each formula that stands on it: value and every gradient, in `tests/kernels`.
"""

from collections.abc import Sequence
from math import inf
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lossmith.kernels.fused import Parts, fused_passes
from lossmith.kernels.tiles import All, AllBut, Rule
from lossmith.kernels.transforms import Cap, Transform
from lossmith.kernels.walk import Cut, Gradients, Problem, Walk, differentiable, logits

KEPT = 2**24  # bytes of tiles that the forward may leave for the backward


def log_sum(
    u: Tensor,
    v: Tensor | None = None,
    *,
    rule: Rule | None = None,
    bias: Tensor | None = None,
    transform: Transform | None = None,
    above: Tensor | None = None,
    largest: float = inf,
    both: bool = False,
    narrow: torch.dtype | None = None,
) -> Any:
    """log sum_j e^f(u_i . v_j + b_j) of each row over the pairs that the rule chooses, all without one.

    Shapes    u: (N, D); v: (M, D), or None for u itself; bias: (M,); result: (N,), with `both` also (M,)
    Dtype     float32 for half precision, else that of u
    Keywords  transform: f; above: (N,), pairs whose f is not larger are left out; largest: a bound on |u_i . v_j|,
              that lets sums go without a maximum; narrow: the half precision that tiles are multiplied in
              (`devices.product_dtype`)
    """
    problem = Problem(rule or All(), largest, both, v is None, transform, above, narrow=narrow)
    if problem.symmetric and (both or bias is not None or above is not None):
        raise AssertionError("a symmetric problem has equal rows and columns, no bias and no bounds")
    rows, columns, _, _ = _LogSum.apply(u, u if v is None else v, bias, problem)
    return (rows, columns) if both else rows


class ClassSums(NamedTuple):
    """The log-sum over the other classes, the row of `classes` at the label, and sum_c t_c where that is asked for."""

    rivals: Tensor
    row: Tensor
    total: Tensor


def against_classes(
    u: Tensor,
    classes: Tensor,
    label: Tensor,
    *,
    bias: Tensor | None = None,
    cap: float | None = None,
    largest: float = inf,
    unit: bool = False,
    totals: bool = False,
    narrow: torch.dtype | None = None,
) -> ClassSums:
    """What each row of u has against its class: the log-sum-exp of its logits with all other classes.

    Shapes    u: (N, D); classes: (C, D); label: (N,); bias: (C,); results: (N,), (N, D), (N,). A label that is not
              here, below 0 or from C on, has all classes against it, and any row
    Keywords  unit: each class is divided by its length before, but in `row`; totals: whether `total` is wanted
    """
    problem = Problem(
        AllBut(label),
        largest,
        transform=None if cap is None else Cap(cap),
        unit=unit,
        pick=label.clamp(0, len(classes) - 1),
        totals=totals,
        narrow=narrow,
    )
    rivals, _, row, total = _LogSum.apply(u, classes, bias, problem)
    return ClassSums(rivals, row, total)


def dense(u: Tensor, v: Tensor, bias: Tensor | None, problem: Problem) -> tuple[Tensor, ...]:
    """The same with the whole matrix, by differentiable operations: the judge, and the second derivative."""
    x, chosen = logits(u, v, bias, problem)
    inside = x.masked_fill(~chosen, -inf)
    columns = _log_sum_of(inside, 0) if problem.both else x.new_empty(0)
    row = x.new_empty(0) if problem.pick is None else v[problem.pick]
    return _log_sum_of(inside, 1), columns, row, x.sum(1) if problem.totals else x.new_empty(0)


def _log_sum_of(x: Tensor, dim: int) -> Tensor:
    if x.shape[dim] == 0:
        return x.sum(dim) - inf
    top = x.detach().amax(dim, keepdim=True)
    top = torch.where(top.isfinite(), top, 0.0)
    total = (x - top).exp().sum(dim)
    some = total != 0
    return torch.where(some, torch.where(some, total, 1.0).log() + top.squeeze(dim), -inf)


class _LogSum(torch.autograd.Function):
    """Sums of the rows, of the columns, the picked rows of v, the totals; what is not asked for is empty."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, v: Tensor, bias: Tensor | None, problem: Problem) -> tuple[Tensor, ...]:
        walk = Walk(u, v, bias, problem)
        rows, columns = Sums(len(u), walk), Sums(len(v) if problem.both else 0, walk)
        totals = rows.total.new_zeros(len(u) if problem.totals else 0)
        others = rows if problem.symmetric else columns
        kept: list[Tensor] = []
        fused = fused_passes(walk)
        keep = walk.bounded and any(ctx.needs_input_grad) and walk.bytes <= KEPT and problem.transform is None
        keep = keep and fused is None
        for i, j in walk.tiles:
            for_columns = problem.both or (problem.symmetric and i != j)
            parts = (
                _parts(walk, i, j, kept if keep else None) if fused is None else fused.sums(i, j, columns=for_columns)
            )
            rows.add(walk.rows[i], parts.rows)
            if for_columns and parts.columns is not None:
                others.add(walk.columns[j], parts.columns)
            if parts.totals is not None:
                totals[walk.rows[i]] += parts.totals.sum(0)
        logs = rows.logs(), columns.logs()
        row = v.new_empty(0) if problem.pick is None else v[problem.pick]
        ctx.problem, ctx.cut = problem, walk.cut
        ctx.save_for_backward(u, v, bias, *logs, *kept)
        empty = [out for out, asked in zip((logs[1], row, totals), _asked(problem)[1:], strict=True) if not asked]
        ctx.mark_non_differentiable(*empty)
        return (*logs, row, totals)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        u, v, bias, of_rows, of_columns, *kept = ctx.saved_tensors
        problem: Problem = ctx.problem
        if torch.is_grad_enabled():
            asked = [slope if wanted else None for slope, wanted in zip(slopes, _asked(problem), strict=True)]
            return (*differentiable(dense, (u, v, bias), problem, asked, ctx.needs_input_grad), None)
        logs = of_rows, of_columns
        return (*gradients(u, v, bias, problem, logs, slopes, ctx.needs_input_grad, kept, ctx.cut), None)


def gradients(
    u: Tensor,
    v: Tensor,
    bias: Tensor | None,
    problem: Problem,
    logs: Sequence[Tensor],
    slopes: Sequence[Tensor],
    needed: Sequence[bool] = (True, True, True),
    kept: Sequence[Tensor] = (),
    cut: Cut | None = None,
) -> tuple[Tensor | None, ...]:
    """The slopes by u, v and bias. The log-sums of rows and columns may be over more pairs than are here."""
    walk = Walk(u, v, bias, problem, cut)
    made = Gradients(walk, needed, slopes)
    by_row = Weights(walk, logs[0], made.slopes[0])
    by_column = Weights(walk, logs[1], made.slopes[1]) if problem.both else by_row if problem.symmetric else None
    fused = None if kept else fused_passes(walk)
    for number, (i, j) in enumerate(walk.tiles):
        if fused is not None:
            total = made.slopes[3] if problem.totals else None
            made.add(i, j, *fused.weights(i, j, by_row, by_column, total, sums=made.db is not None))
            continue
        tile = kept[number] if kept else walk.logits(i, j)
        slope = None if problem.transform is None else problem.transform.slope(walk.last, tile)
        weight = _weights(walk, tile, i, j, by_row, by_column, given=bool(kept))
        if problem.totals:
            weight += made.slopes[3][walk.rows[i], None]
        made.add(i, j, weight if slope is None else weight.mul_(slope))
    return made.found(None if problem.pick is None else slopes[2])


def _asked(problem: Problem) -> tuple[bool, ...]:
    return True, problem.both, problem.pick is not None, problem.totals


def _parts(walk: Walk, i: int, j: int, kept: list[Tensor] | None) -> Parts:
    """e^t of a tile where t is bounded, t itself where not, to be summed over either axis; the tile may be kept."""
    tile = walk.logits(i, j, fresh=kept is not None)
    totals = tile.sum(1)[None] if walk.problem.totals else None
    tile = walk.leave(tile.exp_(), i, j, 0.0) if walk.bounded else walk.leave(tile, i, j, -inf)
    if kept is not None:
        kept.append(tile)
    return Parts(tile.T, tile, totals)


def _weights(
    walk: "Walk", tile: Tensor, i: int, j: int, rows: "Weights", columns: "Weights | None", *, given: bool
) -> Tensor:
    """w_ij of a tile; it may take the place of the logits, but not of a tile that was kept."""
    row, column = walk.rows[i], walk.columns[j]
    if walk.bounded:
        factor = rows.factor[row, None]
        factor = factor if columns is None else factor + columns.factor[None, column]
        if given:
            return tile * factor
        return walk.leave(tile.exp_().mul_(factor), i, j, 0.0)
    if columns is None:
        weight = tile.sub_(rows.logs[row, None]).exp_().mul_(rows.slopes[row, None])
    else:
        weight = (tile - rows.logs[row, None]).exp_().mul_(rows.slopes[row, None])
        weight += tile.sub_(columns.logs[None, column]).exp_().mul_(columns.slopes[None, column])
    return walk.leave(weight, i, j, 0.0)


class Sums:
    """sum e^t of each row (or column), relative to the largest t seen so far where that is not bounded."""

    def __init__(self, length: int, walk: Walk) -> None:
        self.total = walk.u.new_zeros(length, dtype=walk.wide)
        self.top = None if walk.bounded else torch.full_like(self.total, -inf)

    def add(self, where: slice, parts: Tensor) -> None:
        """e^t, or t where a maximum is kept, (any number, rows): its sums over the first axis."""
        if self.top is None:
            self.total[where] += parts.sum(0)
            return
        before = self.top[where]
        now = torch.maximum(before, parts.amax(0))
        shift = torch.where(now.isfinite(), now, 0.0)  # inf - inf would be NaN
        old = torch.where(self.total[where] == 0, 0.0, self.total[where] * (before - shift).exp())
        self.total[where] = old + (parts - shift).exp_().sum(0)
        self.top[where] = now

    def logs(self) -> Tensor:
        if self.top is None:
            return self.total.log()
        return torch.where(self.total == 0, -inf, torch.where(self.top.isfinite(), self.top, 0.0) + self.total.log())


class Weights:
    """What a row makes of e^t: its upstream slope times e^(-r), 0 where nothing was summed."""

    def __init__(self, walk: Walk, logs: Tensor, slopes: Tensor) -> None:
        nothing = logs == -inf
        self.logs, self.slopes = torch.where(nothing, 0.0, logs), torch.where(nothing, 0.0, slopes)
        self.factor = self.slopes * (-self.logs).exp() if walk.bounded else self.slopes
