"""Losses of many yes-or-no labels."""

import numpy as np

from grid.points import LOGITS, Case, cross

NAME = "asymmetric_multilabel"
# near the clip, x0 = log(0.05 / 0.95), the probability less the clip is as exact as x - x0, of which x0 is rounded
POINTS = cross([*LOGITS, -2.5, -2.0], [0.0, 1.0, 0.3])
NORMAL = cross([x for x in LOGITS if abs(x) != 87.0], [0.0, 1.0, 0.3])  # e^-87 is normal, but not 0.6 of it
CASES = [
    Case(NAME, POINTS, digits=4400),
    Case(NAME, POINTS, {"gamma_pos": 0.0, "gamma_neg": 0.0, "clip": 0.2}, digits=4400),
    Case(NAME, POINTS, {"gamma_pos": 0.5, "gamma_neg": 1.0, "clip": 0.0}, digits=4400),
    Case(NAME, NORMAL, {"gamma_neg": 0.5, "clip": 0.6}, digits=4400),
    Case(NAME, POINTS, {"stop_focusing": True}, wrt=(), digits=4400),
]
SETTINGS = {
    NAME: [
        {"gamma_pos": 0.0, "gamma_neg": 0.0},
        {"gamma_pos": 3.0, "gamma_neg": 0.5, "clip": 0.0},
        {"clip": 0.5},
        {"stop_focusing": True},
    ]
}
LIMITS = [
    (NAME, [np.inf, 1.0], 0.0, 0.0),
    (NAME, [-np.inf, 0.0], 0.0, 0.0),
    (NAME, [np.inf, 0.0], -(0.95**4) * np.log(0.05), 0.0),
    (NAME, [-np.inf, 1.0], np.inf, None),
    (NAME, [-4.0, 0.0], 0.0, 0.0),
]
ROUGH = {NAME: "(1 - p)^gamma is an exponential of gamma log(1 - p), a large number"}
