"""Losses that tell the partner of an embedding from the rest of the batch."""

import numpy as np

from grid.points import Case

# batches of three embeddings: spread, close together, two alike, opposite
FIRST = [
    [[1.0, 0.2, -0.5], [0.3, -1.5, 2.0], [-0.7, 0.9, 0.4]],
    [[1.0, 0.01, 0.0], [1.0, -0.02, 0.01], [1.0, 0.0, 0.03]],
    [[2.0, 1.0, 0.5], [2.0, 1.0, 0.5], [-1.0, 3.0, 0.25]],
    [[1.0, 2.0, 3.0], [-1.0, -2.0, -3.0], [3.0, 0.0, -1.0]],
]
SECOND = [
    [[0.9, 0.1, -0.4], [0.2, -1.0, 1.0], [-1.0, 1.0, 0.5]],
    [[1.0, 0.02, 0.01], [1.0, 0.0, -0.01], [1.0, 0.01, 0.02]],
    [[1.0, 0.5, 0.5], [2.0, -1.0, 0.5], [-1.0, 3.0, 0.5]],
    [[1.0, 2.0, 2.5], [-1.0, -2.0, -3.5], [2.0, 1.0, -1.0]],
]
FEW = [[[0.5, 0.5, -0.25], [1.0, -2.0, 0.0]]] * 4
NONE = np.zeros((4, 0, 3))
EACH = [[[[0.5, 0.5, -0.25], [1.0, -2.0, 0.0]], [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [[0.5, 1.0, 2.0]] * 2]] * 4
LABELS = [[0, 0, 1], [1, 1, 1], [0, 2, 0], [3, 1, 2]]
FAR = [1.0, 1e-25, 1e25, 1e-3]  # lengths; a square of 1e25 is no float32


def pairs(name, settings, *more, steep=1.0, wrt=(0, 1)):
    """Values at lengths of all sizes, and gradients at ordinary ones, where `steep` is the size of their terms."""
    far = np.array(FAR)[:, None, None]
    first, second, rest = np.array(FIRST), np.array(SECOND), tuple(map(np.array, more))
    return [
        Case(name, (first, second, *rest), settings, wrt=wrt, slope_scale=steep),
        Case(name, (first * far, second / far, *rest), settings, wrt=()),
    ]


def contrast_cases():
    return [
        *pairs("nt_xent", {}, steep=2.0),
        *pairs("nt_xent", {"temperature": 0.01}, steep=100.0),
        *pairs("info_nce", {}, NONE, steep=10.0),
        *pairs("info_nce", {}, FEW, steep=10.0, wrt=(0, 1, 2)),
        *pairs("info_nce", {}, EACH, steep=10.0, wrt=(0, 2)),
        *pairs("info_nce", {"in_batch": False, "temperature": 0.01}, EACH, steep=100.0),
        *pairs("clip", {}, steep=15.0),
        *pairs("clip", {"log_scale": 5.0}, steep=100.0),
        *pairs("sig_lip", {}, steep=10.0),
        *pairs("sig_lip", {"log_scale": 4.0, "bias": -3.0}, steep=55.0),
        *(
            Case("sup_con", (np.array(FIRST), np.array(LABELS)), {"temperature": t}, slope_scale=1 / t)
            for t in (0.1, 0.01)
        ),
        *(
            Case("byol", (np.concatenate(FIRST), np.concatenate(SECOND) * far), slope_scale=2.0)
            for far in (1.0, 1e-25, 1e25)
        ),
        Case("byol", (1e25 * np.concatenate(FIRST), np.concatenate(SECOND)), wrt=()),
    ]


CASES = contrast_cases()

SETTINGS = {
    "nt_xent": [{"temperature": 0.01}, {"temperature": 3.0}],
    "info_nce": [{"temperature": 0.01, "in_batch": False}],
    "clip": [{"log_scale": 0.0}, {"log_scale": 6.0}],
    "sig_lip": [{"log_scale": 0.0, "bias": 0.0}, {"log_scale": 4.0, "bias": -3.0}],
    "sup_con": [{"temperature": 0.01}],
}

ALONE = [[1.0, 2.0]], [[0.5, -1.0]]
NOTHING, NOBODY = [[0.0, 0.0]], np.zeros((0, 2))

LIMITS = [
    ("nt_xent", [*ALONE], [0.0], [[0.0, 0.0]]),
    ("info_nce", [*ALONE, NOBODY], [0.0], [[0.0, 0.0]]),
    ("clip", [*ALONE], [0.0], [[0.0, 0.0]]),
    ("sup_con", [ALONE[0], [0]], [0.0], [[0.0, 0.0]]),
    ("sup_con", [[[1.0, 0.0], [1.0, 0.0]], [0, 1]], [0.0, 0.0], [[0.0, 0.0], [0.0, 0.0]]),
    ("sup_con", [[[1.0, 0.0], [0.0, 1.0]], [1, 1]], [0.0, 0.0], [[0.0, 0.0], [0.0, 0.0]]),
    ("nt_xent", [[[0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]], [np.log(3.0)] * 2, [[0.0, 0.0]] * 2),
    ("info_nce", [[[0.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]], NOBODY], [np.log(2.0)] * 2, [[0.0, 0.0]] * 2),
    ("sig_lip", [NOTHING, NOTHING], [np.logaddexp(0.0, 10.0)], [[0.0, 0.0]]),
    ("byol", [[0.0, 0.0], [1.0, 0.0]], 2.0, [0.0, 0.0]),
    ("byol", [[1.0, 2.0], [0.0, 0.0]], 2.0, [0.0, 0.0]),
    ("byol", [[3.0, 0.0], [1e300, 0.0]], 0.0, [0.0, 0.0]),
    ("byol", [[np.nan, 0.0], [1.0, 0.0]], np.nan, None),
]  # fmt: skip

CANCEL = "a cosine is rounded once, and a logit is 100 cosines: the largest scale on the grid"
ROUGH = {"nt_xent": CANCEL, "info_nce": CANCEL, "clip": CANCEL}
