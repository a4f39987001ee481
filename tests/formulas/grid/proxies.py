"""Losses of embeddings and a proxy for each class."""

import numpy as np

from grid.points import Case

PROXIES = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.5, -0.5, 1.0], [-1e-3, 0.0, 2e-3]])
# cosines of 1 and -1, beside them, past the margin, and ordinary ones
POINTS = [[2.0, 0.0, 0.0], [-3.0, 0.0, 0.0], [1.0, 1e-3, 0.0], [-1.0, 1e-3, 0.0], [-1.0, 0.25, 0.0]]
POINTS += [[1.0, 2.0, 3.0], [0.5, -0.5, 0.25], [0.0, 1.0, 0.0], [-0.5, 0.75, 8.0], [0.25, 0.0, 1.0]]
EMBEDDING = np.array(POINTS)
TARGET = np.array([0, 0, 0, 0, 0, 1, 2, 3, 1, 2])
LENGTHS = np.array([1e-15, 1e15, 1e-10, 1e8, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])[:, None]
ROWS, WIDE = (EMBEDDING, TARGET, PROXIES), (EMBEDDING * LENGTHS, TARGET, PROXIES)
BATCH = (EMBEDDING[[[0, 2, 5, 6], [4, 7, 8, 9]]], np.array([[0, 0, 1, 2], [0, 1, 1, 3]]), PROXIES)
BOTH = (0, 2)

CASES = [
    Case("arc_face", ROWS, wrt=(0,), slope_scale=64.0),
    Case("arc_face", WIDE, wrt=()),
    Case("arc_face", ROWS, {"margin": 1.2, "scale": 4.0}, wrt=(0,), slope_scale=4.0),
    Case("cos_face", ROWS, wrt=(0,), slope_scale=64.0),
    Case("cos_face", WIDE, {"margin": 0.0, "scale": 4.0}, wrt=()),
    *(Case("sphere_face", ROWS, {"margin": m}, wrt=(0,), slope_scale=16.0) for m in (1, 2, 3, 4)),
    Case("proxy_nca", ROWS, wrt=(0,), slope_scale=1.0, value_scale=1.0),
    Case("proxy_nca", ROWS, {"contrast": "all", "scale": 8.0}, wrt=(0,), slope_scale=8.0),
    Case("proxy_anchor", BATCH, wrt=(0,), slope_scale=32.0),
    Case("proxy_anchor", BATCH, {"alpha": 4.0, "margin": 0.5}, wrt=BOTH[:1], slope_scale=4.0),
    # by the proxies, where all of them have a length near 1
    *(
        Case(name, (EMBEDDING[5:], TARGET[5:], PROXIES + 0.25), wrt=(2,), slope_scale=64.0)
        for name in ("arc_face", "cos_face", "sphere_face", "proxy_nca")
    ),
]

SETTINGS = {
    "arc_face": [{"margin": 1.2, "scale": 4.0}],
    "cos_face": [{"margin": 0.1, "scale": 8.0}],
    "sphere_face": [{"margin": 1}, {"margin": 3}],
    "proxy_nca": [{"contrast": "all", "scale": 8.0}],
    "proxy_anchor": [{"alpha": 4.0, "margin": 0.5}],
}

TWO = [[1.0, 0.0], [0.0, 1.0]]
LIMITS = [
    ("arc_face", [[0.0, 0.0], 0, TWO], np.log1p(np.exp(64 * np.sin(0.5))), [0.0, 0.0]),
    ("cos_face", [[0.0, 0.0], 0, TWO], np.log1p(np.exp(64 * 0.35)), [0.0, 0.0]),
    ("sphere_face", [[0.0, 0.0], 0, TWO], np.log(2.0), [0.0, 0.0]),
    ("proxy_nca", [[0.0, 0.0], 0, TWO], 0.0, [0.0, 0.0]),
    ("proxy_nca", [[0.0, 1.0], 0, [[1.0, 0.0]]], 0.0, [0.0, 0.0]),
    *((name, [[0.0, 1.0], 2, TWO], np.nan, None) for name in ("arc_face", "cos_face", "sphere_face", "proxy_nca")),
    ("proxy_anchor", [[[0.0, 1.0], [1.0, 0.0]], [2, 0], TWO], np.nan, None),
]  # fmt: skip
