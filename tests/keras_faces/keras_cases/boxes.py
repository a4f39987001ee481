"""Losses of boxes."""

import numpy as np

from keras_cases.data import N, case, normal


def boxes(g):
    """Corners, some of the pairs apart."""
    corners = [0.3 * normal(g, N, 2) for _ in range(2)]
    return tuple(np.concatenate([c, c + g.uniform(0.5, 1.5, (N, 2))], 1).astype("float32") for c in corners)


CASES = [
    case("iou", "IoU", boxes),
    case("giou", "GIoU", boxes),
    case("diou", "DIoU", boxes),
    case("ciou", "CIoU", boxes),
    case("ciou cxcywh", "CIoU", boxes, layout="cxcywh"),
]
