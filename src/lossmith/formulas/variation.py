"""How much an image varies from pixel to pixel.

    total_variation   l1: |d_y| + |d_x|      d_y = x[i+1, j] - x[i, j], d_x = x[i, j+1] - x[i, j], 0 past the last
                      l2: sqrt(d_y^2 + d_x^2)

One value a pixel: their sum is the total variation of the image, their mean does not grow with its size. The length
is M sqrt((d_y / M)^2 + (d_x / M)^2) with M the larger of both, so that no square over- or underflows; where both are
0 the gradient is 0, and 0 is kept out of the square root.
"""

from typing import Literal

from lossmith.ops import A, Ops
from lossmith.spec import Claims, formula


@formula(
    shapes="... H W -> ... H W",
    kinds=("real",),
    source="Rudin, Osher and Fatemi 1992, https://doi.org/10.1016/0167-2789(92)90242-F; l1: Esedoglu and Osher 2004, "
    "https://doi.org/10.1002/cpa.20045",
    claims=Claims(),
    coupled="H W",
)
def total_variation(ops: Ops[A], pred: A, *, kept: A | None = None, norm: Literal["l1", "l2"] = "l1") -> A:
    """The difference of each pixel to the next ones below and to the right.

    Shapes    pred: (..., H, W); result: the same
    Unit      the unit of pred
    Range     [0, inf); 0 where the plane is flat
    Gradient  l1: of each difference its sign, 0 at 0; l2: its share of the length, 0 where both are 0
    Limits    the last row has nothing below, the last column nothing to its right: 0; so has a pixel whose neighbour
              is removed. One pixel costs 0
    Keywords  norm: l1 adds the differences of both directions, and prefers edges along the axes; l2 takes the length
              of the gradient, and prefers none
    Source    Rudin, Osher and Fatemi 1992, https://doi.org/10.1016/0167-2789(92)90242-F; l1: Esedoglu and Osher 2004,
              https://doi.org/10.1002/cpa.20045

    >>> import numpy as np
    >>> total_variation(np.array([[0.0, 4.0], [3.0, 3.0]]), norm="l2")
    array([[5., 1.],
           [0., 0.]])
    """
    turn = ops.matrix_transpose
    across = _steps(ops, pred, kept)
    down = turn(_steps(ops, turn(pred), None if kept is None else turn(kept)))
    return ops.abs(down) + ops.abs(across) if norm == "l1" else _length(ops, down, across)


def _steps(ops: Ops[A], x: A, kept: A | None) -> A:
    """From each entry to the next on the last axis; 0 from the last, and where either is removed."""
    steps = x[..., 1:] - x[..., :-1]
    if kept is not None:
        steps = ops.where(kept[..., 1:] & kept[..., :-1], steps, 0.0)
    return ops.concat([steps, ops.full_like(x[..., -1:], 0.0)], axis=-1)


def _length(ops: Ops[A], down: A, across: A) -> A:
    largest = ops.stop_gradient(ops.maximum(ops.abs(down), ops.abs(across)))
    some = ops.truth(largest)  # True for NaN as well, which must not turn into a length of 0
    scale = ops.where(ops.isfinite(largest) & some, largest, 1.0)
    squares = ops.square(down / scale) + ops.square(across / scale)
    return ops.where(some, scale * ops.sqrt(ops.where(some, squares, 1.0)), 0.0)
