"""Losses of a predicted box p and a true box t, by what they share. i: intersection, u: union, c: the smallest box
around both, of area |c|, d: the distance of the centres, r: the diagonal of c, v: how the shapes differ.

    box_iou    1 - i / u
    box_giou   1 - i / u + (|c| - u) / |c|
    box_diou   1 - i / u + d^2 / r^2
    box_ciou   1 - i / u + d^2 / r^2 + alpha v,
               v = 4 / pi^2 (atan(w_t / h_t) - atan(w_p / h_p))^2,  alpha = v / (1 - i / u + v) without a gradient

Along one axis two boxes have a shared length s, lengths p' and q' that only one of them covers, and a gap g; the
hull is s + p' + q' + g, or less of it. All are 0 or more, and products of them are all that is summed:

    u - i      p'_x p_y + s_x p'_y + q'_x q_y + s_x q'_y
    |c| - u    g_y c_x + g_x (c_y - g_y) + p'_x q'_y + q'_x p'_y

so that nothing cancels, close to a match too. Each axis is measured in hulls, so that no product over- or
underflows: a share of areas does not change with the unit of either axis.

Where the union has no area the share is 0, the limit of most ways there. Along an axis in which both boxes are the
same point, they agree: equal boxes without area cost 0.
"""

from dataclasses import dataclass
from math import pi
from typing import Generic, Literal

from lossmith.formulas.terms import or_one
from lossmith.ops import A, Ops
from lossmith.spec import By, Claims, formula

Layout = Literal["xyxy", "cxcywh"]
SHAPES = "... 4, ... 4 -> ..."
KIND = By("layout", {"xyxy": "boxes", "cxcywh": "cxcywh"})


@formula(
    shapes=SHAPES,
    kinds=(KIND, KIND),
    source="Yu et al. 2016, https://arxiv.org/abs/1608.01471; linear form: Rezatofighi et al. 2019, "
    "https://arxiv.org/abs/1902.09630",
    claims=Claims(range=(0.0, 1.0), zero_at_match=True, scale_invariant=True),
)
def box_iou(ops: Ops[A], pred: A, target: A, *, layout: Layout = "xyxy") -> A:
    """One minus the intersection over union of two boxes.

    Shapes    pred, target: (..., 4) equal; result: (...)
    Unit      dimensionless: a share of areas
    Range     [0, 1]; 0 where the boxes are equal
    Gradient  0 where the boxes do not overlap: a prediction that misses stays where it is; box_giou and box_diou
              move it. At a kink (a side on a side of the other box, a side of length 0) the mean of both sides
    Limits    corners in any order name the box between them; without a common area 1, equal boxes 0 even where they
              have no area; NaN gives NaN
    Keywords  layout: what the four numbers are: corners x1 y1 x2 y2, or the centre, the width and the height
    Source    Yu et al. 2016, https://arxiv.org/abs/1608.01471; linear form: Rezatofighi et al. 2019,
              https://arxiv.org/abs/1902.09630

    >>> import numpy as np
    >>> box_iou(np.array([[0.0, 0.0, 2.0, 1.0]]), np.array([[1.0, 0.0, 3.0, 1.0]])).round(6)
    array([0.666667])
    """
    x, y = _axes(ops, pred, target, layout)
    return _outside(ops, *(_in_hulls(ops, axis) for axis in (x, y)))


@formula(
    shapes=SHAPES,
    kinds=(KIND, KIND),
    source="Rezatofighi et al. 2019, https://arxiv.org/abs/1902.09630",
    claims=Claims(range=(0.0, 2.0), zero_at_match=True, scale_invariant=True, grad_without_overlap=True),
)
def box_giou(ops: Ops[A], pred: A, target: A, *, layout: Layout = "xyxy") -> A:
    """Generalised IoU loss: the share of the smallest box around both that neither covers is added.

    Shapes    pred, target: (..., 4) equal; result: (...)
    Unit      dimensionless: shares of areas
    Range     [0, 2]; 0 where the boxes are equal
    Gradient  without overlap too; at a kink the mean of both sides, as for box_iou
    Limits    two points, or two parallel lines, cost 2; otherwise as for box_iou
    Keywords  layout: as for box_iou
    Source    Rezatofighi et al. 2019, https://arxiv.org/abs/1902.09630

    >>> import numpy as np
    >>> box_giou(np.array([[0.0, 0.0, 1.0, 1.0]]), np.array([[2.0, 0.0, 3.0, 1.0]])).round(6)
    array([1.333333])
    """
    x, y = (_in_hulls(ops, axis) for axis in _axes(ops, pred, target, layout))
    empty = y.gap * x.hull + x.gap * (y.hull - y.gap) + x.first_alone * y.second_alone + x.second_alone * y.first_alone
    return _outside(ops, x, y) + empty / (x.hull * y.hull)


