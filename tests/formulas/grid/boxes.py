"""Losses of boxes: apart, touching, inside each other, crossing, far from 0, thin, inverted, without area."""

import numpy as np

from grid.points import Case

PAIRS = [
    ([0.0, 0.0, 2.0, 1.0], [1.0, 0.5, 3.0, 2.0]),
    ([0.0, 0.0, 1.0, 1.0], [3.0, 4.0, 5.0, 5.0]),  # apart
    ([5.0, 2.0, 7.0, 3.0], [0.0, 0.0, 1.0, 1.0]),
    ([0.0, 0.0, 1.0, 1.0], [0.25, 3.0, 0.75, 5.0]),  # apart along one axis
    ([0.0, 0.0, 1.0, 1.0], [1.0, 0.25, 2.0, 0.75]),  # touching
    ([-1.0, -2.0, 3.0, 4.0], [0.0, 0.0, 1.0, 1.5]),  # around the target
    ([0.25, 0.25, 0.5, 0.75], [0.0, 0.0, 1.0, 1.0]),  # inside it
    ([0.0, 2.0, 8.0, 2.5], [3.0, 0.0, 3.5, 8.0]),  # crossing
    ([0.0, 0.0, 1.0, 1.0], [1e-4, -1e-4, 1.0 + 1e-4, 1.0]),  # close to a match
    ([0.5, 0.25, 3.0, 4.0], [0.5, 0.25, 3.0, 4.0]),  # a match
    ([1000.0, 2000.0, 1001.0, 2003.0], [1000.5, 1999.0, 1002.0, 2002.0]),  # far from 0
    ([0.0, 0.0, 1e-12, 1e-12], [1.0, 1.0, 1.0 + 1e-6, 1.0 + 2e-6]),  # two specks
    ([0.0, 0.0, 1e-20, 1e-21], [5e-21, 0.0, 2e-20, 3e-21]),
    ([2.0, 3.0, 0.5, 1.0], [1.0, 0.0, 3.0, 2.0]),  # inverted
    ([2.0, 1.0, 2.0, 1.0], [0.0, 0.0, 3.0, 5.0]),  # a point inside
    ([2.0, 1.0, 2.0, 4.0], [0.0, 0.0, 3.0, 5.0]),  # a line inside
]
HUGE = [([0.0, 0.0, 1e15, 1e16], [5e14, 1e15, 3e15, 8e15]), ([0.0, 0.0, 1e15, 1e16], [5e15, 1e16, 6e15, 3e16])]
CENTRED = [
    ([0.0, 0.0, 2.0, 1.0], [1.0, 0.5, 3.0, 2.0]),
    ([0.0, 0.0, 1.0, 1.0], [4.0, -3.0, 2.0, 1.0]),
    ([1000.0, 500.0, 2.0, 3.0], [1000.5, 500.25, 2.5, 2.0]),
    ([0.25, 0.5, 1.0, 2.0], [0.25, 0.5, 1.0, 2.0]),
    ([0.0, 0.0, 1e-3, 1e-3], [1.0, 1.0, 4.0, 5.0]),
    ([0.5, 0.5, -1.0, 2.0], [0.0, 0.0, 3.0, 2.0]),
]
NAMES = ("box_iou", "box_giou", "box_diou", "box_ciou")


def box_cases():
    corners, centred, huge = (tuple(map(np.array, zip(*pairs, strict=True))) for pairs in (PAIRS, CENTRED, HUGE))
    # what a side of the intersection and of the union add to a slope cancels: each is one over the length of a side
    return [
        case
        for name in NAMES
        for case in (
            Case(name, corners, wrt=(0, 1), slope_scale=1.0),
            Case(name, huge, slope_scale=1e-15),
            Case(name, centred, {"layout": "cxcywh"}, slope_scale=1.0),
        )
    ]


CASES = box_cases()

SETTINGS = {name: [{"layout": "cxcywh"}] for name in NAMES}

POINT, LINE = [1.0, 2.0, 1.0, 2.0], [1.0, 0.0, 1.0, 2.0]
STILL = [0.0, 0.0, 0.0, 0.0]
LIMITS = [
    *((name, [POINT, POINT], 0.0, STILL) for name in NAMES),
    *((name, [LINE, LINE], 0.0, STILL) for name in NAMES),
    ("box_iou", [LINE, [1.0, 1.0, 1.0, 3.0]], 2 / 3, None),  # along x they agree
    ("box_iou", [POINT, [4.0, 6.0, 4.0, 6.0]], 1.0, STILL),
    ("box_giou", [POINT, [4.0, 6.0, 4.0, 6.0]], 2.0, STILL),
    ("box_giou", [LINE, [3.0, 0.0, 3.0, 2.0]], 2.0, None),
    ("box_diou", [POINT, [4.0, 6.0, 4.0, 6.0]], 2.0, STILL),
    ("box_ciou", [POINT, [4.0, 6.0, 4.0, 6.0]], 2.0, STILL),
    ("box_iou", [[0.0, 0.0, 1.0, 1.0], [3.0, 4.0, 5.0, 5.0]], 1.0, STILL),
    ("box_iou", [[0.0, 0.0, np.nan, 1.0], [0.0, 0.0, 1.0, 1.0]], np.nan, None),
    ("box_giou", [[0.0, 0.0, np.nan, 1.0], [0.0, 0.0, 1.0, 1.0]], np.nan, None),
    ("box_diou", [[0.0, 0.0, np.nan, 1.0], [0.0, 0.0, 1.0, 1.0]], np.nan, None),
    ("box_ciou", [[0.0, 0.0, np.nan, 1.0], [0.0, 0.0, 1.0, 1.0]], np.nan, None),
]  # fmt: skip
