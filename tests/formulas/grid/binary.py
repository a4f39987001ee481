"""Losses of one yes-or-no prediction."""

import numpy as np

from grid.points import LOGITS, PROBS, Case, cross


def binary_cases():
    logits, probs = cross(LOGITS, [0.0, 1.0, 0.3]), cross(PROBS, [0.0, 1.0, 0.3])
    inner = cross([1e-12, *PROBS[1:]], [0.0, 1.0, 0.3])  # at 1e-30 a part of the focal slope underflows in float32
    ends = np.array([0.0, 1.0])
    return [
        Case("binary_cross_entropy", logits, digits=4400),
        Case("binary_cross_entropy", logits, {"pos_weight": 3.5}, digits=4400),
        Case("binary_cross_entropy", probs, {"pred_is": "prob"}),
        Case("binary_cross_entropy", (ends, ends), {"pred_is": "prob", "pos_weight": 2.0}, wrt=()),
        *(Case("binary_focal", logits, {"gamma": gamma}, digits=4400) for gamma in (0.0, 0.5, 2.0, 5.0)),
        Case("binary_focal", logits, {"gamma": 2.0, "alpha": 0.25}, digits=4400),
        *(Case("binary_focal", inner, {"pred_is": "prob", "gamma": gamma}) for gamma in (0.0, 0.5, 2.0)),
    ]


CASES = binary_cases()

SETTINGS = {
    "binary_cross_entropy": [{"pos_weight": 3.0}, {"pos_weight": 0.2}, {"pred_is": "prob"}],
    "binary_focal": [{"gamma": 0.0}, {"gamma": 0.5}, {"gamma": 5.0, "alpha": 0.25}, {"pred_is": "prob"}],
}

LIMITS = [
    ("binary_cross_entropy", [np.inf, 1.0], 0.0, 0.0),
    ("binary_cross_entropy", [np.inf, 0.0], np.inf, 1.0),
    ("binary_cross_entropy", [-np.inf, 0.0], 0.0, 0.0),
    ("binary_focal", [np.inf, 1.0], 0.0, 0.0),
    ("binary_focal", [-np.inf, 1.0], np.inf, None),
    ("binary_focal", [-np.inf, 0.0], 0.0, 0.0),
]  # fmt: skip

ROUGH = {"binary_focal": "(1 - p)^gamma is an exponential of gamma log(1 - p), a large number"}
