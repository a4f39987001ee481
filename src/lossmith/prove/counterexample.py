"""Counterexamples to convexity that hold with every digit: three numbers, the middle one exactly half way.

    l(m) > (l(m - h) + l(m + h)) / 2

The middle is exact in the numbers of flint: a rounded one "refutes" the Huber loss by 4e-16. Plain doubles only say
where to look.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from flint import arb

from lossmith.ops.ball import Ball
from lossmith.ops.balls import Undecided
from lossmith.prove.slice import Slice

POINTS = 2**11
CONFIRMED = 12  # places at which doubles see a violation that are tried with every digit


@dataclass(frozen=True)
class Counterexample:
    """Exact numbers, enclosures of the loss there, and by how much the claim is violated at least."""

    at: tuple[arb, ...]
    values: tuple[Ball, ...]
    by: arb


def above_its_chord(function: Slice, middle: arb, half: arb) -> Counterexample | None:
    """The value half way exceeds the mean of the two ends, for certain."""
    at = (middle - half, middle, middle + half)
    try:
        left, here, right = (function.at(x).value for x in at)
    except Undecided:
        return None
    mean = (left + right) * Ball(arb(0.5), arb(0.5))
    by = (here - mean).low
    return Counterexample(at, (left, here, right), by) if by > 0 else None


def look(function: Slice, low: float, high: float, points: int = POINTS) -> Counterexample | None:
    """The largest violation among those that doubles see on a grid."""
    step = 2.0 ** np.ceil(np.log2((high - low) / points))
    x = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
    value = function.doubles(x)
    found = [one for place, half in _seen(value) if (one := above_its_chord(function, arb(x[place]), arb(half * step)))]
    return max(found, key=lambda one: one.by, default=None)


def falls(function: Slice, low: float, high: float, sign: int) -> Iterator[tuple[arb, arb]]:
    """Two numbers with the largest fall of sign * value from the first to the second, if doubles see one."""
    x = np.linspace(low, high, POINTS)
    value = sign * function.doubles(x)
    value = np.where(np.isfinite(value), value, -np.inf)
    before = np.maximum.accumulate(value)
    with np.errstate(invalid="ignore"):
        by = np.where(np.isfinite(value), before - value, 0.0)
    place = int(np.argmax(by))
    if by[place] > 1e-13 * abs(before[place]):
        yield arb(float(x[int(np.argmax(value[: place + 1]))])), arb(float(x[place]))


def _seen(value: np.ndarray) -> Iterator[tuple[int, int]]:
    """Places and half widths, in steps, with the largest violations."""
    candidates: list[tuple[float, int, int]] = []
    half = 1
    while 2 * half < len(value):
        left, here, right = value[: -2 * half], value[half:-half], value[2 * half :]
        with np.errstate(all="ignore"):
            by = here - (left + right) / 2
            by = np.where(by > 1e-13 * (np.abs(here) + np.abs(left) + np.abs(right)), by, 0.0)
        place = int(np.argmax(np.where(np.isfinite(by), by, 0.0)))
        candidates += [(float(by[place]), place + half, half)] if by[place] > 0 else []
        half *= 2
    for _, place, width in sorted(candidates, reverse=True)[:CONFIRMED]:
        yield place, width


def near(function: Slice, low: float, high: float, places: Iterable[arb]) -> Counterexample | None:
    """A violation close to places where the bend is below 0, the slope falls at once, or the value jumps."""
    for place in places:
        half = min(place - arb(low), arb(high) - place)
        half = arb(2.0) ** int(np.floor(np.log2(float(half)))) if half > 0 else arb(0)
        while half > 2.0**-70 * (1 + abs(place)):
            for middle in (place, place + half / 2, place - half / 2):
                if found := above_its_chord(function, middle, half):
                    return found
            half /= 2
    return None
