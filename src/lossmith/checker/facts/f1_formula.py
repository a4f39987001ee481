"""F1 formula

What it says
    The mathematics that the code computes: the loss of one prediction, by region, at the settings it was built with.

How it is found
    The loss is traced on single numbers, the trace is read as symbols at many samples, and the expressions are compared
    with the same trace at fifty digits. A loss of lossmith's own brings its formula with it.

Why it matters
    Code that is read is believed. The formula shows a missing factor, a swapped argument or a clamp that cuts in.

When it stays open
    The loss computes one number from several, draws random numbers, or uses an operation that is not replayed; the line
    is named.
"""

from collections.abc import Iterator

from lossmith.checker.finding import Fact
from lossmith.checker.learned import Learned, Unknown

CODE, NAME = "F1", "formula"


def found(learned: Learned) -> Iterator[Fact]:
    known = learned.mathematics
    if isinstance(known, Unknown):
        yield Fact(CODE, NAME, "not known", "open", known.why)
        return
    letters = ", ".join(f"{letter} = {meaning}" for letter, meaning in known.letters.items())
    for number, line in enumerate(line for line in known.lines if line.what == "loss"):
        held = ", ".join(part for part in (line.given, line.where) if part)
        note = "" if number else f"{letters}; {known.note}"
        yield Fact(CODE, NAME, line.text + (f"  for {held}" if held else ""), "measured", note)
