"""The curve of a loss as SVG: value, gradient and curvature, one above the other, over one axis.

Beside the picture stands what the page's script needs to read it out: the numbers, and where they stand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lossmith.checker.picture import Curve, Series
from lossmith.report.panel import Panel, picture
from lossmith.report.scale import FURTHEST as FURTHEST
from lossmith.report.scale import Scale, drawable, heights

TALL, LOW, GAP, FIRST = 150.0, 92.0, 26.0, 22.0


@dataclass(frozen=True)
class Figure:
    """A picture with the numbers behind it."""

    svg: str
    probe: dict[str, Any]


def legend(curve: Curve) -> list[tuple[str, int, str]]:
    """(label, number of the stroke, nothing) of each series."""
    return [(series.label, number % 4, "") for number, series in enumerate(curve.series)]


def rows(curve: Curve) -> dict[str, list[Sequence[float]]]:
    """What is drawn, panel by panel: value, gradient, and curvature where every series has one."""
    made: dict[str, list[Sequence[float]]] = {
        "value": [series.value for series in curve.series],
        "gradient": [series.gradient for series in curve.series],
    }
    if curve.series and all(series.curvature for series in curve.series):
        made["curvature"] = [series.curvature for series in curve.series]
    return made


def has_holes(curve: Curve) -> bool:
    """True when the picture has a cross that the legend must explain."""
    return any(not drawable(y) for lines in rows(curve).values() for line in lines for y in line)


def figure(curve: Curve) -> Figure:
    """The picture, and the numbers of every point for the script."""
    x = _horizontal(curve.series)
    panels, top = [], FIRST
    for name, lines in rows(curve).items():
        scale = heights(lines)
        name += " (log scale)" if scale.kind == "symlog" else ""
        height = TALL if not panels else LOW
        panels.append(Panel(x, scale, top, height, name))
        top += height + GAP
    parts: list[str] = []
    for panel, lines in zip(panels, rows(curve).values(), strict=True):
        parts += panel.frame(last=panel is panels[-1])
        for number, (series, line) in enumerate(zip(curve.series, lines, strict=True)):
            parts += panel.line(series.x, line, number)
    return Figure(picture(top, "value, gradient and curvature of the loss", parts), _probe(curve, panels))


def spark(curve: Curve) -> str:
    """The value alone, as small as a word."""
    lines = [series.value for series in curve.series]
    scale, x = heights(lines), _horizontal(curve.series)
    paths = []
    for number, (series, line) in enumerate(zip(curve.series, lines, strict=True)):
        pen, words = "M", []
        for a, b in list(zip(series.x, line, strict=True))[::4]:
            if drawable(b):
                words.append(f"{pen}{x.at(a) * 60:.1f} {(1 - scale.at(b)) * 18 + 1:.1f}")
            pen = "L" if drawable(b) and words else "M"
        paths.append(f'<path class="line line-{number % 4}" d="{"".join(words)}"/>')
    return f'<svg class="spark" viewBox="0 0 60 20" aria-hidden="true">{"".join(paths)}</svg>'


def _horizontal(series: Sequence[Series]) -> Scale:
    ends = [x for one in series for x in one.x]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    return Scale("linear", low, high if high > low else low + 1.0)


def _probe(curve: Curve, panels: Sequence[Panel]) -> dict[str, Any]:
    first = curve.series[0].x if curve.series else []
    if any(series.x != first for series in curve.series):
        return {}  # lines with points of their own have no common place to read out
    return {
        "x": [_short(x) for x in first],
        "px": [round(panels[0].across(x), 1) for x in first],
        "rows": [
            {
                "series": number,
                "name": name,
                "y": [_short(y) for y in line],
                "py": [round(panel.down(y), 1) if drawable(y) else None for y in line],
            }
            for panel, (name, lines) in zip(panels, rows(curve).items(), strict=True)
            for number, line in enumerate(lines)
        ],
    }


def _short(number: float) -> str | float:
    """A number of four digits for the page; what JSON has no spelling for is a word."""
    return float(f"{number:.4g}") if drawable(number) else "NaN" if number != number else f"{number:.4g}"