@formula(
    shapes=SHAPES,
    kinds=(KIND, KIND),
    source="Zheng et al. 2020, https://arxiv.org/abs/1911.08287",
    claims=Claims(range=(0.0, 2.0), zero_at_match=True, scale_invariant=True, grad_without_overlap=True),
)
def box_diou(ops: Ops[A], pred: A, target: A, *, layout: Layout = "xyxy") -> A:
    """Distance IoU loss: the squared distance of the centres is added, in squared diagonals of the box around both.

    Shapes    pred, target: (..., 4) equal; result: (...)
    Unit      dimensionless
    Range     [0, 2); 0 where the boxes are equal
    Gradient  without overlap too; at a kink the mean of both sides, as for box_iou
    Limits    two boxes at one point have no diagonal: their distance is 0; otherwise as for box_iou
    Keywords  layout: as for box_iou
    Source    Zheng et al. 2020, https://arxiv.org/abs/1911.08287

    >>> import numpy as np
    >>> box_diou(np.array([[0.0, 0.0, 1.0, 1.0]]), np.array([[2.0, 0.0, 3.0, 1.0]])).round(6)
    array([1.4])
    """
    x, y = _axes(ops, pred, target, layout)
    return _outside(ops, _in_hulls(ops, x), _in_hulls(ops, y)) + _distance(ops, x, y)


@formula(
    shapes=SHAPES,
    kinds=(KIND, KIND),
    source="Zheng et al. 2020, https://arxiv.org/abs/1911.08287",
    claims=Claims(range=(0.0, 2.5), zero_at_match=True, scale_invariant=True, grad_without_overlap=True),
)
def box_ciou(ops: Ops[A], pred: A, target: A, *, layout: Layout = "xyxy") -> A:
    """Complete IoU loss: DIoU, and a term for the difference of the aspect ratios.

    Shapes    pred, target: (..., 4) equal; result: (...)
    Unit      dimensionless
    Range     [0, 2.5); 0 where the boxes are equal
    Gradient  alpha counts as a constant, as in the paper: it is a weight of v. At a kink the mean of both sides
    Limits    a line has the aspect 0 or infinity; a point has none, and v is 0; otherwise as for box_diou
    Keywords  layout: as for box_iou
    Source    Zheng et al. 2020, https://arxiv.org/abs/1911.08287

    >>> import numpy as np
    >>> box_ciou(np.array([[0.0, 0.0, 2.0, 1.0]]), np.array([[0.0, 0.0, 1.0, 2.0]])).round(6)
    array([0.762918])
    """
    x, y = _axes(ops, pred, target, layout)
    apart = _outside(ops, _in_hulls(ops, x), _in_hulls(ops, y))
    differs = (4.0 / pi**2) * ops.square(_angle(ops, x, y))
    weight = ops.stop_gradient(differs / or_one(ops, apart + differs))
    return apart + _distance(ops, x, y) + weight * differs


@dataclass(frozen=True)
class _Span(Generic[A]):
    """Two intervals on one axis, by lengths that are all 0 or more; `between` is the signed way of the centres."""

    first: A
    second: A
    shared: A
    first_alone: A
    second_alone: A
    gap: A
    hull: A
    between: A


def _axes(ops: Ops[A], pred: A, target: A, layout: Layout) -> tuple[_Span[A], _Span[A]]:
    x, y = (_ends(ops, pred, target, layout, axis) for axis in (0, 1))
    return _span(ops, *x), _span(ops, *y)


def _ends(ops: Ops[A], pred: A, target: A, layout: Layout, axis: int) -> tuple[A, A, A, A]:
    """Where both intervals begin and end, in order, as Rezatofighi et al. do."""
    a, b, c, d = pred[..., axis], pred[..., axis + 2], target[..., axis], target[..., axis + 2]
    if layout == "cxcywh":  # the origin is the target's centre: far from 0 a corner would lose the width
        way, a, b, c, d = a - c, -0.5 * b, 0.5 * b, -0.5 * d, 0.5 * d
        a, b = way + a, way + b
    return _lower(ops, a, b), _upper(ops, a, b), _lower(ops, c, d), _upper(ops, c, d)


