"""Losses of segmented images, on images of four pixels."""

import numpy as np

from grid.points import Case

LOGITS = [
    [[0.0, 0.0, 0.0], [0.5, -1.0, 0.25], [2.0, 1.0, -3.0], [-0.75, 0.125, 4.0]],
    [[6.0, -6.5, 0.0], [9.0, 1.0, -8.0], [-7.0, 8.5, -3.0], [5.0, 0.0, 12.0]],  # nearly sure
    [[17.5, 0.0, -1.0], [-20.0, 2.0, -19.0], [0.5, 16.5, 0.25], [0.0, 1.0, 18.0]],  # where 1 - p rounds to 1
    [[1e4, 0.0, -1.0], [0.0, 1e4, 1.0], [0.0, 1e4, -2.0], [3.0, -1e4, 2.0]],  # p is 0 and 1
]
APART = [  # no two errors are equal, where the gradient of the Lovász extension depends on which is taken first
    [[0.0, 0.3, -0.2], [0.5, -1.25, 0.25], [2.0, 1.5, -3.0], [-0.75, 0.125, 4.0]],
    [[6.0, -6.5, 0.75], [9.0, 1.125, -8.0], [-7.0, 8.5, -3.0], [5.0, 0.25, 12.0]],
    [[17.5, 0.5, -1.5], [-20.0, 2.0, -19.0], [0.5, 16.5, 0.25], [0.25, 1.25, 18.0]],
]
APART_PROBS = [[[0.25, 0.5, 0.7], [0.9, 0.02, 0.1], [1e-6, 0.95, 0.35], [0.4, 0.6, 0.2]]]
LABELS = [[0, 0, 1, 2], [2, 1, 1, 0], [1, 1, 1, 1]]
SHARES = [
    [[0.5, 0.25, 0.25], [1.0, 0.0, 0.0], [0.0, 0.125, 0.875], [0.2, 0.3, 0.5]],
    [[0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]],
]
PROBS = [
    [[0.25, 0.5, 0.75], [0.9, 0.0, 0.1], [1e-6, 1.0, 0.3], [0.4, 0.6, 0.2]],
    [[1.0, 0.0, 0.0], [0.5, 0.25, 0.25], [0.0, 1.0, 0.0], [1e-30, 1e-12, 1.0]],
]


def images(preds, targets, single=False):
    """Every prediction with every target; `single`: the first class alone."""
    pairs = [(p, t) for p in preds for t in targets]
    pred, target = np.array([p for p, _ in pairs]), np.array([t for _, t in pairs])
    return (pred[..., :1].copy(), np.minimum(target, 1)) if single else (pred, target)


