"""Whether both sides of a target cost the same: compared at points, with every digit.

residual    l(r) = l(-r): over- and undershooting
classes     l(x, yes) = l(-x, no) for a logit, l(1 - p, no) for a probability: neither class is favoured
"""

from dataclasses import dataclass

from lossmith.ops.ball import precision
from lossmith.ops.balls import Undecided
from lossmith.prove.elicit import CLASSES, POINTS, WITHIN
from lossmith.prove.sides import CLOSE
from lossmith.prove.slices import Elementwise


@dataclass(frozen=True)
class Symmetry:
    """`same`, or two values that differ, with the prediction at which they do."""

    same: bool
    at: float = 0.0
    here: float = 0.0
    there: float = 0.0


def symmetry(loss: Elementwise) -> Symmetry | None:
    """None where a loss has no two sides that could be alike, or cannot be read at these points."""
    classes = CLASSES.get(loss.kinds[1]) if len(loss.names) > 1 else None
    if not loss.of_residual and classes is None:
        return None
    no, yes = classes or (0.0, 0.0)
    within = loss.kinds[0] == "prob"
    rest = loss.others[0][1:]
    try:
        with precision():
            for x in WITHIN if within else POINTS:
                mirrored = 1.0 - x if within else -x
                here = loss.slice(yes, *rest).at(x).value
                there = loss.slice(no, *rest).at(mirrored).value
                difference = here - there
                if not (difference.is_finite and difference.size[1] <= CLOSE * (1 + here.size[1])):
                    return Symmetry(False, x, float(here.middle), float(there.middle))
    except Undecided:
        return None
    return Symmetry(True)
