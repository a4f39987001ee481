"""Losses of a discriminator and a generator."""

import numpy as np

from grid.points import KINK, LOGITS, Case, cross

SCORES = [0.0, 1e-30, 1e-6, 0.3, 0.999, 1.001, 1.5, 17.0, 89.0, 1e4]
SCORES = [sign * x for x in SCORES for sign in (1, -1)]


def adversarial_cases():
    logits, smooth, hard = cross(LOGITS, [0.0, 1.0]), cross(LOGITS, [0.1, 0.9]), cross(SCORES, [0.0, 1.0])
    shifted = cross(SCORES, [-1.0, 0.9])
    leads = np.array([17.0, 40.0, -88.0, 0.5, 3.0, -3.0, 1e4]), np.array([0.0, 38.0, 16.0, 0.5, 3.5, 1e4, -1e4])
    scores = (np.array(SCORES),)
    return [
        *(
            Case("gan_discriminator", x, {"mode": m}, digits=4400)
            for m in ("vanilla", "non_saturating")
            for x in (logits, smooth)
        ),
        *(Case("gan_discriminator", x, {"mode": "least_squares"}, slope_scale=KINK) for x in (hard, shifted)),
        *(Case("gan_discriminator", hard, {"mode": m}) for m in ("wasserstein", "hinge")),
        *(Case("gan_generator", (np.array(LOGITS),), {"mode": m}, digits=4400) for m in ("vanilla", "non_saturating")),
        Case("gan_generator", (np.array(LOGITS),), {"mode": "non_saturating", "label": 0.875}, digits=4400),
        *(Case("gan_generator", scores, {"mode": m}) for m in ("least_squares", "wasserstein", "hinge")),
        Case("gan_generator", scores, {"mode": "least_squares", "label": -0.5}),
        *(Case("gan_relativistic", (*leads, np.full(7, t)), wrt=(0, 1), digits=9000) for t in (1.0, 0.0, 0.25)),
    ]


CASES = adversarial_cases()

MODES = ("vanilla", "least_squares", "wasserstein", "hinge")
SETTINGS = {
    "gan_discriminator": [{"mode": mode} for mode in MODES],
    "gan_generator": [
        *({"mode": mode} for mode in MODES),
        {"label": 0.9},
        {"mode": "least_squares", "label": -1.0},
    ],
}

LIMITS = [
    ("gan_discriminator", [np.inf, 1.0], 0.0, 0.0),
    ("gan_discriminator", [np.inf, 0.0], np.inf, 1.0),
    ("gan_discriminator", [np.nan, 0.0], np.nan, None),
    ("gan_generator", [-np.inf], np.inf, -1.0),
    ("gan_generator", [np.inf], 0.0, 0.0),
    ("gan_relativistic", [np.inf, 0.0, 1.0], 0.0, 0.0),
    ("gan_relativistic", [-np.inf, 0.0, 1.0], np.inf, -1.0),
    ("gan_relativistic", [np.inf, np.inf, 1.0], np.nan, None),
]  # fmt: skip
