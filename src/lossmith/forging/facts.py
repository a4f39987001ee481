"""What is true of an expression, measured at fifty digits before anything is written.

The derivative is compared with differences of the expression as it was given, and the rewritten form with it. The
places where a word changes its piece are looked for, and the gradient is compared on both sides. Whether the loss is
convex is read off the gradient, which then nowhere falls.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any, Literal

import numpy as np

from lossmith.errors import LossmithError
from lossmith.forging.domain import FAR, PREDS, TARGETS, grid
from lossmith.forging.reading import in_digits
from lossmith.forging.rows import is_of_rows
from lossmith.forging.spell import text_of
from lossmith.forging.tree import PRED, Call, Node, Number, names_in, sub, walk
from lossmith.ops.digits import context

Shape = Literal["curved", "straight", "convex", "not convex"]
STEP = context.mpf(10) ** -16
NEAR = context.mpf(10) ** -12
BESIDE = context.mpf(10) ** -24
STEPS = 41  # points on each line of the search


@dataclass(frozen=True)
class Kink:
    """Where the pieces of a loss meet, and the gradient on both sides of one such place."""

    where: str
    pred: float
    target: float
    left: float
    right: float
    value_jumps: bool

    @property
    def smooth(self) -> bool:
        return not self.value_jumps and abs(self.left - self.right) <= 1e-9 * max(1.0, abs(self.left))


@dataclass(frozen=True)
class Facts:
    """`shape` is for the default parameters: "straight" is convex with places where the curvature is 0.

    Of a loss of rows it is "convex" or not; its kinks are not looked for.
    """

    shape: Shape
    kinks: tuple[Kink, ...]
    points: int


def facts_of(
    given: Node,
    value: Node,
    slopes: Mapping[str, Node],
    curvature: Node,
    kinds: tuple[str, str],
    params: dict[str, float],
) -> Facts:
    """Measure. `slopes` are the derivatives by pred and by target.

    Errors    LossmithError if a rewritten form or a derivative is not what it must be, a fault of lossmith
    """
    points = _require_right(given, value, slopes, kinds, params)
    if is_of_rows(given):
        return Facts(_shape_of_rows(slopes["pred"], kinds, params), (), points)
    return Facts(_shape(slopes["pred"], curvature, kinds, params), tuple(_kinks(given, slopes, kinds, params)), points)


def _require_right(
    given: Node, value: Node, slopes: Mapping[str, Node], kinds: tuple[str, str], params: dict[str, float]
) -> int:
    points = {name: array[smooth_points(given, kinds, params)] for name, array in grid_of(given, kinds).items()}
    exact = {name: exactly(array) for name, array in points.items()}
    want = in_digits(given, exact, params)
    _require_near(in_digits(value, exact, params), want, "the rewritten form")
    for name, slope in slopes.items():
        found = in_digits(slope, exact, params)
        for which, step in _steps(exact[name]):
            sides = [in_digits(given, {**exact, name: exact[name] + side * step}, params) for side in (1, -1)]
            _require_near(found[which], (sides[0] - sides[1]) / (2 * STEP), f"the slope in {name}")
    return len(want)


def grid_of(given: Node, kinds: tuple[str, str], far: bool = False) -> dict[str, np.ndarray]:
    """The grid of a loss: of numbers, or of rows."""
    return grid(kinds, far, is_of_rows(given))


def exactly(array: np.ndarray) -> np.ndarray:
    return np.vectorize(lambda x: context.mpf(float(x)), otypes=[object])(array)


def _steps(x: np.ndarray) -> Iterator[tuple[Any, Any]]:
    """A small step of each number, or of one entry of each row at a time, and which slopes it measures."""
    if x.ndim == 1:
        yield ..., STEP
    else:
        for place in range(x.shape[-1]):
            yield (..., place), STEP * np.eye(x.shape[-1], dtype=int)[place]


def smooth_points(given: Node, kinds: tuple[str, str], params: dict[str, float]) -> np.ndarray:
    """Which points of the grid are inside a piece, and inside the domain of both arguments."""
    points = grid_of(given, kinds)
    keep = np.ones(len(points["pred"]), bool)
    for switch in _switches(given):
        keep &= np.array([np.all(value != 0) for value in in_digits(switch, points, params)])
    return keep & np.array([context.isfinite(value) for value in in_digits(given, points, params)])


def _require_near(got: Any, want: Any, what: str) -> None:
    for one, true in zip(got, want, strict=True):
        if context.isfinite(true) and not abs(one - true) <= NEAR * max(1, abs(true)):
            raise LossmithError(
                f"{what} is {one} where fifty digits give {true}: a fault of lossmith, nothing was written"
            )


def _switches(root: Node) -> Iterator[Node]:
    """What is 0 where a word changes its piece."""
    for node in walk(root):
        if not isinstance(node, Call) or not names_in(node) & {"pred", "target"}:
            continue
        if node.word in ("abs", "sign", "sqrt"):
            yield node.args[0]
        elif node.word in ("minimum", "maximum", "lt", "le", "gt", "ge", "eq", "ne"):
            yield sub(*node.args)
        elif node.word == "pow" and not (isinstance(node.args[1], Number) and node.args[1].value % 1 == 0):
            yield node.args[0]


def line(kinds: tuple[str, str]) -> np.ndarray:
    """Predictions from one end of the domain to the other, far ones and those of the grid included."""
    inner = np.linspace(min(PREDS[kinds[0]]), max(PREDS[kinds[0]]), STEPS)
    return np.unique([*inner, *PREDS[kinds[0]], *FAR[kinds[0]]])


def _shape(slope: Node, curvature: Node, kinds: tuple[str, str], params: dict[str, float]) -> Shape:
    straight = False
    for target in TARGETS[kinds[1]]:
        points = {"pred": line(kinds), "target": np.full(len(line(kinds)), target)}
        slopes = [value for value in in_digits(slope, points, params) if context.isfinite(value)]
        if any(high < low - NEAR * max(1, abs(low)) for low, high in pairwise(slopes)):
            return "not convex"
        bends = [value for value in in_digits(curvature, points, params) if context.isfinite(value)]
        if any(value < 0 for value in bends):
            return "not convex"
        straight |= any(value == 0 for value in bends)
    return "straight" if straight else "curved"


def _shape_of_rows(slope: Node, kinds: tuple[str, str], params: dict[str, float]) -> Shape:
    """Along the line between two rows the slope of a convex loss does not fall."""
    points = grid(kinds, far=True, of_rows=True)
    slopes = in_digits(slope, {name: exactly(array) for name, array in points.items()}, params)
    for goal in np.unique(points["target"], axis=0):
        same = np.flatnonzero((points["target"] == goal).all(axis=1))
        for one, two in combinations(same, 2):
            way = points["pred"][two] - points["pred"][one]
            if sum(slopes[two] * way) < sum(slopes[one] * way) - NEAR * max(1, abs(sum(slopes[one] * way))):
                return "not convex"
    return "convex"


def _kinks(given: Node, slopes: Mapping[str, Node], kinds: tuple[str, str], params: dict[str, float]) -> Iterator[Kink]:
    preds, seen = line(kinds), set[Node]()
    target = TARGETS[kinds[1]][-1]
    for switch in _switches(given):
        if switch in seen or "pred" not in names_in(switch):
            continue
        seen.add(switch)
        signs = in_digits(switch, {"pred": preds, "target": np.full(len(preds), target)}, params)
        for index in range(len(preds) - 1):
            if signs[index] == 0 and index > 0:
                root = context.mpf(float(preds[index]))
            elif signs[index] * signs[index + 1] < 0:
                root = _root(switch, float(preds[index]), float(preds[index + 1]), target, params)
            else:
                continue
            yield _kink(switch, root, target, given, slopes["pred"], params)


def _root(switch: Node, low: Any, high: Any, target: float, params: dict[str, float]) -> Any:
    low, high = context.mpf(low), context.mpf(high)

    def at(x: Any) -> Any:
        return in_digits(switch, {"pred": np.array([x], object), "target": np.array([target])}, params)[0]

    falling = at(low) > 0
    for _ in range(90):
        middle = (low + high) / 2
        low, high = (middle, high) if (at(middle) > 0) == falling else (low, middle)
    return (low + high) / 2


def _kink(switch: Node, root: Any, target: float, given: Node, slope: Node, params: dict[str, float]) -> Kink:
    beside = np.array([root - BESIDE, root + BESIDE], object)
    points = {"pred": beside, "target": np.array([target, target])}
    left, right = in_digits(slope, points, params)
    values = in_digits(given, points, params)
    jumps = bool(abs(values[0] - values[1]) > NEAR * max(1, abs(values[0])))
    return Kink(_said(switch), float(root), target, float(left), float(right), jumps)


def _said(switch: Node) -> str:
    if isinstance(switch, Call) and switch.word == "sub":
        return f"{text_of(switch.args[0])} = {text_of(switch.args[1])}"
    return f"{text_of(switch)} = 0" if PRED in walk(switch) else text_of(switch)
