"""Cross-entropy against a smoothed target."""

import numpy as np

from grid.points import PROB_ROWS, ROWS, SHARES, Case, cross

labelled, shared, probs = cross(ROWS, [0, 3]), cross(ROWS, SHARES[1:4]), cross(PROB_ROWS, [0, 2])
NAME = "smoothed_cross_entropy"
CASES = [
    *(Case(NAME, labelled, {"smoothing": s, "over": "others"}, slope_scale=1.0) for s in (0.0, 0.1, 1.0)),
    Case(NAME, labelled, {"smoothing": 0.1, "over": "all"}, slope_scale=1.0),
    Case(NAME, shared, slope_scale=1.0),
    Case(NAME, shared, {"over": "others"}, slope_scale=1.0),
    Case(NAME, probs, {"pred_is": "prob", "over": "others"}),
    Case(NAME, (np.log(probs[0]), probs[1]), {"pred_is": "log_prob"}),
]
SETTINGS = {
    NAME: [{"smoothing": 0.3, "over": "others"}, {"smoothing": 1.0}, {"pred_is": "prob"}, {"pred_is": "log_prob"}]
}
LIMITS = [
    (NAME, [[7.0], 0], 0.0, [0.0]),
    (NAME, [[0.0, 0.0], 1], np.log(2), [0.45, -0.45]),
    (NAME, [[0.0, -np.inf], 0], np.inf, [0.05, -0.05]),
]
