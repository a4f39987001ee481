"""The loss over two predictions as SVG: a tinted picture, contour lines, the minimum and the target.

The tint is one colour of varying opacity, so that it lies on light and dark pages alike. The same heights, between 0
and 1, are handed to the page's script, which draws them in three dimensions.
"""

import struct
import zlib
from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Any

from lossmith.checker.picture import Surface
from lossmith.report.curve import Figure, _short
from lossmith.report.panel import LEFT, RIGHT, WIDTH, Panel
from lossmith.report.scale import Scale, drawable, threshold
from lossmith.report.words import inline

SIDE = WIDTH - LEFT - RIGHT
TOP = 12.0
LEVELS = 9
TINT = (36, 99, 190)


def figure(surface: Surface) -> Figure:
    """The picture, and the numbers of every point for the script."""
    x = Scale("linear", surface.x[0], surface.x[-1])
    y = Scale("linear", surface.y[0], surface.y[-1])
    panel = Panel(x, y, TOP, SIDE, "")
    shades = _shades(surface.value)
    parts = [
        f'<image x="{LEFT}" y="{TOP}" width="{SIDE}" height="{SIDE}" preserveAspectRatio="none" '
        f'href="data:image/png;base64,{b64encode(_png(shades)).decode()}"/>',
        *panel.frame(last=True),
        *(_contours(panel, surface, shades)),
        *_marks(panel, surface),
    ]
    hair = f'<line class="hair" y1="{TOP}" y2="{TOP + SIDE}"/><line class="hair level" x1="{LEFT}" x2="{LEFT + SIDE}"/>'
    height = TOP + SIDE + 24
    svg = (
        f'<svg viewBox="0 0 {WIDTH:g} {height:g}" role="img" aria-label="the loss over two predictions">'
        f'{"".join(parts)}{hair}<g class="dots"></g></svg>'
    )
    return Figure(
        svg, {**_probe(panel, surface), **({"solid": _solid(surface, shades)} if has_relief(surface) else {})}
    )


def has_relief(surface: Surface) -> bool:
    """Whether it is worth looking at in three dimensions: most of it has a height, and not all the same."""
    seen = [v for row in surface.value for v in row if drawable(v)]
    return 2 * len(seen) > len(surface.x) * len(surface.y) and min(seen) < max(seen)


def is_bent(surface: Surface) -> bool:
    """Whether heights are shown on a logarithmic scale."""
    return _bend(surface.value)[2] is not None


def _solid(surface: Surface, shades: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Heights for the script, and the marks as places on the grid."""
    marks = {"minimum": surface.minimum[:2], "target": surface.target}
    return {
        "height": [[round(shade, 3) if shade == shade else None for shade in row] for row in shades],
        "marks": {
            name: [_nearest(surface.x, place[0]), _nearest(surface.y, place[1])]
            for name, place in marks.items()
            if place
        },
    }


def _bend(value: Sequence[Sequence[float]]) -> tuple[float, float, float | None]:
    seen = [v for row in value for v in row if drawable(v)]
    low, high = (min(seen), max(seen)) if seen else (0.0, 1.0)
    return low, high, threshold([[v - low for v in row if drawable(v)] for row in value])


def _shades(value: Sequence[Sequence[float]]) -> list[list[float]]:
    """Each height between 0 and 1, bent where a peak would flatten the rest; NaN where there is none."""
    low, high, bend = _bend(value)
    scale = Scale("symlog" if bend else "linear", 0.0, (high - low) or 1.0, bend or 1.0)
    return [[scale.at(v - low) if drawable(v) else float("nan") for v in row] for row in value]


def _png(shades: Sequence[Sequence[float]]) -> bytes:
    """A picture of one colour whose opacity is the shade, the first row at the bottom."""
    rows = b"".join(
        b"\0" + b"".join(bytes((*TINT, round(215 * shade) if shade == shade else 0)) for shade in row)
        for row in reversed(shades)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = struct.pack(">IIBBBBB", len(shades[0]), len(shades), 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def _contours(panel: Panel, surface: Surface, shades: Sequence[Sequence[float]]) -> Iterator[str]:
    """Lines of equal height by marching squares, one path for each level."""
    for level in range(1, LEVELS + 1):
        path = "".join(
            f"M{panel.across(a[0]):.1f} {panel.down(a[1]):.1f}L{panel.across(b[0]):.1f} {panel.down(b[1]):.1f}"
            for a, b in segments(surface.x, surface.y, shades, (level / (LEVELS + 1)) ** 2)
        )
        if path:
            yield f'<path class="contour" d="{path}"/>'


Point = tuple[float, float]


def segments(
    x: Sequence[float], y: Sequence[float], height: Sequence[Sequence[float]], level: float
) -> Iterator[tuple[Point, Point]]:
    """The pieces of the line where the height is `level`, cell by cell; a saddle is cut in two."""
    for j in range(len(y) - 1):
        for i in range(len(x) - 1):
            corners = ((x[i], y[j]), (x[i + 1], y[j]), (x[i + 1], y[j + 1]), (x[i], y[j + 1]))
            values = (height[j][i], height[j][i + 1], height[j + 1][i + 1], height[j + 1][i])
            crossed = [
                _between(corners[k], corners[(k + 1) % 4], values[k], values[(k + 1) % 4], level)
                for k in range(4)
                if (values[k] < level) != (values[(k + 1) % 4] < level)
                and all(v == v for v in (values[k], values[(k + 1) % 4]))
            ]
            yield from zip(crossed[::2], crossed[1::2], strict=False)


def _between(a: Point, b: Point, at_a: float, at_b: float, level: float) -> Point:
    share = (level - at_a) / (at_b - at_a)
    return a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])


def _marks(panel: Panel, surface: Surface) -> Iterator[str]:
    if surface.target:
        a, b = panel.across(surface.target[0]), panel.down(surface.target[1])
        yield f'<path class="target" d="M{a - 7:.1f} {b:.1f}h14M{a:.1f} {b - 7:.1f}v14"/>'
    if surface.minimum:
        a, b = panel.across(surface.minimum[0]), panel.down(surface.minimum[1])
        yield f'<circle class="minimum" cx="{a:.1f}" cy="{b:.1f}" r="5"/>'


def _probe(panel: Panel, surface: Surface) -> dict[str, Any]:
    start = surface.minimum or [surface.x[len(surface.x) // 2], surface.y[len(surface.y) // 2]]
    return {
        "names": [inline(surface.xlabel), inline(surface.ylabel)],
        "x": [_short(value) for value in surface.x],
        "y": [_short(value) for value in surface.y],
        "px": [round(panel.across(value), 1) for value in surface.x],
        "py": [round(panel.down(value), 1) for value in surface.y],
        "value": [[_short(value) for value in row] for row in surface.value],
        "slope_x": [[_short(value) for value in row] for row in surface.slope_x],
        "slope_y": [[_short(value) for value in row] for row in surface.slope_y],
        "at": [_nearest(surface.x, start[0]), _nearest(surface.y, start[1])],
    }


def _nearest(places: Sequence[float], number: float) -> int:
    return min(range(len(places)), key=lambda index: abs(places[index] - number))
