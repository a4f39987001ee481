"""Convexity of losses that are not elementwise: by composition rules, else refuted with three points, else open.

    convex(read, (1, 3))         read(ops, pred) is the loss of a row of three logits
    convex_of(softmax_focal)     of a formula, with the first class right
    convex_of_batch(dice, (pred, target))    of a formula, in a batch that is given

The rules are read off a body (`ops.curvature`) and hold for all of R^n, or for all positive numbers where these are
what the prediction holds. A counterexample is looked for along lines, and holds with every digit: the value half way
exceeds the mean of the two ends.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lossmith.ops import curvature
from lossmith.ops.ball import precision
from lossmith.ops.curvature import Curve, Reader, Unread
from lossmith.prove import counterexample
from lossmith.prove.certificate import Verdict
from lossmith.prove.counterexample import Counterexample
from lossmith.prove.slice import Slice
from lossmith.shapes import letters
from lossmith.spec import Formula

Read = Callable[[Any, Any], Any]  # from a reader and the prediction to the values, or their total
LINES = 24
SHARES = (0.2421875, 0.4453125, 0.3125)  # a target distribution, exactly 1 together
POINTS = 2**6  # on a line
HALF = 8.0  # of a line, on either side of its middle
BOUNDED = ("simplex", "prob", "positive", "boxes", "cxcywh")  # a step far out leaves what the prediction may hold
NEAR = 2.0**-12  # points are multiples of this, so that their middle is exact


@dataclass(frozen=True)
class Shown:
    """A verdict on convexity in the prediction.

    where    for which predictions it holds
    because  the rules' answer; for a refuted claim what refutes it; for an open one what was tried
    middle, direction, by   the line of a counterexample, as numbers, and the three points on it
    """

    verdict: Verdict
    because: str
    middle: tuple[float, ...] = ()
    direction: tuple[float, ...] = ()
    by: Counterexample | None = None
    where: str = ""


def convex(
    read: Read, shape: tuple[int, ...], *, kind: str = "logits", seed: int = 0, around: np.ndarray | None = None
) -> Shown:
    """Whether `read(ops, pred)` is convex in a prediction of this shape: its values each, or its total.

    around    a valid prediction, through which the lines of a counterexample go
    """
    tried = by_rules(read, shape, positive=kind in ("simplex", "prob", "positive"))
    if tried == "":
        return Shown("proved", "composition rules")
    for middle, direction in _lines(shape, kind, seed, around):
        with precision():
            found = counterexample.look(_along(read, middle, direction), -HALF, HALF, POINTS)
        if found is not None:
            line = (tuple(middle.flat), tuple(direction.flat))
            half = float(found.at[2] - found.at[1]) * float(np.linalg.norm(direction))
            above = f"half way between two points {2 * half:.3g} apart it is {float(found.by):.3g} above their mean"
            return Shown("refuted", above, *line, found)
    return Shown("open", f"{tried}; no counterexample on {LINES} lines")


def convex_of(made: Formula, **settings: Any) -> Shown:
    """Whether a formula of rows is convex in its prediction: three classes, the first is right, or a distribution."""
    kinds = made.kinds_for(**settings)
    others = [
        np.zeros(1, dtype=int) if "index" in kind.split("|") else np.array([SHARES if letters(axes[0]) else SHARES[:1]])
        for kind, axes in zip(kinds[1:], made.shapes.arguments[1:], strict=True)
    ]

    def read(ops: Any, pred: Any) -> Any:
        arrays = [one.view(type(pred)) if one.dtype.kind == "i" else ops.asarray(one, like=pred) for one in others]
        return made.outcome(ops, pred, *arrays, **settings).values

    return replace(convex(read, (1, len(SHARES)), kind=kinds[0]), where=f"for 3 classes, all {kinds[0]}")


def convex_of_batch(made: Formula, arrays: Sequence[np.ndarray], **settings: Any) -> Shown:
    """Whether the total of a formula is convex in the first of some arrays, with the others as they are."""
    pred, *others = arrays

    def read(ops: Any, x: Any) -> Any:
        like = [one.view(type(x)) if one.dtype.kind == "i" else ops.asarray(one, like=x) for one in others]
        return made.outcome(ops, x, *like, **settings).values

    return convex_in_batch(read, pred, made.kinds_for(**settings)[0])


def convex_in_batch(read: Read, pred: np.ndarray, kind: str) -> Shown:
    """Whether `read(ops, pred)` is convex: by rules for every prediction of this shape, else refuted near this one."""
    where = f"for a batch of {' x '.join(map(str, pred.shape))}, all else held"
    return replace(convex(read, pred.shape, kind=kind, around=np.round(pred / NEAR) * NEAR), where=where)


def by_rules(read: Read, shape: tuple[int, ...], *, positive: bool = False) -> str:
    """Empty if the rules prove that every value is convex, else why they do not."""
    names = [f"x{index}" for index in range(int(np.prod(shape)))]
    pred = curvature.array(
        np.array([curvature.variable(name, positive=positive) for name in names], dtype=object).reshape(shape)
    )
    forms: set[tuple[Any, ...]] = set()
    for leader in range(shape[-1] if shape else 1):
        ops = Reader(leader)
        try:
            values: list[Curve] = [curvature.lift(one) for one in np.asarray(read(ops, pred)).reshape(-1)]
        except Unread as why:
            return f"no rule for {why}"
        except ArithmeticError as why:  # an overflow of a constant
            return f"not read: {str(why).splitlines()[0]}"
        if any(one.bend not in ("affine", "convex") for one in values):
            return "the rules do not make it convex"
        if not ops.asked:
            return ""
        if any(one.form is None for one in values):
            return "it asks which class leads, and the answers were not seen to agree"
        forms.add(tuple(one.form for one in values))
    return "" if len(forms) == 1 else "it is not the same whichever class leads"


def _lines(
    shape: tuple[int, ...], kind: str, seed: int, around: np.ndarray | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    random = np.random.default_rng(seed)
    for place in range(LINES):
        middle, direction = random.normal(size=(2, *shape)) * 2.0
        if place < min(LINES // 2, middle.size):  # along one entry alone
            direction = np.eye(middle.size)[place].reshape(shape)
        if kind in BOUNDED:
            middle = random.uniform(0.2, 0.8, size=shape)
            direction = direction / np.abs(direction).max() * 0.02
        middle = middle if around is None else around
        yield np.round(middle / NEAR) * NEAR, np.round(direction / NEAR) * NEAR


def _along(read: Read, middle: np.ndarray, direction: np.ndarray) -> Slice:
    """The total along a line."""

    def on_line(ops: Any, t: Any) -> Any:
        flat = np.asarray(t).reshape(-1)
        if flat.dtype != object:  # many doubles at once
            return np.array([_total(ops, read(ops, middle + float(one) * direction)) for one in flat])
        entries = np.empty(middle.shape, dtype=object)
        for place in np.ndindex(middle.shape):
            entries[place] = flat[0] * float(direction[place]) + float(middle[place])
        return np.array([_total(ops, read(ops, ops.asarray(entries)))], dtype=object)

    return Slice(on_line)


def _total(ops: Any, values: Any) -> Any:
    return np.asarray(ops.sum(values)).reshape(-1)[0]
