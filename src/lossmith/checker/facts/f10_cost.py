"""F10 cost

What it says
    Time and memory of one call on a large batch, for each prediction: forward and backward, and the bytes that the
    forward pass keeps for the backward pass.

How it is found
    The fastest of several calls, and the distinct storages that the graph holds. Whatever else runs on the machine
    slows the first; the second is exact.

Why it matters
    An elementwise loss should keep a few bytes a prediction. Ten times as much is a chain of small operations, or an
    intermediate that compares everything with everything.
"""

from collections.abc import Iterator

from lossmith.checker.finding import Fact
from lossmith.checker.learned import Learned, Unknown

CODE, NAME = "F10", "cost"


def found(learned: Learned) -> Iterator[Fact]:
    cost = learned.cost
    if isinstance(cost, Unknown):
        yield Fact(CODE, NAME, "not known", "open", cost.why)
        return
    each = f"{1e9 * (cost.both or cost.forward) / cost.predictions:.3g} ns, {cost.kept / cost.predictions:.3g} B kept"
    what = "forward and backward" if cost.both else "forward"
    yield Fact(CODE, NAME, f"{each} for each prediction, {what}", "measured", f"{cost.shape} on {cost.machine}")
