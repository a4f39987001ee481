"""How pictures look, on axes that matplotlib was given: nothing global is read or changed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lossmith.errors import missing_extra
from lossmith.report.scale import drawable, threshold

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#0b62b8", "#c14a09", "#2e7d46", "#8a3ca0", "#59616b", "#b8860b")
DASHES: tuple[Any, ...] = ("solid", (0, (6, 2.5)), (0, (1.5, 1.5)), (0, (8, 2, 2, 2)))
GRID = "#e0e2e5"


def figure(width: float, height: float) -> Any:
    """An empty figure that is in no window and in no list of pyplot's."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise missing_extra("lossmith.plots", "matplotlib", "report") from None
    made = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(made)
    return made


def stroke(number: int) -> dict[str, Any]:
    """Colour and dashes of a line; they repeat at different lengths, so that twelve lines differ."""
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": DASHES[number % len(DASHES)], "linewidth": 1.8}


def line(axes: "Axes", x: Sequence[float], y: Sequence[float], number: int, label: str) -> None:
    """One line; where it has no height there is a hole, and a cross at the foot of the axes."""
    kept = [height if drawable(height) else float("nan") for height in y]
    axes.plot(x, kept, label=_plain(label), **stroke(number))
    holes = [place for place, height in zip(x, y, strict=True) if not drawable(height)]
    if holes:
        foot = axes.get_xaxis_transform()
        (crosses,) = axes.plot(holes, [0.0] * len(holes), "x", color=stroke(number)["color"], transform=foot)
        crosses.set(markersize=5, clip_on=False, in_layout=False, label="_hole")


def dress(axes: "Axes", name: str, lines: Sequence[Sequence[float]]) -> None:
    """Grid, name and, for a peak that would flatten all the rest, a symmetric logarithm."""
    bend = threshold(lines)
    if bend is not None:
        axes.set_yscale("symlog", linthresh=bend)
        name += " (log scale)"
    axes.set_ylabel(name)
    plain(axes)


def plain(axes: "Axes") -> None:
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _plain(label: str) -> str:
    """A label as it was written: a dollar is no mathematics, and a first underscore hides nothing."""
    text = label.replace("$", r"\$")
    return f"\N{ZERO WIDTH SPACE}{text}" if text.startswith("_") else text
