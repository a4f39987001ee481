"""Losses for labels of which some are wrong."""

import numpy as np

from grid.points import PROB_ROWS, ROWS, SHARES, Case, cross

labelled, shared, probs = cross(ROWS, [0, 1, 3]), cross(ROWS, SHARES[1:4]), cross(PROB_ROWS, [0, 1])
zeros = np.array([[0.0, 1.0], [0.0, 1.0]]), np.array([0, 1])
GCE, SCE = "generalized_cross_entropy", "symmetric_cross_entropy"


def noise_cases():
    return [
        *(Case(GCE, labelled, {"q": q}) for q in (1e-3, 0.5, 0.7, 1.0)),
        Case(GCE, labelled, {"truncation": 0.4}),
        Case(GCE, shared, slope_scale=1.0),
        *(Case(GCE, probs, {"pred_is": "prob", "q": q}) for q in (0.5, 1.0)),
        Case(GCE, probs, {"pred_is": "prob", "truncation": 0.2}),
        Case(GCE, zeros, {"pred_is": "prob", "q": 0.5}, wrt=()),
        Case(GCE, zeros, {"pred_is": "prob", "truncation": 0.2}, wrt=()),
        Case(SCE, labelled),
        Case(SCE, labelled, {"alpha": 0.0, "beta": 2.0, "log_zero": -6.0}),
        Case(SCE, labelled, {"alpha": 6.0, "beta": 0.0}),
        Case(SCE, shared, slope_scale=4.0),
        Case(SCE, shared, {"log_zero": -1.0}, slope_scale=1.0),
        Case(SCE, probs, {"pred_is": "prob"}),
        Case(SCE, zeros, {"pred_is": "prob", "alpha": 0.0}),
    ]


CASES = noise_cases()
SETTINGS = {
    GCE: [{"q": 0.1}, {"q": 1.0}, {"truncation": 0.3}, {"pred_is": "prob"}],
    SCE: [{"alpha": 6.0, "beta": 0.1}, {"alpha": 0.0}, {"log_zero": -1.0}, {"pred_is": "prob"}],
}
LIMITS = [
    (GCE, [[1.0, -np.inf, -np.inf], 0], 0.0, [0.0, 0.0, 0.0]),
    (GCE, [[0.0, -np.inf], 1], 1 / 0.7, [0.0, 0.0]),
    (GCE, [[7.0], 0], 0.0, [0.0]),
    (SCE, [[1.0, -np.inf, -np.inf], 0], 0.0, [0.0, 0.0, 0.0]),
    (SCE, [[0.0, 0.0, -np.inf], 0], 0.1 * np.log(2) + 2.0, [-1.05, 1.05, 0.0]),
    (SCE, [[0.0, -np.inf], 1], np.inf, None),
    (SCE, [[7.0], 0], 0.0, [0.0]),
]
