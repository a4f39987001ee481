"""Losses between distributions."""

from functools import partial

import numpy as np
from textbook.divergence import probs
from textbook.numbers import log_probs, mp
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


def reverse_terms(pred_is, log_target, pred, target):
    """p log p against p log t."""
    rows = zip(probs(pred, pred_is), log_probs(pred, pred_is), target, strict=True)
    return sum(p * (abs(log_p) + abs(t if log_target else mp.log(t))) for p, log_p, t in rows if p)


def reverse_cases():
    prob = cross(PROB_ROWS, PROB_ROWS)
    logs = tuple(map(np.log, prob))
    name = "reverse_kl_divergence"
    each = [
        (logs[0], prob[1], {}),
        (*prob, {"pred_is": "prob"}),
        (*logs, {"log_target": True}),
        (*cross(ROWS, PROB_ROWS), {"pred_is": "logit"}),
    ]
    return [
        Case(
            name,
            (pred, target),
            settings,
            slope_scale=1.0,
            value_scale=partial(reverse_terms, settings.get("pred_is", "log_prob"), settings.get("log_target", False)),
        )
        for pred, target, settings in each
    ]


def jensen_shannon_cases():
    prob = cross([*PROB_ROWS, *SHARES], [*PROB_ROWS, *SHARES])
    kept = (prob[0] > 0).all(-1)  # a prediction of exactly 0 has the gradient of a convention
    inner = cross(PROB_ROWS, PROB_ROWS)
    logs = tuple(map(np.log, inner))
    near = (inner[0][::5], np.array(PROB_ROWS) * (1 + 1e-4 * np.array([1.0, -1.0, 1.0, -1.0])))
    name = "jensen_shannon"
    return [
        Case(name, (prob[0][kept], prob[1][kept]), {"pred_is": "prob"}, slope_scale=1.0),
        Case(name, (prob[0][~kept], prob[1][~kept]), {"pred_is": "prob"}, wrt=()),
        Case(name, near, {"pred_is": "prob"}, slope_scale=1.0),
        Case(name, (logs[0], inner[1]), {"pred_is": "log_prob"}, slope_scale=1.0, value_scale=1.0),
        Case(name, (inner[0], logs[1]), {"pred_is": "prob", "log_target": True}, slope_scale=1.0, value_scale=1.0),
        Case(name, cross(ROWS, SHARES), slope_scale=1.0, value_scale=1.0),
    ]


def distillation_terms(pred, teacher, target, temperature=4.0, alpha=0.1):
    soft = softmax_cross_entropy([x / temperature for x in pred], probs([z / temperature for z in teacher], "logit"))
    return (1 - alpha) * temperature**2 * soft + alpha * softmax_cross_entropy(pred, target)


def distillation_cases():
    # each row with itself and with three others: digits of exp(-1e4) take their time
    student, teacher = (
        np.concatenate([np.roll(each, shift, 0) for shift in shifts])
        for each, shifts in ((np.array(ROWS), (0, 0, 0, 0)), (np.array(ROWS), (0, 1, 3, 5)))
    )
    labels, shares = np.arange(len(student)) % 4, np.array(SHARES)[np.arange(len(student)) % len(SHARES)]
    sizes = {"slope_scale": 4.0, "digits": 4400}
    settings = {"temperature": 2.0, "alpha": 0.5}
    name = "distillation"
    return [
        Case(name, (student, teacher, labels), value_scale=distillation_terms, **sizes),
        Case(name, (student, teacher, shares), settings, value_scale=partial(distillation_terms, **settings), **sizes),
    ]


CASES = [*divergence_cases(), *reverse_cases(), *jensen_shannon_cases(), *distillation_cases()]

SETTINGS = {
    "kl_divergence": [{"pred_is": "prob"}, {"pred_is": "logit"}, {"log_target": True}],
    "reverse_kl_divergence": [{"pred_is": "prob"}, {"pred_is": "logit"}, {"log_target": True}],
    "jensen_shannon": [{"pred_is": "prob"}, {"pred_is": "log_prob"}, {"log_target": True}],
    "distillation": [{"temperature": 1.0}, {"alpha": 0.0}, {"alpha": 1.0}],
}

LIMITS = [
    ("kl_divergence", [[0.0, -np.inf], [1.0, 0.0]], 0.0, [-1.0, 0.0]),
    ("kl_divergence", [[-np.inf, 0.0], [1.0, 0.0]], np.inf, [-1.0, 0.0]),
    ("reverse_kl_divergence", [[0.0, -np.inf], [1.0, 0.0]], 0.0, [1.0, 0.0]),
    ("reverse_kl_divergence", [[0.0, -np.inf], [0.0, 1.0]], np.inf, None),
    ("jensen_shannon", [[0.0, -np.inf], [0.0, 1.0]], np.log(2), [0.0, 0.0]),
    ("jensen_shannon", [[0.0, -np.inf], [1.0, 0.0]], 0.0, [0.0, 0.0]),
    ("distillation", [[7.0], [5.0], 0], 0.0, [0.0]),
]  # fmt: skip
