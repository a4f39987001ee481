"""What is drawn of a loss, as data: the process that runs a stranger's code measures, the parent only draws.

Everything here is numbers and text that go through JSON. NaN marks a hole: nothing can be drawn there.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Series:
    """Value, gradient and curvature of the loss as one number moves along a line. NaN marks a hole.

    `curvature` is empty where the loss has no second derivative that could be taken (a bridge, a one-way backward).
    """

    label: str
    x: list[float]
    value: list[float]
    gradient: list[float]
    curvature: list[float] = field(default_factory=list[float])


@dataclass(frozen=True)
class Curve:
    """Several series over one axis."""

    xlabel: str
    series: list[Series]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Curve":
        return cls(data["xlabel"], [Series(**series) for series in data["series"]])


@dataclass(frozen=True)
class Surface:
    """The loss over two predictions: `value[j][i]` belongs to `x[i]`, `y[j]`, as do the two slopes.

    minimum   the lowest point of the grid: x, y, value; empty if nothing is finite
    target    where the prediction is perfect, if that is a point of this plane; else empty
    """

    xlabel: str
    ylabel: str
    x: list[float]
    y: list[float]
    value: list[list[float]]
    slope_x: list[list[float]]
    slope_y: list[list[float]]
    minimum: list[float] = field(default_factory=list[float])
    target: list[float] = field(default_factory=list[float])


@dataclass(frozen=True)
class Errors:
    """Relative errors of one dtype along the line: inf where it overflows and the truth does not, NaN for a hole."""

    dtype: str
    value: list[float]
    gradient: list[float]
    unit: float  # the relative spacing of its numbers: what no algorithm can be below everywhere
    absent: str = ""  # why there are no errors


@dataclass(frozen=True)
class Precision:
    """How far each dtype is from `truth`, which is given the inputs that the dtype holds, already rounded.

    scale    how the axis is best spaced: linear, log, symlog or logit
    """

    xlabel: str
    scale: str
    x: list[float]
    errors: list[Errors]
    truth: str


@dataclass(frozen=True)
class Cost:
    """What one call costs, measured: forward and backward, on `machine`, for so many predictions.

    forward, both   seconds of the fastest of several calls; `both` is 0 where there is no gradient
    kept            bytes that the forward pass holds on to for the backward pass, its own arguments left out
    """

    predictions: int
    shape: str
    forward: float
    both: float
    kept: int
    machine: str


@dataclass(frozen=True)
class Line:
    """One expression of a derivation: where it holds, what it is, and its forms."""

    given: str
    where: str
    what: str
    text: str
    latex: str = ""
    mathml: str = ""


@dataclass(frozen=True)
class Mathematics:
    """Formula and derivatives: `letters` say what the symbols mean, `note` how they were checked."""

    letters: Mapping[str, str]
    lines: list[Line]
    note: str = ""


@dataclass(frozen=True)
class Pictures:
    """Everything that a page shows of a loss beside the findings; what could not be made is absent."""

    curve: Curve | None = None
    surface: Surface | None = None
    precision: Precision | None = None
    cost: Cost | None = None
    mathematics: Mathematics | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Pictures":
        precision, mathematics = data.get("precision"), data.get("mathematics")
        return cls(
            curve=Curve.from_json(data["curve"]) if data.get("curve") else None,
            surface=Surface(**data["surface"]) if data.get("surface") else None,
            precision=Precision(**{**precision, "errors": [Errors(**one) for one in precision["errors"]]})
            if precision
            else None,
            cost=Cost(**data["cost"]) if data.get("cost") else None,
            mathematics=Mathematics(
                mathematics["letters"], [Line(**line) for line in mathematics["lines"]], mathematics["note"]
            )
            if mathematics
            else None,
        )
