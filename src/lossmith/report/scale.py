"""Axes: where a number stands on one, which numbers are written beside it, and what cannot be drawn at all.

Shared by the pictures of the page and those of `lossmith.plots`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log, log10
from statistics import median
from typing import Literal

Kind = Literal["linear", "log", "symlog", "logit"]
STEEP = 1e3  # a peak this many times the median flattens all the rest: then the axis is symmetric-logarithmic
FURTHEST = 1e150  # what is further out gets a cross, as NaN does: the span of an axis must not overflow


def drawable(y: float) -> bool:
    return isfinite(y) and abs(y) <= FURTHEST


def threshold(lines: Iterable[Sequence[float]]) -> float | None:
    """From where on an axis for these heights is logarithmic; None where a linear one shows them all."""
    sizes = [abs(y) for line in lines for y in line if drawable(y) and y != 0.0]
    middle = median(sizes) if sizes else 0.0
    return middle if sizes and max(sizes) > STEEP * middle else None


@dataclass(frozen=True)
class Scale:
    """An axis from `low` to `high`; `linear` up to `threshold` where it is symmetric-logarithmic."""

    kind: Kind
    low: float
    high: float
    threshold: float = 1.0

    def at(self, number: float) -> float:
        """0 at the low end, 1 at the high one."""
        start, end = self._bent(self.low), self._bent(self.high)
        return (self._bent(number) - start) / (end - start)

    def _bent(self, number: float) -> float:
        if self.kind == "log":
            return log10(number)
        if self.kind == "logit":
            return log(number / (1.0 - number))
        if self.kind == "symlog":
            size = log10(1.0 + abs(number) / self.threshold)
            return size if number >= 0 else -size
        return number

    def ticks(self, most: int = 6) -> list[tuple[float, str]]:
        """Round numbers on the axis, with how they are written."""
        if self.kind == "linear":
            return _round_numbers(self.low, self.high, most)
        if self.kind == "logit":
            near = [10.0**-power for power in (6, 4, 2)]
            shown = [(p, f"{p:g}") for p in near] + [(0.5, "0.5")] + [(1 - p, f"1-{p:g}") for p in reversed(near)]
        elif self.kind == "log":
            shown = [(10.0**power, _power(power)) for power in _powers(self.low, self.high, most)]
        else:
            shown = self._signed(most)
        return [(value, text) for value, text in shown if self.low <= value <= self.high]

    def _signed(self, most: int) -> list[tuple[float, str]]:
        furthest = max(abs(self.low), abs(self.high))
        both = self.low < 0 < self.high
        powers = _powers(self.threshold * 1.01, furthest, max(1, (most - 1) // (2 if both else 1)))
        above = [(10.0**power, _power(power)) for power in powers]
        return [*((-value, f"-{text}") for value, text in reversed(above)), (0.0, "0"), *above]


def heights(lines: Sequence[Sequence[float]], room: float = 0.06) -> Scale:
    """The vertical axis for these lines: all of them inside, with a little room."""
    seen = [y for line in lines for y in line if drawable(y)]
    low, high = (min(seen), max(seen)) if seen else (0.0, 1.0)
    if high - low <= 1e-12 * max(abs(low), abs(high), 1e-300):
        pad = abs(high) * 0.1 or 1.0
        low, high = low - pad, high + pad
    if (bend := threshold(lines)) is not None:
        wide = Scale("symlog", low, high, bend)
        pad = room * (wide._bent(high) - wide._bent(low))
        return Scale("symlog", _unbent(wide._bent(low) - pad, bend), _unbent(wide._bent(high) + pad, bend), bend)
    pad = room * (high - low)
    return Scale("linear", low - pad, high + pad)


def _unbent(place: float, bend: float) -> float:
    size = bend * (10.0 ** abs(place) - 1.0)
    return size if place >= 0 else -size


def _round_numbers(low: float, high: float, most: int) -> list[tuple[float, str]]:
    rough = (high - low) / max(1, most)
    power = 10.0 ** floor(log10(rough))
    step = next(size * power for size in (1.0, 2.0, 5.0, 10.0) if size * power >= rough)
    first = ceil(low / step)
    places = [(first + index) * step for index in range(most + 2)]
    return [(value, f"{value:.6g}".replace("-0", "-0") if value else "0") for value in places if value <= high]


def _powers(low: float, high: float, most: int) -> list[int]:
    first, last = ceil(log10(low)), floor(log10(high))
    stride = max(1, ceil((last - first + 1) / most))
    return list(range(last, first - 1, -stride))[::-1]


def _power(power: int) -> str:
    return f"{10.0**power:g}" if -3 <= power <= 3 else f"1e{power}"
