"""What an outlier does: how value and slope of a loss grow far out, measured with every digit at 2^40 to 2^60.

slope     constant     the loss is linear there: an outlier pulls as hard as any other error
          like r^p     quadratic for p = 1: an outlier outweighs the rest
          falls        redescending: an outlier is let go
          0            exactly flat
"""

from dataclasses import dataclass
from math import log2

from flint import arb

from lossmith.ops.ball import precision
from lossmith.ops.balls import Undecided
from lossmith.prove.slice import Slice

FAR = (40, 60)  # powers of 2
FALLEN = -0.02  # an exponent of the slope below which it is said to fall


@dataclass(frozen=True)
class Tail:
    """One side: what the value and the size of the slope do, in words; `fades` where the slope goes to 0."""

    side: int
    value: str
    slope: str
    fades: bool


def tail(function: Slice, side: int) -> Tail | None:
    """What happens towards side * infinity; None where it cannot be read there."""
    try:
        with precision():
            near, far = (function.at(arb(side) * arb(2) ** power) for power in FAR)
    except Undecided:
        return None
    slopes = [jet.slope.size for jet in (near, far)]
    values = [float(jet.value.middle) for jet in (near, far)]
    if slopes[1][1] == 0:
        return Tail(side, f"{values[1]:.4g}", "0", fades=True)
    if not (near.slope.is_finite and far.slope.is_finite and near.value.is_finite and far.value.is_finite):
        return None
    log_near, log_far = (_log2(size) for size in slopes)
    power = (log_far - log_near) / (FAR[1] - FAR[0])
    if power > 30:
        return Tail(side, "grows exponentially", "grows exponentially", fades=False)
    if power < -30 or log_far < -(2.0**30):
        return Tail(side, f"levels off at {_number(values[1])}", "falls exponentially", fades=True)
    if power < FALLEN:
        grows = f"grows like x^{power + 1:.2g}" if power > -0.98 else "grows like log x"
        level = f"levels off at {_number(values[1])}" if power < -1.02 else grows
        return Tail(side, level, f"falls like x^{power:.2g}", fades=True)
    if power < -FALLEN:
        return Tail(side, "grows linearly", f"levels off at {_number(abs(float(far.slope.middle)))}", fades=False)
    words = "grows quadratically" if abs(power - 1) < 0.02 else f"grows like x^{power + 1:.2g}"
    return Tail(side, words, "grows linearly" if abs(power - 1) < 0.02 else f"grows like x^{power:.2g}", fades=False)


def _number(x: float) -> str:
    return f"{0.0 if abs(x) < 1e-12 else x:.4g}"


def _log2(size: tuple[arb, arb]) -> float:
    """The binary logarithm, also of numbers that no double holds."""
    low, high = size
    middle = (low + high) / 2
    found = middle.log() / arb(2).log()
    return float(found.mid()) if middle > 0 and found.is_finite() else log2(5e-324)
