"""What the prediction and the target of an expression hold: said, or found by the principle of the checker.

A pair of kinds is right if the value is finite inside it and the perfect prediction is the best one.
"""

from collections.abc import Mapping
from itertools import pairwise, product
from typing import Any

import numpy as np

from lossmith.domains import KINDS
from lossmith.errors import SettingError, message
from lossmith.forging.reading import in_digits
from lossmith.forging.rows import is_of_rows
from lossmith.forging.tree import Node
from lossmith.ops.digits import context

PREDS = {
    "real": (-6.3, -2.1, -1.0, -0.3, 0.0, 0.2, 0.5, 1.0, 1.7, 3.0, 7.5),
    "logits": (-7.0, -3.1, -1.2, -0.4, 0.0, 0.3, 0.9, 2.2, 5.6),
    "prob": (0.02, 0.05, 0.21, 0.4, 0.5, 0.63, 0.9, 0.98),
    "positive": (0.01, 0.2, 0.5, 1.0, 1.9, 3.0, 8.0),
}
TARGETS = {
    "real": (-1.0, 0.0, 0.5, 3.0),
    "binary": (0.0, 1.0),
    "soft": (0.0, 0.3, 1.0),
    "pm1": (-1.0, 1.0),
    "positive": (0.5, 1.0, 3.0),
    "count": (0.0, 1.0, 3.0),
}
FAR = {
    "real": (-1e4, -100.0, -20.0, 20.0, 100.0, 1e4),
    "logits": (-1e4, -100.0, -20.0, 20.0, 100.0, 1e4),
    "prob": (0.0, 1e-6, 1 - 1e-6, 1.0),
    "positive": (1e-6, 1e4),
}
PAIRS = (
    ("real", "real"),
    ("logits", "binary"),
    ("logits", "pm1"),
    ("positive", "positive"),
    ("positive", "count"),
    ("real", "count"),
    ("prob", "binary"),
)


# Rows of three classes: a row of slopes still fits a line.
ROWS = {
    "logits": (
        (0.0, 0.0, 0.0),
        (1.3, -0.4, 0.2),
        (-0.7, 2.2, 0.9),
        (-3.1, -1.2, 1.7),
        (0.6, -1.9, 3.8),
        (5.6, -2.4, 1.1),
    ),
    "simplex": ((0.4, 0.3, 0.3), (0.5, 0.3, 0.2), (0.1, 0.7, 0.2), (0.05, 0.2, 0.75), (0.02, 0.05, 0.93)),
}
ROWS["real"] = ((0.3, 0.1, -0.2), *ROWS["logits"][1:])
TARGET_ROWS = {
    "index": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "dist": ((1.0, 0.0, 0.0), (0.1, 0.65, 0.25), (0.05, 0.2, 0.75)),
    "real": ((0.5, -1.0, 2.0), (-0.7, 2.2, 0.9), (3.0, 0.2, -1.5)),
}
FAR_ROWS = {
    "logits": ((-100.0, 20.0, 3.0), (1e4, -1e4, 100.0), (40.0, -40.0, -90.0)),
    "simplex": ((0.0, 0.5, 0.5), (1e-6, 0.5, 0.499999), (0.999998, 1e-6, 1e-6)),
}
FAR_ROWS["real"] = FAR_ROWS["logits"]
PAIRS_OF_ROWS = (
    ("real", "real"),
    ("logits", "index"),
    ("simplex", "index"),
    ("logits", "dist"),
    ("simplex", "dist"),
)


def grid(kinds: tuple[str, str], far: bool = False, of_rows: bool = False) -> dict[str, np.ndarray]:
    """Every prediction with every target, inside the kinds; with `far`, large and extreme ones too."""
    if of_rows:
        rows = [*ROWS[kinds[0]], *(FAR_ROWS[kinds[0]] if far else ())]
        both = list(product(rows, TARGET_ROWS[kinds[1]]))
        return {name: np.array([pair[i] for pair in both]) for i, name in enumerate(("pred", "target"))}
    preds = (*PREDS[kinds[0]], *(FAR[kinds[0]] if far else ()))
    pairs = np.array(list(product(sorted(preds), TARGETS[kinds[1]])))
    return {"pred": pairs[:, 0], "target": pairs[:, 1]}