def _span(ops: Ops[A], a: A, b: A, c: A, d: A) -> _Span[A]:
    """The lengths of [a, b] beside [c, d]."""
    inner, outer = _upper(ops, a, c), _lower(ops, b, d)
    return _Span(
        first=b - a,
        second=d - c,
        shared=_ramp(ops, outer - inner),
        first_alone=_ramp(ops, _lower(ops, b, c) - a) + _ramp(ops, b - _upper(ops, a, d)),
        second_alone=_ramp(ops, _lower(ops, d, a) - c) + _ramp(ops, d - _upper(ops, c, b)),
        gap=_ramp(ops, inner - outer),
        hull=_upper(ops, b, d) - _lower(ops, a, c),
        between=0.5 * ((a - c) + (b - d)),
    )


def _in_hulls(ops: Ops[A], axis: _Span[A]) -> _Span[A]:
    """The lengths in hulls; where the hull is 0 both are one point, which counts as a shared hull.

    The unit has no gradient: nothing that is made of these depends on it.
    """
    unit, some = ops.stop_gradient(or_one(ops, axis.hull)), ops.truth(axis.hull)
    full = [ops.where(some, x / unit, 1.0) for x in (axis.first, axis.second, axis.shared, axis.hull)]
    return _Span(
        first=full[0],
        second=full[1],
        shared=full[2],
        first_alone=axis.first_alone / unit,
        second_alone=axis.second_alone / unit,
        gap=axis.gap / unit,
        hull=full[3],
        between=axis.between / unit,
    )


def _outside(ops: Ops[A], x: _Span[A], y: _Span[A]) -> A:
    """1 - i / u: as (u - i) / u where more than half is shared, so that it keeps its digits there."""
    inside = x.shared * y.shared
    outside = x.first_alone * y.first + x.shared * y.first_alone + x.second_alone * y.second + x.shared * y.second_alone
    union = or_one(ops, inside + outside)
    unit = ops.stop_gradient(union)  # a slope of 1 / u^2 would overflow for small unions
    inside, outside, union = inside / unit, outside / unit, union / unit
    return ops.where(inside > 0.5, outside / union, 1.0 - inside / union)


def _distance(ops: Ops[A], x: _Span[A], y: _Span[A]) -> A:
    """d^2 / r^2, in units of the longer side of the hull."""
    unit = ops.stop_gradient(or_one(ops, _upper(ops, x.hull, y.hull)))
    way = ops.square(x.between / unit) + ops.square(y.between / unit)
    return way / or_one(ops, ops.square(x.hull / unit) + ops.square(y.hull / unit))


def _angle(ops: Ops[A], x: _Span[A], y: _Span[A]) -> A:
    """|atan(w_t / h_t) - atan(w_p / h_p)|, by one arctan: of the cross product over the inner product.

    Each box is measured in its longer side; the larger product is the divisor.
    """
    units = [or_one(ops, _upper(ops, a, b)) for a, b in ((x.first, y.first), (x.second, y.second))]
    first, second = (ops.stop_gradient(unit) for unit in units)
    w, h, w_true, h_true = x.first / first, y.first / first, x.second / second, y.second / second
    across, along = ops.abs(w_true * h - w * h_true), h_true * h + w_true * w
    flat = across <= along
    small = ops.arctan(ops.where(flat, across, 0.0) / or_one(ops, ops.where(flat, along, 1.0)))
    large = pi / 2 - ops.arctan(ops.where(~flat, along, 0.0) / ops.where(~flat, across, 1.0))
    return ops.where(flat, small, large)


def _lower(ops: Ops[A], x: A, y: A) -> A:
    """The smaller; of equal ones the mean, so that each has half of the gradient in every framework."""
    return ops.where(x < y, x, ops.where(y < x, y, 0.5 * x + 0.5 * y))


def _upper(ops: Ops[A], x: A, y: A) -> A:
    return ops.where(x > y, x, ops.where(y > x, y, 0.5 * x + 0.5 * y))


def _ramp(ops: Ops[A], x: A) -> A:
    """max(x, 0), with a slope of one half at 0."""
    return 0.5 * x + 0.5 * ops.abs(x)
