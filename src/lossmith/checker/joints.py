"""Where the pieces of a loss meet: jumps of its value, kinks of its slope, and what autograd says exactly there.

A loss of single numbers is looked at along a line: every prediction has the same distance from its target. Between two
points of a grid, a smooth loss rises as its slopes say. Where it does not, the interval is halved: what is left of the
difference when the interval is a billionth wide is a jump; what is left of the difference of slopes is a kink.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.curve import OF_MANY
from lossmith.checker.handwritten import surrounding
from lossmith.checker.lines import Move
from lossmith.checker.many import at_many
from lossmith.checker.sample import SIZES
from lossmith.checker.signature import source_of
from lossmith.checker.subject import Subject
from lossmith.checker.watch import Calls

ENDS = {"binary": (0.0, 1.0), "pm1": (-1.0, 1.0), "real": (0.0, 1.5)}
SPAN, POINTS = 12.3, 493  # 0.05 apart, so that round numbers are not on the grid
SHARP = 1e-6  # of the largest value: what rounding and curvature cannot explain
HALVINGS = 36


@dataclass(frozen=True)
class Joint:
    """At `x` of a line: the value and the slope on both sides."""

    x: float
    line: "Line"
    values: tuple[float, float]
    slopes: tuple[float, float]
    width: float  # between the two sides

    @property
    def inputs(self) -> tuple[Any, ...]:
        return self.line.at(self.x)

    @property
    def jump(self) -> float:
        """What is left of the difference once the steeper slope has had its share."""
        risen = abs(self.values[1] - self.values[0]) - 1.1 * self.width * max(map(abs, self.slopes))
        return max(risen, 0.0)


@dataclass(frozen=True)
class Line:
    """`move(x)` gives the arguments with every prediction `x` from its target, or at `x` for labels."""

    target: float
    move: Move

    def at(self, x: float) -> tuple[Any, ...]:
        return self.move(torch.tensor(x, dtype=torch.float64))


def lines(subject: Subject) -> list[Line]:
    """The lines of a loss of single numbers, one for each kind of target; none for any other loss."""
    contract = subject.contract
    kinds = (contract.pred.kind, contract.target_kind())
    fits = kinds == ("real", "real") or (kinds[0] in ("logits", "real") and kinds[1] in ("binary", "pm1"))
    if not fits or len(contract.preds) != 1 or contract.draw is not None or set(contract.kinds()) & OF_MANY:
        return []
    single = subject.with_contract(replace(contract, sizes=dict.fromkeys(SIZES, 1)))
    one = single.draw(1, 1)
    if not single.run(one).finite_value or not _adds_up(subject):
        return []
    where, goal = contract.preds[0], contract.target or 0
    if _is_of_directions(subject, where):
        return []
    if one[where].shape != one[goal].shape:
        return []
    return [Line(target, _move(one, where, goal, target, kinds == ("real", "real"))) for target in ENDS[kinds[1]]]


def _is_of_directions(subject: Subject, where: int) -> bool:
    """True if the length of a prediction does not matter: a direction of one number is its sign, which jumps."""
    inputs = subject.draw(1)
    longer = tuple(3 * value if i == where else value for i, value in enumerate(inputs))
    here = subject.values(inputs, dtype=torch.float64)
    return abs(subject.values(longer, dtype=torch.float64) - here) < 1e-6 * (1 + abs(here))


def _move(one: tuple[Any, ...], where: int, goal: int, target: float, residual: bool) -> Move:
    start = target if residual else 0.0

    def move(x: Tensor) -> tuple[Any, ...]:
        changed = list(one)
        changed[where] = torch.zeros_like(one[where], dtype=torch.float64) + (start + x)
        changed[goal] = torch.full_like(one[goal], target)
        return tuple(changed)

    return move


def _adds_up(subject: Subject) -> bool:
    """True if a batch costs the sum or the mean of its samples: then no sample is chosen by what the others cost."""
    inputs = subject.draw(1, 4)
    parts = [subject.values(tuple(value[i : i + 1] for value in inputs), dtype=torch.float64) for i in range(4)]
    whole = subject.values(inputs, dtype=torch.float64)
    near = 1e-6 * (1 + abs(whole))
    return all(isfinite(part) for part in parts) and min(abs(sum(parts) - whole), abs(sum(parts) / 4 - whole)) < near


def joints(subject: Subject) -> list[Joint]:
    """All places where the value or the slope of a loss jumps, by line; cached."""
    if "joints" not in subject.cache:
        found: list[Joint] = []
        if not _steps(subject):
            for line in lines(subject):
                found += _along(subject, line)
        subject.cache["joints"] = found
    return subject.cache["joints"]


def _steps(subject: Subject) -> bool:
    """True if it rounds, or asks for a sign, or replaces a derivative: what jumps there jumps on purpose."""
    if subject.bridged:  # no call is seen there
        return "stop_gradient" in source_of(subject.loss)
    watch = Calls(subject.file)
    trial = subject.run(subject.draw(1), watch=watch)
    if any(function.changes_only_the_gradient for function in surrounding(subject, trial)):
        return True
    rounding = {"round", "sign", "floor", "ceil", "trunc", "heaviside", "bucketize", "long", "int", "argmax", "topk"}
    return bool(watch.cuts) or any(name.strip("_") in rounding for name, _ in watch.steps)


def _along(subject: Subject, line: Line) -> Iterator[Joint]:
    x = torch.linspace(-SPAN, SPAN, POINTS, dtype=torch.float64) + 1.7e-3
    made = at_many(subject, line.move, (x,), dtype=torch.float64)
    value, slope = made.value, made.slopes[0]
    if not bool(torch.isfinite(value).all() and torch.isfinite(slope).all()):
        return
    h = float(x[1] - x[0])
    size = float(value.abs().max()) + 1e-12
    missing = (value.diff() - h * (slope[1:] + slope[:-1]) / 2).abs()
    bent = slope.diff().abs()
    usual = torch.stack([bent.roll(1), bent.roll(-1)]).amax(0) + 1e-9 * float(slope.abs().max())
    for i in torch.nonzero((missing > SHARP * size) | (bent > 3 * usual)).flatten().tolist()[:8]:
        joint = _closer(subject, line, float(x[i]), float(x[i + 1]))
        if joint is not None:
            yield joint


def value_and_slope(subject: Subject, line: Line, x: float) -> tuple[float, float]:
    trial = subject.run(line.at(x), dtype=torch.float64)
    return trial.value, float("nan") if trial.grad is None else float(trial.grad.sum())


def _closer(subject: Subject, line: Line, low: float, high: float) -> Joint | None:
    """Halve the interval, keeping the half in which value and slope change more than the other half explains."""
    below, above = value_and_slope(subject, line, low), value_and_slope(subject, line, high)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        between = value_and_slope(subject, line, middle)
        if not all(map(isfinite, (*below, *above, *between))):
            return None
        if _change(below, between, middle - low) >= _change(between, above, high - middle):
            high, above = middle, between
        else:
            low, below = middle, between
    return Joint(round((low + high) / 2, 7), line, (below[0], above[0]), (below[1], above[1]), high - low)


def _change(a: tuple[float, float], b: tuple[float, float], width: float) -> float:
    return abs(b[0] - a[0] - width * (a[1] + b[1]) / 2) / max(width, 1e-12) + abs(b[1] - a[1])