def kinds_of(root: Node, params: Mapping[str, float], pred: str | None, target: str | None) -> tuple[str, str]:
    """The kinds of pred and target.

    Errors    SettingError for a kind that does not exist, or an expression for which none is right
    """
    of_rows = is_of_rows(root)
    preds, targets, pairs = (ROWS, TARGET_ROWS, PAIRS_OF_ROWS) if of_rows else (PREDS, TARGETS, PAIRS)
    for option, given, known in (("--pred", pred, preds), ("--target", target, targets)):
        if given is not None and given not in known:
            raise SettingError(message(f"{option} {given[:40]!r}: not a kind", {"kinds": ", ".join(known)}))
    if pred is not None and target is not None:
        _require_finite(root, params, (pred, target))
        return pred, target
    wanted = [pair for pair in pairs if pred in (None, pair[0]) and target in (None, pair[1])]
    fits = _fits_rows if of_rows else _fits
    found = next((pair for pair in wanted if fits(root, params, pair)), None)
    if found is None:
        raise SettingError(
            message(
                "what pred and target hold could not be found out",
                {"tried": ", ".join(f"{p} and {t}" for p, t in wanted) or "nothing of these kinds"},
                why="in none of them is the perfect prediction the best one, with finite values around it",
                fix="say it, such as --pred logits --target binary, if the loss means what it says",
            )
        )
    return found


def _require_finite(root: Node, params: Mapping[str, float], kinds: tuple[str, str]) -> None:
    points = grid(kinds, of_rows=is_of_rows(root))
    values = in_digits(root, points, params)
    for pred, target, value in zip(points["pred"], points["target"], values, strict=True):
        if not context.isfinite(value):
            given = {"pred": f"{said(pred)}  ({kinds[0]})", "target": f"{said(target)}  ({kinds[1]})"}
            raise SettingError(
                message("the expression has no finite value inside its domain", {**given, "value": str(value)})
            )


def said(x: Any) -> str:
    """A number, or the numbers of a row."""
    return f"{x:.4g}" if np.ndim(x) == 0 else f"({', '.join(f'{one:.4g}' for one in x)})"


def _fits_rows(root: Node, params: Mapping[str, float], kinds: tuple[str, str]) -> bool:
    """The target itself is best where both are of one kind; else the row whose largest entry is the target's."""
    for goal in TARGET_ROWS[kinds[1]]:
        rows = [*ROWS[kinds[0]], *(_around(goal) if kinds[1] == "real" else _peaks(kinds[0], len(goal)))]
        points = {"pred": np.array(rows), "target": np.array([goal] * len(rows))}
        values = list(in_digits(root, points, params))
        if not all(context.isfinite(value) for value in values):
            return False
        least = min(values) + context.mpf(10) ** -40  # where rows tie, they do so to rounding
        best = [row for row, value in zip(rows, values, strict=True) if value <= least]
        if kinds[1] == "real" and goal not in best:
            return False
        if kinds[1] != "real" and {int(np.argmax(row)) for row in best} != {int(np.argmax(goal))}:
            return False
    return True


def _around(goal: tuple[float, ...]) -> list[tuple[float, ...]]:
    """A row, and those with one of its entries a step away."""
    steps = product(range(len(goal)), (-0.25, 0.25))
    return [goal, *(tuple(x + step * (i == place) for i, x in enumerate(goal)) for place, step in steps)]


def _peaks(kind: str, classes: int) -> list[tuple[float, ...]]:
    """For each class a row that is sure of it."""
    high, low = (0.94, 0.06 / (classes - 1)) if kind == "simplex" else (4.0, -1.0)
    return [tuple(high if i == place else low for i in range(classes)) for place in range(classes)]


def _fits(root: Node, params: Mapping[str, float], kinds: tuple[str, str]) -> bool:
    preds, best = PREDS[kinds[0]], []
    for target in TARGETS[kinds[1]]:
        if KINDS[kinds[0]].low == 0.0 and KINDS[kinds[0]].high != 1.0:
            preds = tuple(sorted({*PREDS[kinds[0]], target} - {0.0}))
        values = list(in_digits(root, {"pred": np.array(preds), "target": np.full(len(preds), target)}, params))
        if not all(context.isfinite(value) for value in values):
            return False
        least = min(values)
        best.append([pred for pred, value in zip(preds, values, strict=True) if value == least])
    return _is_perfect(best, kinds)


def _is_perfect(best: list[list[float]], kinds: tuple[str, str]) -> bool:
    targets = TARGETS[kinds[1]]
    if kinds == ("real", "count"):  # the logarithm of a rate: only its order is asked
        return all(low[0] < high[0] for low, high in pairwise(best))
    if kinds[0] in ("real", "positive"):
        lowest = min(PREDS[kinds[0]])
        return all(
            target in found or (target == 0.0 and lowest in found) for target, found in zip(targets, best, strict=True)
        )
    ends = min(PREDS[kinds[0]]), max(PREDS[kinds[0]])
    return ends[0] in best[0] and ends[1] not in best[0] and ends[1] in best[-1] and ends[0] not in best[-1]
