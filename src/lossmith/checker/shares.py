"""What a loss of labels makes a model predict, where a label is 1 in a share of all cases.

    p*(share) = argmin over x of  share * L(x, 1) + (1 - share) * L(x, 0)

on a grid of logits, each label alone. A loss is proper where p* is the share itself, and calibrated for
classification where p* is on the right side of 1/2.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.many import at_many
from lossmith.checker.sample import SIZES
from lossmith.checker.subject import Subject

SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95)
GRID = torch.linspace(-14, 14, 561, dtype=torch.float64)


@dataclass(frozen=True)
class Map:
    """The prediction, as a probability, for each share of 1s."""

    shares: tuple[float, ...]
    predicted: tuple[float, ...]

    @property
    def proper(self) -> bool:
        return all(abs(p - share) < 0.01 for p, share in zip(self.predicted, self.shares, strict=True))

    @property
    def votes(self) -> bool:
        """One prediction for each class, however sure the case is."""
        middle = len(self.shares) // 2
        low, high = self.predicted[:middle], self.predicted[middle:]
        return max(low) - min(low) < 1e-3 and max(high) - min(high) < 1e-3

    def wrong_side(self) -> list[tuple[float, float]]:
        pairs = zip(self.shares, self.predicted, strict=True)
        return [(share, p) for share, p in pairs if (p - 0.5) * (share - 0.5) < -1e-3]


def map_of(subject: Subject) -> Map | None:
    """The map of a loss of single labels; None for any other loss, and for one that pulls the wrong way or nowhere.

    Cached.
    """
    if "shares" not in subject.cache:
        subject.cache["shares"] = _map_of(subject)
    return subject.cache["shares"]


def _map_of(subject: Subject) -> Map | None:
    contract = subject.contract
    if contract.pred.kind not in ("logits", "prob") or contract.target_kind() not in ("binary", "soft", "pm1"):
        return None
    if len(contract.arguments) != 2 or contract.draw is not None:
        return None
    alone = subject.with_contract(replace(contract, sizes=dict.fromkeys(SIZES, 1)))
    one, where, goal = alone.draw(1, 1), contract.preds[0], contract.target or 0
    if one[where].numel() != 1 or one[where].shape != one[goal].shape or not alone.run(one).finite_value:
        return None
    low = -1.0 if contract.target_kind() == "pm1" else 0.0
    costs = [_costs(alone, one, where, goal, label) for label in (low, 1.0)]
    if not all(bool(torch.isfinite(cost).all()) for cost in costs):
        return None
    best = [float(GRID[(s * costs[1] + (1 - s) * costs[0]).argmin()].sigmoid()) for s in SHARES]
    return Map(SHARES, tuple(best)) if best[0] < best[-1] else None


def _costs(subject: Subject, one: tuple[Any, ...], where: int, goal: int, label: float) -> Tensor:
    prob = subject.contract.pred.kind == "prob"

    def move(x: Tensor) -> tuple[Any, ...]:
        changed = list(one)
        changed[where] = torch.zeros_like(one[where], dtype=torch.float64) + (x.sigmoid() if prob else x)
        changed[goal] = torch.full_like(one[goal], label)
        return tuple(changed)

    return at_many(subject, move, (GRID,), dtype=torch.float64).value
