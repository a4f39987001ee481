"""Errors of each dtype over the domain as SVG: a value panel and a gradient panel, both logarithmic."""

from math import inf, nan
from typing import Any

from lossmith.checker.picture import Errors, Precision
from lossmith.report.curve import Figure, _short
from lossmith.report.panel import Panel, mark, picture
from lossmith.report.scale import Scale

FLOOR, CEILING = 1e-9, 10.0  # an error of 0 stands on the floor, one beyond the ceiling is not told apart from it


def present(precision: Precision) -> list[tuple[int, Errors]]:
    """The dtypes that were measured, with the number of their line."""
    return [(number, one) for number, one in enumerate(precision.errors) if not one.absent]


def legend(precision: Precision) -> list[tuple[str, int, str]]:
    """(dtype, number of the colour, mark) of each."""
    return [(one.dtype, number, mark(14.0, 4.0, number, 2.4)) for number, one in present(precision)]


def worst(one: Errors) -> str:
    """The largest error of the value, for one line of text: `3e-07`, or that it overflows."""
    told = [error for error in one.value if error == error]
    return "nothing told" if not told else "overflows" if max(told) == inf else f"{max(told):.2g}"


def figure(precision: Precision) -> Figure:
    """The picture, and the numbers of every point for the script."""
    x = _axis(precision)
    y = Scale("log", FLOOR, CEILING)
    panels = [Panel(x, y, 22.0, 120.0, "error of the value"), Panel(x, y, 168.0, 120.0, "error of the gradient")]
    parts: list[str] = []
    made: list[dict[str, Any]] = []
    for panel, what in zip(panels, ("value", "gradient"), strict=True):
        parts += panel.frame(last=panel is panels[-1])
        for number, one in present(precision):
            level = panel.down(one.unit / 2)
            parts.append(f'<line class="unit line-{number}" x1="50" x2="392" y1="{level:.1f}" y2="{level:.1f}"/>')
            errors = getattr(one, what)
            shown = [
                min(max(error, FLOOR), CEILING) if error < inf else nan if error == inf else None for error in errors
            ]
            told = [(a, b) for a, b in zip(precision.x, shown, strict=True) if b is not None]
            parts += panel.points([a for a, _ in told], [b for _, b in told], number)
            made.append(
                {
                    "series": number,
                    "name": what,
                    "y": [_short(error) for error in errors],
                    "py": [None if v is None or v != v else round(panel.down(v), 1) for v in shown],
                }
            )
    probe = {
        "x": [_short(value) for value in precision.x],
        "px": [round(panels[0].across(value), 1) for value in precision.x],
        "rows": made,
    }
    return Figure(picture(314.0, "relative error of the loss by precision", parts), probe)


def _height(error: float) -> float | None:
    """Where an error stands: NaN makes a cross, None nothing at all."""
    if error != error:
        return None
    return nan if error == inf else min(max(error, FLOOR), CEILING)


def _axis(precision: Precision) -> Scale:
    low, high = min(precision.x), max(precision.x)
    smallest = min((abs(x) for x in precision.x if x), default=1.0)
    return Scale(precision.scale if precision.scale in ("log", "symlog", "logit") else "linear", low, high, smallest)
