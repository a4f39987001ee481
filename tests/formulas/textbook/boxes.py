"""Losses of boxes. Corners are put in order, as Rezatofighi et al. do; without an area the IoU is 0.

Where both boxes are the same point along an axis, they count as one unit wide there.
"""

from textbook.numbers import mp


def intervals(pred, target, layout):
    """((begin, end) of pred, of target) for x and for y."""

    def ends(box, axis):
        a, b = box[axis], box[axis + 2]
        return sorted((a, b) if layout == "xyxy" else (a - b / 2, a + b / 2))

    return [(ends(pred, axis), ends(target, axis)) for axis in (0, 1)]


def hull(first, second):
    return max(first[1], second[1]) - min(first[0], second[0])


def iou_parts(axes):
    """Intersection, union, area of the hull."""
    inside = first = second = around = mp.one
    for a, b in axes:
        if hull(a, b) == 0:
            continue
        inside *= max(mp.zero, min(a[1], b[1]) - max(a[0], b[0]))
        first, second, around = first * (a[1] - a[0]), second * (b[1] - b[0]), around * hull(a, b)
    return inside, first + second - inside, around


def iou(axes):
    inside, union, _ = iou_parts(axes)
    return inside / union if union else mp.zero


def distance(axes):
    diagonal = sum(hull(a, b) ** 2 for a, b in axes)
    way = sum(((a[0] + a[1]) / 2 - (b[0] + b[1]) / 2) ** 2 for a, b in axes)
    return way / diagonal if diagonal else mp.zero


def box_iou(pred, target, layout="xyxy"):
    return 1 - iou(intervals(pred, target, layout))


def box_giou(pred, target, layout="xyxy"):
    axes = intervals(pred, target, layout)
    _, union, around = iou_parts(axes)
    return 1 - iou(axes) + (around - union) / around


def box_diou(pred, target, layout="xyxy"):
    axes = intervals(pred, target, layout)
    return 1 - iou(axes) + distance(axes)


def aspect(axes):
    (w, h), (w_true, h_true) = ([end[i][1] - end[i][0] for end in axes] for i in (0, 1))
    if not ((w or h) and (w_true or h_true)):
        return mp.zero
    return 4 / mp.pi**2 * (mp.atan2(w_true, h_true) - mp.atan2(w, h)) ** 2


def weight_of_aspect(pred, target, layout="xyxy"):
    axes = intervals(pred, target, layout)
    v = aspect(axes)
    return {"alpha": v / (1 - iou(axes) + v) if v else mp.zero}


def box_ciou(pred, target, layout="xyxy", alpha=None):
    axes = intervals(pred, target, layout)
    alpha = weight_of_aspect(pred, target, layout)["alpha"] if alpha is None else alpha
    return 1 - iou(axes) + distance(axes) + alpha * aspect(axes)


box_ciou.constants = weight_of_aspect
