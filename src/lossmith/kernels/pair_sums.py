"""Sums of softplus over pairs, tile by tile, as `lossmith.kernels.pairs` does the log-sum-exp.

    r_i = sum_j softplus(u_i . v_j + b_j)      over the pairs that a rule chooses
    backward   w_ij = g_i sigmoid(u_i . v_j + b_j),  then as there

Memory     two tiles beside u, v and their gradients; every tile is computed again in the backward.
Numerics   tiles and sums are float32 or wider, `narrow` as there; softplus keeps its relative accuracy at both ends.
Again      a graph of the gradient (double backward) is that of `dense`.
Judge      `dense`, and `formulas.sig_lip`: value and every gradient, in `tests/kernels`.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from lossmith.kernels.tiles import All, Rule
from lossmith.kernels.walk import Cut, Gradients, Problem, Walk, differentiable, logits


def softplus_sum(
    u: Tensor, v: Tensor, *, rule: Rule | None = None, bias: Tensor | None = None, narrow: torch.dtype | None = None
) -> Tensor:
    """sum_j softplus(u_i . v_j + b_j) of each row over the pairs that the rule chooses, all without one.

    Shapes    u: (N, D); v: (M, D); bias: (M,); result: (N,), float32 for half precision
    """
    return _SoftplusSum.apply(u, v, bias, Problem(rule or All(), narrow=narrow))


def dense(u: Tensor, v: Tensor, bias: Tensor | None, problem: Problem) -> tuple[Tensor, ...]:
    """The same with the whole matrix, by differentiable operations."""
    x, chosen = logits(u, v, bias, problem)
    return (torch.where(chosen, -logsigmoid(-x), 0.0).sum(1),)


class _SoftplusSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, u: Tensor, v: Tensor, bias: Tensor | None, problem: Problem) -> Tensor:
        walk = Walk(u, v, bias, problem)
        total = u.new_zeros(len(u), dtype=walk.wide)
        for i, j in walk.tiles:
            costs = logsigmoid(walk.logits(i, j).neg_())
            total[walk.rows[i]] -= walk.leave(costs, i, j, 0.0).sum(1)
        ctx.problem, ctx.cut = problem, walk.cut
        ctx.save_for_backward(u, v, bias)
        return total

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        u, v, bias = ctx.saved_tensors
        if torch.is_grad_enabled():
            return (*differentiable(dense, (u, v, bias), ctx.problem, slopes, ctx.needs_input_grad), None)
        return (*gradients(u, v, bias, ctx.problem, slopes, ctx.needs_input_grad, ctx.cut), None)


def gradients(
    u: Tensor,
    v: Tensor,
    bias: Tensor | None,
    problem: Problem,
    slopes: Sequence[Tensor],
    needed: Sequence[bool] = (True, True, True),
    cut: Cut | None = None,
) -> tuple[Tensor | None, ...]:
    """The slopes by u, v and bias."""
    walk = Walk(u, v, bias, problem, cut)
    made = Gradients(walk, needed, slopes)
    for i, j in walk.tiles:
        weight = walk.logits(i, j).sigmoid_().mul_(made.slopes[0][walk.rows[i], None])
        made.add(i, j, walk.leave(weight, i, j, 0.0))
    return made.found()
