"""Value and slope of the losses of boxes together, without a graph: `blocks` takes them where all is finite.

Lengths are those of `formulas.boxes`: along each axis s is shared, p' and q' are covered by one box alone, g is a gap,
h the hull; w and v are the sides of prediction and target, o those of the other axis. For the lower end a of the
prediction and the lower end c of the target, with steps that are one half where both sides tie,

    alpha = [a > c]     A = alpha where the boxes overlap along the axis     ds/da = -A     dg/da = alpha - A
    dh/da = alpha - 1     dp'/da = A - 1     dq'/da = A

The upper ends have beta = [b < d] and B in their place, and the opposite sign. i, u, C: the areas of intersection,
union and hull, e = C - u. Then, for the lower end,

    1 - i/u     A (1 + i/u) s_o / u - i/u w_o / u
    e/C         ((1 - alpha) (e/C h_o - g_o) + (h_o - g_o) (alpha - A) + A (p'_o + q'_o) - q'_o) / C
    d^2/r^2     (m + 2 (1 - alpha) d^2/r^2 h) / r^2, where m is the way of the centres along the axis

All four coordinates are computed at once, as (end, axis, box), each a row in memory. Not known, and left to the
formula: corners out of order, boxes without area, and sizes whose products leave the range.
"""

from collections.abc import Callable
from math import pi

import torch
from torch import Tensor

from lossmith import formulas
from lossmith.spec import Formula

SMALL, LARGE = 1e-12, 1e12
Pair = tuple[Tensor, Tensor]


class Boxes:
    """What the losses of a batch of boxes share."""

    def __init__(self, pred: Tensor, target: Tensor) -> None:
        ends, other = (x.reshape(-1, 4).t().contiguous().view(2, 2, -1) for x in (pred, target))
        (a, b), (c, d) = ends, other
        self.first, self.second = b - a, d - c
        inner, outer = torch.maximum(a, c), torch.minimum(b, d)
        over = outer - inner
        self.shared = over.clamp(min=0.0)
        self.hull = torch.maximum(b, d) - torch.minimum(a, c)
        apart = other - ends
        self.between = apart.sum(0).mul_(-0.5)
        apart[0].neg_()
        self.step = apart.sign().mul_(0.5).add_(0.5)
        self.held = self.step * over.sign().mul_(0.5).add_(0.5)
        self.gap = over.neg_().clamp_(min=0.0)
        self.first_alone = (torch.minimum(b, c) - a).clamp_(min=0.0) + (b - torch.maximum(a, d)).clamp_(min=0.0)
        self.second_alone = (torch.minimum(d, a) - c).clamp_(min=0.0) + (d - torch.maximum(c, b)).clamp_(min=0.0)

    def known(self) -> bool:
        """Whether these are boxes in order, of sizes whose products stay in range."""
        least = torch.stack((self.first.min(), self.second.min()))
        return least.min().item() > SMALL and self.hull.max().item() < LARGE

    def outside(self) -> Pair:
        """1 - i / u and its slope."""
        p, q, s = self.first_alone, self.second_alone, self.shared
        inside = s[0] * s[1]
        rest = p[0] * self.first[1] + s[0] * p[1] + q[0] * self.second[1] + s[0] * q[1]
        union = inside + rest
        self.union, share = union, inside.div_(union)
        value = torch.where(share > 0.5, rest.div_(union), 1.0 - share)
        low = s.flip(0).mul_((share + 1.0).div_(union))
        return value, (self.held * low).sub_(self.first.flip(0).mul_(share.div_(union)))

    def emptiness(self) -> Pair:
        """e / C and its slope."""
        p, q, g, h = self.first_alone, self.second_alone, self.gap, self.hull
        whole = h[0] * h[1]
        bare = h - g
        value = (g[1] * h[0]).addcmul_(g[0], bare[1]).addcmul_(p[0], q[1]).addcmul_(q[0], p[1]).div_(whole)
        q_other, bare = q.flip(0), bare.flip(0)
        slope = (1.0 - self.step).mul_((value * h.flip(0)).sub_(g.flip(0)))
        slope.addcmul_(self.step - self.held, bare).addcmul_(self.held, p.flip(0).add_(q_other)).sub_(q_other)
        return value, slope.div_(whole)

    def distance(self) -> Pair:
        """d^2 / r^2 and its slope; of the upper ends with the opposite sign, as all slopes here."""
        m, h = self.between, self.hull
        size = h.square().sum(0)
        value = m.square().sum(0).div_(size)
        slope = (1.0 - self.step).mul_((2.0 * value) * h)
        slope[0].add_(m)
        slope[1].sub_(m)
        return value, slope.div_(size)

    def aspect(self, apart: Tensor) -> Pair:
        """alpha v and its slope, alpha held constant."""
        (w, h), (w_true, h_true) = self.first, self.second
        angle = torch.atan2(w_true * h - w * h_true, h_true * h + w_true * w)
        differs = angle.square().mul_(4.0 / pi**2)
        weight = differs / (apart + differs).clamp_(min=torch.finfo(w.dtype).tiny)
        turn = angle.mul_(weight).mul_(8.0 / pi**2).div_(w.square().addcmul_(h, h))
        return differs.mul_(weight), torch.stack((h * turn, -w * turn))


def _laid_back(slope: Tensor, like: Tensor) -> Tensor:
    slope[1].neg_()
    return slope.view(4, -1).t().reshape(like.shape)


def _boxes(pred: Tensor, target: Tensor, layout: str) -> Boxes | None:
    if layout != "xyxy" or not pred.numel():
        return None
    boxes = Boxes(pred, target)
    return boxes if boxes.known() else None


def box_iou(pred: Tensor, target: Tensor, *, layout: str) -> Pair | None:
    boxes = _boxes(pred, target, layout)
    if boxes is None:
        return None
    value, slope = boxes.outside()
    return value.view(pred.shape[:-1]), _laid_back(slope, pred)


def box_giou(pred: Tensor, target: Tensor, *, layout: str) -> Pair | None:
    boxes = _boxes(pred, target, layout)
    if boxes is None:
        return None
    (value, slope), (more, steeper) = boxes.outside(), boxes.emptiness()
    return value.add_(more).view(pred.shape[:-1]), _laid_back(slope.add_(steeper), pred)


def box_diou(pred: Tensor, target: Tensor, *, layout: str) -> Pair | None:
    boxes = _boxes(pred, target, layout)
    if boxes is None:
        return None
    (value, slope), (more, steeper) = boxes.outside(), boxes.distance()
    return value.add_(more).view(pred.shape[:-1]), _laid_back(slope.add_(steeper), pred)


def box_ciou(pred: Tensor, target: Tensor, *, layout: str) -> Pair | None:
    boxes = _boxes(pred, target, layout)
    if boxes is None:
        return None
    (value, slope), (more, steeper) = boxes.outside(), boxes.distance()
    bent, turned = boxes.aspect(value)
    return value.add_(more).add_(bent).view(pred.shape[:-1]), _laid_back(slope.add_(steeper).add_(turned), pred)


BOXES: dict[Formula, Callable[..., Pair | None]] = {
    formulas.box_iou: box_iou,
    formulas.box_giou: box_giou,
    formulas.box_diou: box_diou,
    formulas.box_ciou: box_ciou,
}
