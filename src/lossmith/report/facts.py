"""The facts of a loss as a short block for a terminal."""

from collections.abc import Callable, Iterator
from math import ceil, floor, log, log10
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lossmith.prove.composition import Shown
    from lossmith.prove.facts import Bounds, Facts, Statement
    from lossmith.prove.rows import Bounds as RowBounds

SMOOTH = {
    -1: "not continuous: the value jumps",
    0: "continuous",
    1: "one continuous derivative",
    2: "two continuous derivatives or more",
}
PROPER = {True: "proper: ", False: "not proper: ", None: ""}
DIGITS = 4
NOTHING = 1e-12  # of the size of a range: 0, as far as a float64 constant can be it


def in_text(facts: "Facts") -> str:
    """Certificates, then what they mean for training, one line each."""
    low, high = facts.interval
    where = [f"for {low:.3g} <= {facts.variable} <= {high:.3g}", *([" | ".join(facts.held)] if facts.held else [])]
    return "\n".join([", ".join(where), *_rows(list(_lines(facts)))])


def of_several(found: "Shown", bounds: "RowBounds | None" = None) -> str:
    """What is known of a loss of rows, or of one of a whole batch, for a terminal."""
    word = {"proved": "proved", "refuted": "no", "open": "open"}[found.verdict]
    because = f" ({found.because})" if found.verdict == "proved" else f": {found.because}"
    rows = [("convex", f"{word}{because}"), *(_bounds_of_rows(bounds) if bounds is not None else ())]
    return "\n".join([found.where, *_rows(rows)])


def _bounds_of_rows(found: "RowBounds") -> Iterator[tuple[str, str]]:
    from lossmith.prove.facts import Bounds
    from lossmith.prove.rows import FLOOR

    for one in found.bounds:
        least, most = one.reached
        yield one.of, within(Bounds((one.low, least), (most, one.high)))
    if found.open:
        yield "bounds", f"open: {found.open}"
    else:
        yield "", f"for shares from {number(FLOOR)}: logits less than {-log(FLOOR):.3g} apart"


def _rows(rows: list[tuple[str, str]]) -> Iterator[str]:
    width = max(len(name) for name, _ in rows)
    for place, (name, text) in enumerate(rows):
        again = place > 0 and rows[place - 1][0] == name
        yield f"  {'' if again else name:<{width}}  {text}"


def _lines(facts: "Facts") -> Iterator[tuple[str, str]]:
    for one in facts.statements:
        if one.claim != "smooth" or facts.smooth_to is None:
            yield one.claim, _verdict(one)
    if facts.smooth_to is not None:
        yield "smooth", SMOOTH[facts.smooth_to]
    for kink in facts.kinks:
        what = "value" if kink.torn else "slope"
        yield (
            "kink",
            f"{facts.variable} = {number(kink.at)}: the {what} jumps by {number(kink.by)}{where_held(kink.given)}",
        )
    for name, bounds in (("value", facts.values), ("slope", facts.slopes), ("second derivative", facts.bends)):
        if bounds is not None:
            yield name, within(bounds)
    yield from far_out(facts)
    for given, start, end in facts.flat:
        yield (
            "no gradient",
            f"from {number(start)} to {number(end)}, where the value is not the smallest{where_held(given)}",
        )
    if facts.variable == "r":
        yield "scale", scaled(facts.scale)
    if facts.elicits is not None:
        inverse = f"; {facts.elicits.inverse}" if facts.elicits.inverse else ""
        yield "predicts", f"{PROPER[facts.elicits.proper]}{facts.elicits.what}{inverse}"


def _verdict(one: "Statement") -> str:
    because = f"{one.because}{where_held(one.given)}"
    if one.verdict == "proved":
        return f"proved{f' ({one.because})' if one.because else ''}"
    return f"{'no' if one.verdict == 'refuted' else 'open'}: {because}"


def within(bounds: "Bounds") -> str:
    """The smallest and the largest that are reached, and by how much they may be exceeded where the digits show it."""
    (low, least), (most, high) = bounds.least, bounds.most
    size = max(abs(least), abs(most))
    open_by = max(least - low, high - most)
    seen = open_by > size * 10.0**-DIGITS
    least, most = (0.0 if abs(end) < max(NOTHING * size, 0.0 if seen else open_by) else end for end in (least, most))
    wide = f", to within {_rounded(open_by, ceil, 1)}" if seen else ""
    return f"from {_rounded(least, floor)} to {_rounded(most, ceil)}{wide}"


def far_out(facts: "Facts") -> Iterator[tuple[str, str]]:
    """Sides that are alike stand in one line; what that does to training stands behind it."""
    x = facts.variable
    said: dict[str, dict[str, list[int]]] = {}
    for given, side, wrong in facts.tails:
        words = f"the value {_is(side.value)}, the size of the slope {_is(side.slope)}"
        if wrong and side.fades:
            words += ": an outlier has no pull" if x == "r" else ": no gradient where it is sure and wrong"
        said.setdefault(words, {}).setdefault(given, []).append(side.side)
    for words, where in said.items():
        ends = [f"{_end(x, sides)}{where_held(given)}" for given, sides in where.items()]
        yield "far out", f"{', '.join(ends)}: {words}"


def _end(x: str, sides: list[int]) -> str:
    return f"|{x}| -> inf" if len(sides) == 2 else f"{x} -> {'inf' if sides[0] > 0 else '-inf'}"


def scaled(degree: float | None) -> str:
    if degree is None:
        return "no degree: the unit of the prediction changes the loss"
    return f"degree {degree:g}: residuals twice as large cost {number(2**degree)} times as much"


def _is(words: str) -> str:
    return words if words[0].isalpha() else f"is {words}"


def where_held(given: str) -> str:
    return f" ({given})" if given else ""


def _rounded(x: float, towards: Callable[[float], int], digits: int = DIGITS) -> str:
    if x == 0:
        return "0"
    unit = 10.0 ** (floor(log10(abs(x))) - digits + 1)
    nearest = round(x / unit)
    whole = nearest if abs(nearest - x / unit) < 1e-9 else towards(x / unit)
    return number(whole * unit)


def number(x: float) -> str:
    return f"{0.0 if abs(x) < 1e-30 else x:.{DIGITS}g}"