SUMS = 1.0  # p - q of a softmax, and shares that are not hard, cancel
CASES = [
    Case("dice", images(LOGITS, LABELS), slope_scale=SUMS),
    Case("dice", images(LOGITS, LABELS), {"activation": "sigmoid"}, slope_scale=0.1),
    Case("dice", images(LOGITS[:3], LABELS, single=True), slope_scale=0.1),
    Case("dice", images(PROBS, LABELS), {"pred_is": "prob"}, slope_scale=SUMS),
    Case("dice", images(LOGITS[:2], SHARES), {"form": "l1", "smooth": 1.0}, slope_scale=SUMS),
    Case("dice", images(LOGITS[1:3], LABELS[:2]), {"form": "squared"}, slope_scale=SUMS),
    Case("dice", images(LOGITS[:2], LABELS), {"classes": "present", "background": False}, slope_scale=SUMS),
    Case("dice", images(LOGITS[1:2], LABELS[:2]), {"log": True}, slope_scale=SUMS),
    Case("jaccard", images(LOGITS[1:], LABELS), slope_scale=SUMS),
    Case("jaccard", images(LOGITS[:1], SHARES), {"form": "squared", "smooth": 1.0, "log": True}, slope_scale=SUMS),
    *(
        Case(name, images(arrays, LABELS), settings, slope_scale=scale)  # what all of them share
        for name in ("jaccard", "tversky", "focal_tversky")
        for arrays, settings, scale in (
            (LOGITS[:2], {"activation": "sigmoid"}, 0.1),
            (PROBS[:1], {"pred_is": "prob"}, SUMS),
            (LOGITS[:1], {"classes": "present", "background": False}, SUMS),
        )
    ),
    Case("tversky", images(LOGITS[1:], LABELS), {"alpha": 0.25, "beta": 1.5}, slope_scale=SUMS),
    Case("tversky", images(LOGITS[:1], SHARES), {"form": "l1", "smooth": 1.0}, slope_scale=SUMS),
    Case("focal_tversky", images(LOGITS[1:], LABELS), slope_scale=SUMS),
    Case("focal_tversky", images(LOGITS[:2], LABELS[:2]), {"alpha": 0.5, "beta": 1.5}, slope_scale=SUMS),
    Case("focal_tversky", images(LOGITS[:1], SHARES), {"gamma": 1.5, "smooth": 1.0}, slope_scale=SUMS),
    Case("focal_tversky", images(LOGITS[1:3], LABELS[:2]), {"form": "squared"}, slope_scale=SUMS),
    Case("lovasz_hinge", images(LOGITS, LABELS), wrt=()),
    Case("lovasz_hinge", images(APART, LABELS)),
    Case("lovasz_hinge", images(APART, LABELS, single=True)),
    Case("lovasz_hinge", images(APART, LABELS), {"classes": "present", "background": False}),
    Case("lovasz_softmax", images(LOGITS[:3], LABELS), wrt=()),
    Case("lovasz_softmax", images(APART, LABELS), slope_scale=1.0),
    Case("lovasz_softmax", images(APART, LABELS, single=True), slope_scale=0.1),
    Case(
        "lovasz_softmax",
        images(APART, LABELS),
        {"activation": "sigmoid", "classes": "all", "background": False},
        slope_scale=0.1,
    ),
    Case("lovasz_softmax", images(APART_PROBS, LABELS), {"pred_is": "prob"}, slope_scale=1.0),
]

OVERLAP = [
    {"pred_is": "prob"},
    {"activation": "sigmoid"},
    {"form": "l1"},
    {"form": "squared", "smooth": 1.0},
    {"classes": "present"},
    {"background": False},
]
SETTINGS = {
    "dice": [*OVERLAP, {"log": True}],
    "jaccard": [*OVERLAP, {"log": True}],
    "tversky": [*OVERLAP, {"alpha": 0.3, "beta": 0.7}],
    "focal_tversky": [*OVERLAP, {"alpha": 1.0, "beta": 1.0, "gamma": 2.0}],
    "lovasz_hinge": [{"classes": "present"}, {"background": False}],
    "lovasz_softmax": [{"pred_is": "prob"}, {"activation": "sigmoid"}, {"classes": "all"}, {"background": False}],
}

INF = np.inf
SURE, EMPTY = [[[INF], [-INF]], [1, 0]], [[[-INF], [-INF]], [0, 0]]
LIMITS = [
    *((name, SURE, [0.0], [[0.0], [0.0]]) for name in ("dice", "jaccard", "tversky", "focal_tversky")),
    *((name, EMPTY, [0.0], [[0.0], [0.0]]) for name in ("dice", "jaccard", "tversky", "focal_tversky")),
    *((name, [[[-INF], [0.0]], [0, 0]], [1.0], [[0.0], [0.0]]) for name in ("dice", "jaccard", "tversky")),
    *((name, [[[0.0], [0.0]], [1, 2]], [np.nan], None) for name in ("dice", "lovasz_hinge", "lovasz_softmax")),
    ("lovasz_hinge", [[[1.0], [-2.0]], [1, 0]], [0.0], [[0.0], [0.0]]),
    ("lovasz_hinge", [[[3.0], [-5.0]], [0, 0]], [4.0], [[1.0], [0.0]]),
    ("lovasz_softmax", SURE, [0.0], [[0.0], [0.0]]),
]
