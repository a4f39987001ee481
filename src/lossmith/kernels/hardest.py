"""The largest entry of each row of a matrix of similarities, and where it is, tile by tile.

    m_i = max_j (u_i . v_j + b_j)      over the pairs that a rule chooses, and the first j of those that have it

Memory     a tile beside u and v.
Numerics   float32 or wider, and never `narrow`: what is nearly equal is to be told apart. A row without a pair has -inf
           at 0; a NaN is the largest.
Gradient   none: it is a choice, and what is chosen is computed again by the caller.
Judge      the matrix, in `tests/kernels/test_hardest.py`
"""

from math import inf
from typing import NamedTuple

import torch
from torch import Tensor

from lossmith.kernels.tiles import Rule
from lossmith.kernels.walk import Problem, Walk


class Hardest(NamedTuple):
    """(N,) each."""

    value: Tensor
    place: Tensor


@torch.no_grad()
def hardest(u: Tensor, v: Tensor, *, rule: Rule, bias: Tensor | None = None) -> Hardest:
    """The largest u_i . v_j + b_j of each row over the pairs that the rule chooses, and its column.

    Shapes    u: (N, D); v: (M, D); bias: (M,)
    """
    walk = Walk(u, v, bias, Problem(rule))
    best = u.new_full((len(u),), -inf, dtype=walk.wide)
    place = torch.zeros_like(best, dtype=torch.long)
    for i, j in walk.tiles:
        row = walk.rows[i]
        top, here = walk.leave(walk.similarities(i, j), i, j, -inf).max(1)
        better = (top > best[row]) | (top.isnan() & ~best[row].isnan())
        best[row] = torch.where(better, top, best[row])
        place[row] = torch.where(better, here + walk.columns[j].start, place[row])
    return Hardest(best, place)
