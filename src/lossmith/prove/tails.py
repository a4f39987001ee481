"""What an outlier does: how value and slope of a loss grow far out, measured with every digit from 2^40 to 2^60.

slope     constant     the loss is linear there: an outlier pulls as hard as any other error
          like r^p     quadratic for p = 1: an outlier outweighs the rest
          falls        redescending: an outlier is let go
          0            exactly flat

A power is told only if it is the same from each place to the next. A logarithm changes it slowly and one way; what
goes to and fro stays near a number if it is little, and comes and goes if it is much.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from math import log2

from flint import arb

from lossmith.ops.ball import Ball, precision
from lossmith.ops.balls import Jet, Undecided
from lossmith.prove.slice import Slice

FAR = (40.0, 43.7, 47.1, 50.9, 54.2, 57.3, 60.0)  # powers of 2; no simple fractions of each other
PURE = 1e-6  # how much the exponent of a power may seem to change
SLOW = 0.1  # and that of a power times a logarithm
EXPONENTIAL = 30.0  # an exponent that no power of a loss has


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
            jets = [function.at(arb(side) * arb(float(2**power))) for power in FAR]
    except Undecided:
        return None
    found = _told(side, jets)
    falls = all((jet.slope.high < 0) if side > 0 else (jet.slope.low > 0) for jet in jets)
    return replace(found, value=found.value.replace("grows", "falls")) if found and falls else found


def _told(side: int, jets: list[Jet]) -> Tail | None:
    last = float(jets[-1].value.middle)
    if all(jet.slope.has(0) for jet in jets):
        return Tail(side, f"{last:.4g}", "0", fades=True)
    if not all(jet.slope.is_finite and jet.value.is_finite for jet in jets):
        return None
    sizes = [_log2(jet.slope.size) for jet in jets]
    steps = zip(pairwise(sizes), pairwise(FAR), strict=True)
    powers = [(far - near) / (there - here) for (near, far), (here, there) in steps]
    if min(powers) > EXPONENTIAL:
        return Tail(side, "grows exponentially", "grows exponentially", fades=False)
    if max(powers) < -EXPONENTIAL or sizes[-1] < -(2.0**30):
        return Tail(side, f"levels off at {_number(last)}", "falls exponentially", fades=True)
    if max(powers) - min(powers) > SLOW:
        return Tail(side, _course([jet.value for jet in jets]), "comes and goes", fades=False)
    if min(powers) < -PURE and max(powers) > PURE:  # a wave: its size has no power
        return Tail(side, "grows about linearly", f"stays near {abs(float(jets[-1].slope.middle)):.2g}", fades=False)
    about = "about " if max(powers) - min(powers) > PURE else ""
    return _power(side, powers[-1], jets[-1], about)


def _power(side: int, power: float, far: Jet, about: str) -> Tail:
    """The slope is like x^power, exactly or about."""
    shown = (lambda p: f"{p:.3g}") if about else (lambda p: f"{p:.5g}")
    value = f"grows {about}like x^{shown(power + 1)}"
    if not about and abs(power) < PURE:
        return Tail(side, "grows linearly", f"levels off at {_number(abs(float(far.slope.middle)))}", fades=False)
    if not about and abs(power - 1) < PURE:
        return Tail(side, "grows quadratically", "grows linearly", fades=False)
    if power > 0:
        return Tail(side, value, f"grows {about}like x^{shown(power)}", fades=False)
    if abs(power + 1) < (SLOW if about else PURE):
        value = "grows slower than any power" if about else "grows like log x"
    elif power < -1:
        value = f"levels off at {_number(float(far.value.middle))}"
    return Tail(side, value, f"falls {about}like x^{shown(power)}", fades=True)


def _course(values: list[Ball]) -> str:
    rises = all(near.high < far.low for near, far in pairwise(values))
    return "grows" if rises else "comes and goes"


def _number(x: float) -> str:
    return f"{0.0 if abs(x) < 1e-12 else x:.4g}"


def _log2(size: tuple[arb, arb]) -> float:
    """The binary logarithm, also of numbers that no double holds."""
    low, high = size
    middle = (low + high) / 2
    found = middle.log() / arb(2).log()
    return float(found.mid()) if middle > 0 and found.is_finite() else log2(5e-324)
