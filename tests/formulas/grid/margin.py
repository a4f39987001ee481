"""Hinge losses. No gradient is asked at a kink (a margin just kept, two leading scores): the textbook splits it."""

import numpy as np

from grid.points import ROWS, SHARES, Case, cross

SCORES = [sign * x for x in (0.0, 1e-30, 1e-6, 0.5, 0.999, 1.001, 5.0, 1e4) for sign in (1, -1)]
DISTINCT = [[1.0, 2.0, 3.0, 4.25], [1e4, 9999.5, 3.0, -1e4], [0.25, -0.5, 0.75, -2.0], [-1.0, -2.0, -3.0, -4.0]]
BOTH = cross(SCORES, [-1.0, 0.0, 1.0])
KINK = np.array([1.0, -1.0]), np.array([1.0, -1.0])
ROW = "categorical_hinge"
CASES = [
    *(Case(name, BOTH) for name in ("hinge", "squared_hinge")),
    *(Case(name, KINK, wrt=()) for name in ("hinge", "squared_hinge")),
    Case(ROW, cross(DISTINCT, [0, 1, 3])),
    Case(ROW, cross(DISTINCT, SHARES[3:4])),
    Case(ROW, cross(ROWS, [0, 1, 3]), wrt=()),
    Case(ROW, cross(ROWS, SHARES), wrt=()),
]
LIMITS = [
    ("hinge", [1.0, 1.0], 0.0, 0.0),
    ("hinge", [-1.0, 0.0], 0.0, 0.0),
    ("hinge", [np.inf, 1.0], 0.0, 0.0),
    ("hinge", [-np.inf, 1.0], np.inf, -1.0),
    ("squared_hinge", [np.inf, 1.0], 0.0, 0.0),
    ("squared_hinge", [-np.inf, 1.0], np.inf, None),
    (ROW, [[2.0, 1.0], 0], 0.0, [0.0, 0.0]),
    (ROW, [[2.0, -np.inf], 0], 0.0, [0.0, 0.0]),
    (ROW, [[0.5, -3.0], 0], 0.5, [-1.0, 0.0]),
]
