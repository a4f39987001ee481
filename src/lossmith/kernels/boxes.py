"""Value and slope of the losses of boxes together, without a graph: `blocks` takes them where all is finite.

Lengths are those of `formulas.boxes`: along each axis s is shared, p' and q' are covered by one box alone, g is a gap,
h the hull, m the way of the centres; w and v are the sides of prediction and target, o marks the other axis. For the
lower end a of the prediction and the lower end c of the target, with steps that are one half where both sides tie,

    alpha = [a > c]     A = alpha where the boxes overlap along the axis     ds/da = -A     dg/da = alpha - A
    dh/da = alpha - 1     dp'/da = A - 1     dq'/da = A

The upper ends have beta = [b < d] and B in their place, and the opposite sign. i, u, C: the areas of intersection,
union and hull, e = C - u, r: the diagonal of the hull. Then, for the lower end,

    1 - i/u     A (1 + i/u) s_o / u - i/u w_o / u
    e/C         ((1 - alpha) (e/C h_o - g_o) + (h_o - g_o) (alpha - A) + A (p'_o + q'_o) - q'_o) / C
    d^2/r^2     (m + 2 (1 - alpha) d^2/r^2 h) / r^2

Each coordinate is a row of memory, so that this is one loop over the boxes to a compiler, which makes minutes of work
of the formula. Not known, and left to the formula: corners out of order, boxes without area, and sizes whose products
leave the range.
"""

from collections.abc import Callable
from functools import reduce
from math import pi
from operator import add

import torch
from torch import Tensor

from lossmith import formulas
from lossmith.kernels.written import Written
from lossmith.spec import Formula

SMALL, LARGE = 1e-12, 1e12
Part = tuple[Tensor, list[Tensor]]  # a value, and its slopes by the ends: low and high of x, then of y, high negated


class Axis:
    """Two intervals [a, b] and [c, d] on one axis, of which the first moves."""

    def __init__(self, a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> None:
        inner, outer = torch.maximum(a, c), torch.minimum(b, d)
        over, before, behind = outer - inner, a - c, d - b
        self.first, self.second, self.hull = b - a, d - c, torch.maximum(b, d) - torch.minimum(a, c)
        self.shared, self.gap = over.clamp(min=0.0), over.neg().clamp_(min=0.0)
        self.first_alone = (torch.minimum(b, c) - a).clamp_(min=0.0) + (b - torch.maximum(a, d)).clamp_(min=0.0)
        self.second_alone = (torch.minimum(d, a) - c).clamp_(min=0.0) + (d - torch.maximum(c, b)).clamp_(min=0.0)
        self.between = (before - behind).mul_(0.5)
        overlap = _step(over)
        self.ends = [(step, step * overlap) for step in (_step(before), _step(behind))]  # alpha and A, beta and B


def _step(x: Tensor) -> Tensor:
    return x.sign().mul_(0.5).add_(0.5)


def outside(x: Axis, y: Axis) -> Part:
    """1 - i / u."""
    inside = x.shared * y.shared
    rest = (x.first_alone * y.first).addcmul_(x.shared, y.first_alone)
    rest = rest.addcmul_(x.second_alone, y.second).addcmul_(x.shared, y.second_alone)
    union = inside + rest
    share = inside.div_(union)
    value = torch.where(share > 0.5, rest.div_(union), 1.0 - share)
    lift, drop = (share + 1.0).div_(union), share.div_(union)
    slopes: list[Tensor] = []
    for other, axis in ((y, x), (x, y)):
        held, less = other.shared * lift, other.first * drop
        slopes += [(step * held).sub_(less) for _, step in axis.ends]
    return value, slopes


def emptiness(x: Axis, y: Axis) -> Part:
    """e / C."""
    whole = x.hull * y.hull
    bare = {axis: axis.hull - axis.gap for axis in (x, y)}
    value = (y.gap * x.hull).addcmul_(x.gap, bare[y])
    value = value.addcmul_(x.first_alone, y.second_alone).addcmul_(x.second_alone, y.first_alone).div_(whole)
    slopes: list[Tensor] = []
    for other, axis in ((y, x), (x, y)):
        wide, both = (value * other.hull).sub_(other.gap), other.first_alone + other.second_alone
        for step, held in axis.ends:
            slope = (1.0 - step).mul_(wide).addcmul_(step - held, bare[other]).addcmul_(held, both)
            slopes.append(slope.sub_(other.second_alone).div_(whole))
    return value, slopes


def distance(x: Axis, y: Axis) -> Part:
    """d^2 / r^2."""
    size = x.hull.square().addcmul_(y.hull, y.hull)
    value = x.between.square().addcmul_(y.between, y.between).div_(size)
    slopes: list[Tensor] = []
    for axis in (x, y):
        wide = (2.0 * value).mul_(axis.hull)
        for (step, _), way in zip(axis.ends, (axis.between, -axis.between), strict=True):
            slopes.append((1.0 - step).mul_(wide).add_(way).div_(size))
    return value, slopes


def aspect(x: Axis, y: Axis, apart: Tensor) -> Part:
    """alpha v, alpha held constant."""
    w, h = x.first, y.first
    angle = torch.atan2(x.second * h - w * y.second, y.second * h + x.second * w)
    differs = angle.square().mul_(4.0 / pi**2)
    weight = differs / (apart + differs).clamp_(min=torch.finfo(w.dtype).tiny)
    turn = angle.mul_(weight).mul_(8.0 / pi**2).div_(w.square().addcmul_(h, h))
    by_x, by_y = h * turn, -w * turn
    return differs.mul_(weight), [by_x, by_x, by_y, by_y]


def iou(x: Axis, y: Axis) -> Part:
    return outside(x, y)


def giou(x: Axis, y: Axis) -> Part:
    return _added(outside(x, y), emptiness(x, y))


def diou(x: Axis, y: Axis) -> Part:
    return _added(outside(x, y), distance(x, y))


def ciou(x: Axis, y: Axis) -> Part:
    apart = outside(x, y)
    return _added(apart, distance(x, y), aspect(x, y, apart[0]))


def _added(*parts: Part) -> Part:
    values, slopes = zip(*parts, strict=True)
    return reduce(add, values), [reduce(add, each) for each in zip(*slopes, strict=True)]


def _of(loss: Callable[[Axis, Axis], Part]) -> Written:
    def both(pred: Tensor, target: Tensor, *, layout: str) -> tuple[Tensor, Tensor, Tensor] | None:
        if layout != "xyxy":
            return None
        (a, c, b, d), (a_true, c_true, b_true, d_true) = (x.reshape(-1, 4).t().contiguous() for x in (pred, target))
        x, y = Axis(a, b, a_true, b_true), Axis(c, d, c_true, d_true)
        value, (left, right, low, high) = loss(x, y)
        slope = torch.stack((left, low, -right, -high), -1)
        least = torch.stack([side.amin() for axis in (x, y) for side in (axis.first, axis.second)]).amin()
        known = (least > SMALL) & (torch.maximum(x.hull.amax(), y.hull.amax()) < LARGE)
        return value.view(pred.shape[:-1]), slope.view(pred.shape), known

    # coordinates lie four apart: by its own estimate the compiler would use no vectors for them
    return Written(both, dynamic=True, options={"cpp.enable_tiling_heuristics": False})


BOXES: dict[Formula, Written] = {
    formulas.box_iou: _of(iou),
    formulas.box_giou: _of(giou),
    formulas.box_diou: _of(diou),
    formulas.box_ciou: _of(ciou),
}
