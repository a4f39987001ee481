"""One panel of a picture: axes, grid and lines as SVG, in the colours of the page that holds it.

No word in a picture comes from a user's code: numbers, and names that are written here. Lines are told apart by
dashes as well as by colour. Where a line has no height a hole is left, and a cross stands at the foot: a single NaN
must not vanish between two pixels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lossmith.report.scale import Scale, drawable

WIDTH, LEFT, RIGHT = 400.0, 50.0, 8.0


@dataclass(frozen=True)
class Panel:
    """A rectangle of the picture, from `top`, with its own vertical axis."""

    x: Scale
    y: Scale
    top: float
    height: float
    name: str

    def across(self, number: float) -> float:
        return LEFT + self.x.at(number) * (WIDTH - LEFT - RIGHT)

    def down(self, number: float) -> float:
        return self.top + (1.0 - min(1.0, max(0.0, self.y.at(number)))) * self.height

    def frame(self, last: bool) -> Iterator[str]:
        """Grid, numbers and name; the numbers of the horizontal axis are written under the last panel."""
        yield f'<text class="name" x="{LEFT}" y="{self.top - 6:.1f}">{self.name}</text>'
        for value, text in self.y.ticks(4):
            y = self.down(value)
            zero = ' class="zero"' if value == 0 else ""
            yield f'<line{zero} x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield f'<text class="y" x="{LEFT - 6}" y="{y + 4:.1f}">{text}</text>'
        bottom = self.top + self.height
        for value, text in self.x.ticks(6):
            x = self.across(value)
            yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{self.top:.1f}" y2="{bottom:.1f}"/>'
            if last:
                yield f'<text class="x" x="{x:.1f}" y="{bottom + 15:.1f}">{text}</text>'

    def line(self, x: Sequence[float], y: Sequence[float], number: int) -> Iterator[str]:
        """The line of one series, and the crosses of its holes."""
        places = [(self.across(a), self.down(b)) if drawable(b) else None for a, b in zip(x, y, strict=True)]
        yield f'<path class="line line-{number % 4}" d="{_path(places)}"/>'
        yield from self.crosses(x, y, number)

    def points(self, x: Sequence[float], y: Sequence[float], number: int) -> Iterator[str]:
        """A mark for each number, of a form of its own for each series, and the crosses of the holes."""
        marks = [mark(self.across(a), self.down(b), number) for a, b in zip(x, y, strict=True) if drawable(b)]
        yield f'<path class="points line-{number % 4}" d="{"".join(marks)}"/>'
        yield from self.crosses(x, y, number)

    def crosses(self, x: Sequence[float], y: Sequence[float], number: int) -> Iterator[str]:
        foot = self.top + self.height
        crosses = " ".join(
            f"M{self.across(a) - 3:.1f} {foot - 3:.1f}l6 6m0 -6l-6 6"
            for a, b in zip(x, y, strict=True)
            if not drawable(b)
        )
        if crosses:
            yield f'<path class="cross line-{number % 4}" d="{crosses}"/>'


def mark(x: float, y: float, number: int, size: float = 1.9) -> str:
    """A small square, diamond or bar, as a piece of a path."""
    if number % 3 == 1:
        step = f"{1.4 * size:.1f}"
        return f"M{x:.1f} {y - 1.4 * size:.1f}l{step} {step}l-{step} {step}l-{step} -{step}z"
    wide = size if number % 3 == 0 else 0.55 * size
    tall = size if number % 3 == 0 else 1.7 * size
    return f"M{x - wide:.1f} {y - tall:.1f}h{2 * wide:.1f}v{2 * tall:.1f}h{-2 * wide:.1f}z"


def _path(places: Sequence[tuple[float, float] | None]) -> str:
    words: list[str] = []
    pen = "M"
    for place in places:
        if place is None:
            pen = "M"
            continue
        words.append(f"{pen}{place[0]:.1f} {place[1]:.1f}")
        pen = "L"
    return "".join(words)


def picture(height: float, label: str, parts: Iterator[str] | Sequence[str]) -> str:
    """The whole element, with a cross-hair that the page's script moves."""
    hair = f'<line class="hair" x1="0" x2="0" y1="12" y2="{height - 22:.0f}"/><g class="dots"></g>'
    inside = "".join(parts)
    return f'<svg viewBox="0 0 {WIDTH:g} {height:g}" role="img" aria-label="{label}">{inside}{hair}</svg>'
