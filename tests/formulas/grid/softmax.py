"""Losses of a choice between classes."""

import numpy as np

from grid.points import PROB_ROWS, ROWS, SHARES, Case, cross


def softmax_cases():
    labelled, shared = cross(ROWS, [0, 1, 2, 3]), cross(ROWS, SHARES)
    weights = [1.0, 2.5, 0.0, 0.5]
    probs = cross(PROB_ROWS, [0, 1, 2, 3])
    logs = (np.log(probs[0]), probs[1])
    name = "softmax_cross_entropy"
    return [
        Case(name, labelled),
        Case(name, shared, slope_scale=1.0),
        Case(name, labelled, {"class_weight": weights}),
        Case(name, shared, {"class_weight": weights}, slope_scale=1.0),
        Case(name, labelled, {"label_smoothing": 0.1}, slope_scale=1.0),
        Case(name, shared, {"label_smoothing": 0.1}, slope_scale=1.0),
        Case(name, labelled, {"class_weight": weights, "label_smoothing": 0.1}, slope_scale=1.0),
        Case(name, probs, {"pred_is": "prob"}),
        Case(name, logs, {"pred_is": "log_prob", "class_weight": weights}),
        *(Case("softmax_focal", labelled, {"gamma": gamma}) for gamma in (0.0, 0.5, 2.0, 5.0)),
        Case("softmax_focal", labelled, {"alpha": weights}),
        *(Case("softmax_focal", probs, {"pred_is": "prob", "gamma": gamma}) for gamma in (0.0, 0.5, 2.0)),
        Case("softmax_focal", shared, {"alpha": 0.25}, slope_scale=1.0),
    ]


CASES = softmax_cases()

SETTINGS = {
    "softmax_cross_entropy": [
        {"label_smoothing": 0.2},
        {"class_weight": [1.0, 2.0, 0.5, 3.0]},
        {"pred_is": "log_prob"},
        {"pred_is": "prob"},
    ],
    "softmax_focal": [
        {"gamma": 0.0},
        {"gamma": 0.5},
        {"gamma": 5.0, "alpha": [1.0, 2.0, 0.5, 3.0]},
        {"pred_is": "prob"},
    ],
}

HALF_FOCAL = (1 + 2 * np.log(2)) / 8  # p (1 - p)^2 (1 / p + 2 (-log p) / (1 - p)) (1 - p) at p = 1/2

LIMITS = [
    ("softmax_cross_entropy", [[1.0, -np.inf, -np.inf], 0], 0.0, [0.0, 0.0, 0.0]),
    ("softmax_cross_entropy", [[1.0, 1.0, -np.inf], 0], np.log(2), [-0.5, 0.5, 0.0]),
    ("softmax_cross_entropy", [[-np.inf, 0.0, -np.inf], 0], np.inf, [-1.0, 1.0, 0.0]),
    ("softmax_cross_entropy", [[1.0, 1.0, -np.inf], [1.0, 0.0, 0.0]], np.log(2), [-0.5, 0.5, 0.0]),
    ("softmax_cross_entropy", [[7.0], 0], 0.0, [0.0]),
    ("softmax_focal", [[1.0, -np.inf, -np.inf], 0], 0.0, [0.0, 0.0, 0.0]),
    ("softmax_focal", [[0.0, 0.0, -np.inf], 0], np.log(2) / 4, [-HALF_FOCAL, HALF_FOCAL, 0.0]),
    ("softmax_focal", [[0.0, -np.inf, 5.0], 1], np.inf, None),
    ("softmax_focal", [[7.0], 0], 0.0, [0.0]),
]  # fmt: skip

ROUGH = {"softmax_focal": "(1 - p)^gamma is an exponential of gamma log(1 - p), a large number"}
