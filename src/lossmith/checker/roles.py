"""Signs that prediction and target have changed places, each where nothing else explains it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.contract import PRED_NAMES, TARGET_NAMES, target_first
from lossmith.checker.handed import exchanged
from lossmith.checker.judge import SEEDS
from lossmith.checker.options import is_function
from lossmith.checker.quantiles import levels_of, settings_of
from lossmith.checker.sample import generator, head
from lossmith.checker.subject import Subject
from lossmith.checker.wrong import put

LEVEL = re.compile(r"^(?:tau|q|quantile|quantile_level|level|percentile)$")
SHARES = (0.1, 0.3, 0.7, 0.9)
INSIDE = tuple(k / 50 for k in range(1, 50))
LOGITS = tuple(k / 10 - 5 for k in range(101))
NEAR = 0.03


@dataclass(frozen=True)
class Turned:
    said: str
    why: str
    fix: str
    inputs: tuple[Any, ...]


def _pair(subject: Subject) -> tuple[int, int]:
    return subject.contract.preds[0], subject.contract.target or 0


def _few(subject: Subject) -> tuple[Any, ...]:
    inputs = subject.draw(1)
    return inputs if subject.contract.draw is not None else head(subject.contract, inputs, 2)


def keras_turned(subject: Subject) -> Turned | None:
    """A loss of Keras whose names say (y_pred, y_true), and that is not the same both ways."""
    if subject.framework not in ("keras", "tensorflow"):
        return None
    names = subject.parameters
    own = is_function(subject.loss)
    if len(names) < 2 or not target_first(names[1], names[0]):
        return None
    if own and not (names[0].startswith("y_pred") and names[1].startswith("y_true")):
        return None
    first, second = (subject.draw(seed)[_pair(subject)[0]] for seed in (1, 2))
    given = list(subject.draw(1))
    there, back = list(given), list(given)
    there[0], there[1], back[0], back[1] = first, second, second, first
    one, other = subject.values(there), subject.values(back)
    if not (torch.isfinite(torch.tensor([one, other])).all() and abs(one - other) > 1e-4 * (abs(one) + abs(other))):
        return None
    return Turned(
        f"keras calls it with (y_true, y_pred), and it takes ({names[0]}, {names[1]})",
        f"it is not the same both ways: {one:.6g} and {other:.6g} for the same two tensors exchanged",
        f"take ({names[1]}, {names[0]})",
        tuple(given),
    )


def quantile_turned(subject: Subject) -> Turned | None:
    """A loss of residuals with a level q whose two sides cost as those of 1 - q do."""
    if sorted(subject.contract.kinds()) != ["real", "real"]:
        return None
    if (several := _columns_turned(subject)) is not None:
        return several
    for name, now in _levels(subject).items():
        values = (now,) if now != 0.5 else (0.9,)
        for q in values:
            made = subject if q == now else subject.with_settings(**{name: q})
            level = _level(made) if made is not None else None
            if level is not None and abs(level - (1 - q)) < 1e-4 and abs(q - 0.5) > 0.01:
                return Turned(
                    f"with {name}={q:g} it predicts the {level:.4g} quantile: prediction and target are exchanged",
                    f"a prediction that is too low costs {level / (1 - level):.4g} times one that is too high",
                    "take target - prediction where it takes prediction - target",
                    _few(subject),
                )
    return None


def _columns_turned(subject: Subject) -> Turned | None:
    """The same of a loss with a column of the prediction for each level."""
    name, levels = levels_of(subject)
    where, goal = _pair(subject)
    inputs = list(_few(subject))
    if not levels or inputs[where].ndim != 2 or inputs[where].shape[1] != len(levels):
        return None
    exact = inputs[goal].reshape(len(inputs[goal]), 1).expand_as(inputs[where])

    def cost(column: int, residual: float) -> float:
        inputs[where] = exact.clone()
        inputs[where][:, column] += residual
        return subject.values(inputs, dtype=torch.float64)

    for column, q in enumerate(levels):
        low, high = cost(column, -1.0), cost(column, 1.0)
        if abs(cost(column, 0.0)) > 1e-6 or min(low, high) <= 0 or abs(low / (low + high) - (1 - q)) > 1e-4:
            return None
    if all(abs(q - 0.5) < 0.01 for q in levels):
        return None
    return Turned(
        f"with {name}={levels} it predicts the quantiles {tuple(round(1 - q, 6) for q in levels)}: prediction and "
        "target are exchanged",
        "in each column a prediction that is too low costs what one that is too high should",
        "take target - prediction where it takes prediction - target",
        _few(subject),
    )


def _levels(subject: Subject) -> dict[str, float]:
    """Settings that are called a quantile and lie between 0 and 1."""
    given = settings_of(subject).items()
    return {name: value for name, value in given if LEVEL.match(name) and isinstance(value, float) and 0 < value < 1}


def _level(subject: Subject) -> float | None:
    """The quantile or expectile that makes the two sides cost the same; None for a loss that is no such thing."""
    where, goal = _pair(subject)
    inputs = list(_few(subject))
    if inputs[where].shape != inputs[goal].shape:
        return None

    def at(residual: float) -> float:
        inputs[where] = inputs[goal] + residual
        return subject.values(inputs, dtype=torch.float64)

    low, high, lower, higher, none = at(-1.0), at(1.0), at(-2.0), at(2.0), at(0.0)
    if abs(none) > 1e-6 or min(low, high) <= 0:
        return None
    growth = lower / low, higher / high
    if abs(growth[0] - growth[1]) > 1e-4 or min(abs(growth[0] - power) for power in (2.0, 4.0)) > 1e-4:
        return None
    return low / (low + high)


def handed_turned(subject: Subject) -> Turned | None:
    """A loss of labels that is proper in its target and linear in its prediction, where names tell which is which."""
    contract = subject.contract
    where, goal = _pair(subject)
    inputs = _few(subject)
    if contract.target_kind() not in ("binary", "soft") or contract.pred.kind not in ("prob", "logits"):
        return None
    if inputs[where].shape != inputs[goal].shape or not _named(subject):
        return None

    def cost(pred: float, target: float) -> float:
        given = list(inputs)
        given[where], given[goal] = torch.full_like(inputs[where], pred), torch.full_like(inputs[goal], target)
        return subject.values(given, dtype=torch.float64)

    if not _is_linear(cost) or not _is_proper(lambda x, y: cost(y, x)):
        return None
    names = contract.arguments[where].name, contract.arguments[goal].name
    return Turned(
        f"it is a likelihood of {names[1]} for labels in {names[0]}: the two are exchanged on the way",
        f"where {names[0]} is 1 in 30 of 100 cases it is least at {names[1]} = 0.3, and not the other way round",
        f"hand over {names[0]} first where it is the prediction of the inner function",
        inputs,
    )


def rows_turned(subject: Subject) -> Turned | None:
    """The same of rows of classes, sum(p log t): on every draw it is least where the target is the prediction."""
    contract = subject.contract
    where, goal = _pair(subject)
    if contract.kinds() not in (("prob", "binary"), ("binary", "prob")) or contract.pred.domain.axes != ("N", "C"):
        return None
    if not _named(subject):
        return None
    for seed in SEEDS:
        inputs = list(subject.draw(seed))
        g = generator(seed)
        rows, other, apart = (torch.randn(inputs[where].shape, generator=g).softmax(-1) for _ in range(3))

        def cost(pred: Tensor, target: Tensor, given: list[Any] = inputs) -> float:
            return subject.values(put(put(given, where, pred), goal, target), dtype=torch.float64)

        ends = cost(rows, other), cost(apart, other)
        middle = cost((rows + apart) / 2, other)
        close = 1e-6 * (abs(ends[0]) + abs(ends[1]))
        if not abs(ends[0] - ends[1]) > 1e3 * close or abs(middle - sum(ends) / 2) > close:
            return None
        rivals = [torch.lerp(rows, each, part) for each in (other, apart) for part in (0.05, 0.3, 1.0)]
        rivals += [(power * rows.log()).softmax(-1) for power in (0.5, 0.8, 1.2, 2.0)]  # a product is best sharper
        if not all(cost(rows, rows) < cost(rows, rival) for rival in rivals):
            return None
    names = contract.arguments[where].name, contract.arguments[goal].name
    return Turned(
        f"it is a likelihood of {names[1]} for labels in {names[0]}: the logarithm is taken of the target",
        f"for given {names[0]} it is least where {names[1]} equals it, and it is a straight line in {names[0]}",
        f"take the logarithm of {names[0]}, and weigh it with {names[1]}",
        _few(subject),
    )


def called_turned(subject: Subject) -> Turned | None:
    """A function that gets the target where it takes the prediction, as the names of both say."""
    found = exchanged(subject)
    if found is None:
        return None
    given = (found.guess, found.goal) if found.goal_first else (found.goal, found.guess)
    return Turned(
        f"{found.function} takes the {'target' if found.goal_first else 'prediction'} first, and is given {given[0]} "
        f"first and {given[1]} second",
        f"{found.line}: it is not the same both ways" if found.line else "it is not the same both ways",
        f"{found.function}({given[1]}, {given[0]})",
        _few(subject),
    )


def _named(subject: Subject) -> bool:
    contract = subject.contract
    where, goal = _pair(subject)
    pred, target = (contract.arguments[index].name.lower() for index in (where, goal))
    known = pred in PRED_NAMES or re.search(r"pred|prob|logit", pred) is not None
    return known and (target in TARGET_NAMES or re.search(r"target|true|label", target) is not None)


def _is_linear(cost: Callable[[float, float], float]) -> bool:
    """True if the cost is a straight line in its first argument, and not level."""
    for target in (0.3, 0.7):
        values = [cost(x, target) for x in (0.1, 0.3, 0.5, 0.7, 0.9)]
        steps = [after - before for before, after in pairwise(values)]
        size = max(abs(step) for step in steps)
        if not size > 1e-6 or max(steps) - min(steps) > 1e-6 * size:
            return False
    return True


def _is_proper(cost: Callable[[float, float], float]) -> bool:
    """True if the x with the least expected cost is the share of 1s, as it is or as a logit, for every share."""
    return any(all(_least(cost, places, share, link) for share in SHARES) for places, link in _LINKS)


def _least(
    cost: Callable[[float, float], float], places: Sequence[float], share: float, link: Callable[[float], float]
) -> bool:
    costs = [share * cost(x, 1.0) + (1 - share) * cost(x, 0.0) for x in places]
    best = places[min(range(len(places)), key=costs.__getitem__)]
    return all(value == value for value in costs) and abs(link(best) - share) < NEAR


_LINKS: tuple[tuple[Sequence[float], Callable[[float], float]], ...] = (
    (INSIDE, lambda x: x),
    (LOGITS, lambda x: float(torch.sigmoid(torch.tensor(x)))),
)
