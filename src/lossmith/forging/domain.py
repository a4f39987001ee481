"""What the prediction and the target of an expression hold: said, or found by the principle of the checker.

A pair of kinds is right if the value is finite inside it and the perfect prediction is the best one.
"""

from collections.abc import Mapping
from itertools import pairwise, product

import numpy as np

from lossmith.domains import KINDS
from lossmith.errors import SettingError, message
from lossmith.forging.reading import in_digits
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


def grid(kinds: tuple[str, str], far: bool = False) -> dict[str, np.ndarray]:
    """Every prediction with every target, inside the kinds; with `far`, large and extreme ones too."""
    preds = (*PREDS[kinds[0]], *(FAR[kinds[0]] if far else ()))
    pairs = np.array(list(product(sorted(preds), TARGETS[kinds[1]])))
    return {"pred": pairs[:, 0], "target": pairs[:, 1]}


def kinds_of(root: Node, params: Mapping[str, float], pred: str | None, target: str | None) -> tuple[str, str]:
    """The kinds of pred and target.

    Errors    SettingError for a kind that does not exist, or an expression for which none is right
    """
    for option, given, known in (("--pred", pred, PREDS), ("--target", target, TARGETS)):
        if given is not None and given not in known:
            raise SettingError(message(f"{option} {given[:40]!r}: not a kind", {"kinds": ", ".join(known)}))
    if pred is not None and target is not None:
        _require_finite(root, params, (pred, target))
        return pred, target
    wanted = [pair for pair in PAIRS if pred in (None, pair[0]) and target in (None, pair[1])]
    found = next((pair for pair in wanted if _fits(root, params, pair)), None)
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
    points = grid(kinds)
    values = in_digits(root, points, params)
    for pred, target, value in zip(points["pred"], points["target"], values, strict=True):
        if not context.isfinite(value):
            raise SettingError(
                message(
                    "the expression has no finite value inside its domain",
                    {"pred": f"{pred:g}  ({kinds[0]})", "target": f"{target:g}  ({kinds[1]})", "value": str(value)},
                )
            )


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
