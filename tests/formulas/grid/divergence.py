"""Losses between distributions."""

from functools import partial

import numpy as np
from textbook.numbers import mp
from textbook.softmax import softmax_cross_entropy

from grid.points import PROB_ROWS, ROWS, SHARES, Case, cross


def terms(pred_is, log_target, pred, target):
    """The size of the terms that cancel: t log t against t log p."""
    return softmax_cross_entropy(pred, [mp.exp(t) for t in target] if log_target else target, pred_is=pred_is)


def divergence_cases():
    probs = cross(PROB_ROWS, SHARES)
    name = "kl_divergence"
    return [
        Case(name, (np.log(probs[0]), probs[1]), value_scale=partial(terms, "log_prob", False)),
        Case(name, probs, {"pred_is": "prob"}, value_scale=partial(terms, "prob", False)),
        Case(
            name,
            cross(ROWS, SHARES),
            {"pred_is": "logit"},
            slope_scale=1.0,
            value_scale=partial(terms, "logit", False),
        ),
        Case(
            name,
            tuple(np.log(a) for a in cross(PROB_ROWS, PROB_ROWS)),
            {"log_target": True},
            value_scale=partial(terms, "log_prob", True),
        ),
    ]


CASES = divergence_cases()

SETTINGS = {
    "kl_divergence": [{"pred_is": "prob"}, {"pred_is": "logit"}, {"log_target": True}],
}

LIMITS = [
    ("kl_divergence", [[0.0, -np.inf], [1.0, 0.0]], 0.0, [-1.0, 0.0]),
    ("kl_divergence", [[-np.inf, 0.0], [1.0, 0.0]], np.inf, [-1.0, 0.0]),
]  # fmt: skip
