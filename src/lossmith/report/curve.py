"""The curve of a loss as SVG: value above, gradient below, one prediction moving along a shared axis.

A picture for a page that is light or dark: its ink is `currentColor`, its lines are the page's `--line-0`,
`--line-1`, ... with a dash pattern each, so that colour is not needed to tell them apart. Where value or
gradient is not finite, the line has a hole and a cross stands at the bottom: a single NaN must not vanish
between two pixels.

No word in the picture comes from a user's code; the page writes the labels beside it, where they are escaped.
"""

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from statistics import median
from typing import TYPE_CHECKING, Any

from lossmith.checker.finding import Curve, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (5.2, 4.4)  # inches of 72 units: at the width of a phone, ten-point text stays readable
INK, FAINT = "#000001", "#000002"  # stand for colours of the page until the picture is text
STEEP = 1e3  # a peak this many times the median flattens all the rest: then the axis is symmetric-logarithmic
FURTHEST = 1e150  # what is further out gets a cross, as NaN does: the span of an axis must not overflow
SETTINGS: Mapping[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "lossmith",
    "font.size": 10.0,
    "axes.unicode_minus": False,
}


@dataclass(frozen=True)
class Stroke:
    """How one series is drawn, in the picture and in the legend that the page writes beside it."""

    number: int
    dashes: tuple[float, ...]

    @property
    def colour(self) -> str:
        return f"var(--line-{self.number})"

    @property
    def stand_in(self) -> str:
        """What matplotlib is told, which knows no colours of a page."""
        return f"#00001{self.number}"

    @property
    def dasharray(self) -> str:
        return " ".join(f"{length:g}" for length in self.dashes) or "none"


STROKES = tuple(Stroke(number, dashes) for number, dashes in enumerate(((), (6, 3), (2, 2), (8, 2, 2, 2))))


def strokes(curve: Curve) -> list[tuple[str, Stroke]]:
    """(label, stroke) of each series, for the legend."""
    return [(series.label, stroke) for series, stroke in _styled(curve)]


def _styled(curve: Curve) -> list[tuple[Series, Stroke]]:
    return [(series, STROKES[number % len(STROKES)]) for number, series in enumerate(curve.series)]


def has_holes(curve: Curve) -> bool:
    """True when the picture has a cross that the legend must explain."""
    return any(not _drawable(y) for series in curve.series for y in (*series.value, *series.gradient))


def svg(curve: Curve, prefix: str) -> str:
    """One `<svg>` element to put into a page; `prefix` keeps its ids apart from those of other pictures."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    page = io.StringIO()
    # the user's matplotlibrc must not restyle the page; leaving the context restores the settings
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        figure = Figure(figsize=SIZE, layout="constrained")
        FigureCanvasSVG(figure)
        value, gradient = figure.subplots(2, 1, sharex=True)
        draw(curve, value, gradient)
        figure.savefig(page, format="svg", transparent=True, metadata={"Date": None})
    return _inline(page.getvalue(), prefix)


def draw(curve: Curve, value: "Axes", gradient: "Axes") -> None:
    """Draw every series on the two axes."""
    for series, stroke in _styled(curve):
        _line(value, series.x, series.value, stroke)
        _line(gradient, series.x, series.gradient, stroke)
    _dress(value, "value", [series.value for series in curve.series])
    _dress(gradient, "gradient", [series.gradient for series in curve.series])


def _drawable(y: float) -> bool:
    return isfinite(y) and abs(y) <= FURTHEST


def _line(axes: "Axes", x: Sequence[float], y: Sequence[float], stroke: Stroke) -> None:
    dashes = (0, stroke.dashes) if stroke.dashes else "solid"
    kept = [height if _drawable(height) else nan for height in y]
    axes.plot(x, kept, color=stroke.stand_in, linestyle=dashes, linewidth=1.8, solid_capstyle="butt")
    holes = [place for place, height in zip(x, y, strict=True) if not _drawable(height)]
    floor = axes.get_xaxis_transform()  # x in data, y from 0 at the bottom to 1 at the top
    (crosses,) = axes.plot(holes, [0.0] * len(holes), "x", color=stroke.stand_in, transform=floor)
    # outside the clip a mark counts in the layout, and the axes would shrink to nothing
    crosses.set(markersize=6, markeredgewidth=1.6, clip_on=False, in_layout=False)


def _dress(axes: "Axes", name: str, heights: Iterable[Sequence[float]]) -> None:
    from matplotlib.ticker import SymmetricalLogLocator

    sizes = [abs(y) for line in heights for y in line if _drawable(y) and y != 0.0]
    if sizes and max(sizes) > STEEP * median(sizes):
        axes.set_yscale("symlog", linthresh=median(sizes))
        ticks = SymmetricalLogLocator(base=10, linthresh=median(sizes))
        ticks.set_params(numticks=6)
        axes.yaxis.set_major_locator(ticks)
        name += " (log scale)"
    axes.set_ylabel(name, color=INK)
    axes.tick_params(colors=INK, which="both")
    axes.grid(color=FAINT, linewidth=0.6)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(FAINT)


def _inline(document: str, prefix: str) -> str:
    """Only the element: no prolog, no metadata, no size of its own; ids of its own, colours of the page."""
    element = document[document.index("<svg") :]
    # a style element in a picture would style the whole page
    element = re.sub(r"<(metadata|style)\b.*?</\1>", "", element, flags=re.DOTALL)
    element = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{prefix}-", element)
    element = re.sub(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', _opening, element, count=1)
    element = element.replace(INK, "currentColor").replace(FAINT, "var(--faint)")
    for stroke in STROKES:
        element = element.replace(stroke.stand_in, stroke.colour)
    return element.strip()


def _opening(tag: re.Match[str]) -> str:
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<svg {names} {tag[1]} role="img" aria-label="value and gradient of the loss">'
