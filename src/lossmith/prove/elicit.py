"""What a loss makes a model predict: the number with the smallest expected cost for a target that is not certain.

With slope s(x, t), the best x for random t solves E s(x, t) = 0. So the form of s in t says which property of t it is:

    s = a(x) - b(x) t                       the mean, with b(x) > 0:  E t = a(x) / b(x)
    s = -u for x < t, v for x > t           a quantile:  P(t < x) = u / (u + v)
    s linear on either side of x = t        an expectile
    t is 0 or 1                             P(t = 1) = s(x, 0) / (s(x, 0) - s(x, 1))

The last line is the inverse map from a prediction to a probability; the loss is proper where it is the prediction
itself, or the sigmoid of a logit. The forms of a residual are proved; each other one is compared at points, in every
piece of the loss, with every digit. An expected slope of 0 is a best prediction only where the slope rises.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from flint import arb

from lossmith.ops import ball
from lossmith.ops.ball import Ball, around, precision
from lossmith.ops.balls import Undecided
from lossmith.prove.certificate import Study
from lossmith.prove.pieces import HALF
from lossmith.prove.sides import Side, same, sides_of
from lossmith.prove.slices import Elementwise

POINTS = (-31.7, -9.3, -5.3, -2.1, -0.7, -0.13, 0.45, 1.3, 3.7, 7.9, 26.3)
WITHIN = (0.003, 0.07, 0.21, 0.46, 0.63, 0.88, 0.994)
RESIDUALS = (0.01, 0.3, 2.0, 45.0)
PIECES = 40  # of a loss that has many, how many are looked at
TARGETS = (0.0, 1.0, 2.0, 5.0)
ABOVE = (0.25, 1.0, 2.0, 5.0)  # of a target that is never 0
CLASSES = {"soft": (0.0, 1.0), "binary": (0.0, 1.0), "pm1": (-1.0, 1.0)}
NOWHERE = "none of mean, median and quantile"
TRIED = ", as far as points tell"


@dataclass(frozen=True)
class Elicited:
    """`what` in words; `proper` for probabilities, None where it does not apply; `inverse` the map back."""

    what: str
    proper: bool | None = None
    inverse: str = ""


def elicited(loss: Elementwise, studies: Sequence[Study] = ()) -> Elicited | None:
    """Which property of the target is predicted; None where the loss has no target that could say.

    studies     of its slices, if they were made: every piece that they have is looked at
    """
    if len(loss.kinds) < 2 or loss.names[1] != "target":
        return None
    rest = loss.others[0][1:]
    try:
        with precision():
            studies = studies or [Study(one.function, one.low, one.high) for one in loss.slices()]
            if loss.kinds[1] in CLASSES:
                return _probability(loss, rest, studies)
            if loss.of_residual:
                return _of_residual(studies[0])
            if loss.kinds[1] in ("real", "count", "positive"):
                return _number(loss, rest, studies)
    except Undecided:
        return None
    return None


def places(plain: Sequence[float], studies: Sequence[Study]) -> list[float]:
    """Points at which a form is compared, one in each piece among them."""
    pieces = [piece for study in studies for piece in study.cut.pieces][:PIECES]
    return sorted({*plain, *(float(piece.low + (piece.high - piece.low) * HALF) for piece in pieces)})


def _slope(loss: Elementwise, x: float, target: float, rest: tuple[float, ...]) -> Ball:
    return loss.slice(target, *rest).at(x).slope


@dataclass(frozen=True)
class _Share:
    """At a prediction x: the slopes for the target that it is wrong for and for the other one."""

    x: float
    wrong: Ball
    right: Ball
    own: Ball  # the probability that x is written for

    @property
    def meant(self) -> Ball:
        return self.wrong / (self.wrong - self.right)

    @property
    def is_best(self) -> bool:
        """Whether x is best for some probability; if both signs are turned, it is the worst."""
        return self.wrong.low > 0 > self.right.high

    @property
    def is_cut(self) -> bool:
        """Whether one side has no gradient there, as beyond a clamp."""
        return self.wrong.size[1] == 0 or self.right.size[1] == 0


def _probability(loss: Elementwise, rest: tuple[float, ...], studies: Sequence[Study]) -> Elicited:
    no, yes = CLASSES[loss.kinds[1]]
    logits = loss.kinds[0] != "prob"
    shares = [
        _Share(
            x, _slope(loss, x, no, rest), _slope(loss, x, yes, rest), ball.sigmoid(around(x)) if logits else around(x)
        )
        for x in places(POINTS if logits else WITHIN, studies)
    ]
    best = [one for one in shares if one.is_best]
    if not best:
        return Elicited("no probability: no prediction that was tried is best for an uncertain target", False)
    if all(same(one.meant, one.own) for one in best) and all(one.is_best or one.is_cut for one in shares):
        cut = next((f", but where it has no gradient: at {one.x:.3g}" for one in shares if not one.is_best), "")
        link = "sigmoid(x)" if logits else "x"
        return Elicited(f"the probability of target {yes:g}{cut}", proper=True, inverse=f"P = {link}")
    if len(best) > 1 and all(same(one.meant, best[0].meant) for one in best):
        return Elicited("the more likely class alone: it says nothing of how likely", proper=False)
    worst = next((one for one in shares if one.wrong.high < 0 < one.right.low), None)
    if worst is not None:
        return Elicited(f"no probability: x = {worst.x:.3g} is worst where its expected slope is 0", proper=False)
    rises = all(a.meant.high <= b.meant.low for a, b in pairwise(best))
    far = max(best, key=lambda one: abs(float(one.meant.middle - one.own.middle)))
    name = "sigmoid(x)" if logits else "x"
    said = f"{name} = {float(far.own.middle):.3g} stands for P = {float(far.meant.middle):.3g}"
    if not rises:
        return Elicited(f"no probability: {said}, and not in order", proper=False)
    return Elicited(f"a distorted probability: {said}", proper=False, inverse="P = l'(x, 0) / (l'(x, 0) - l'(x, 1))")


def _number(loss: Elementwise, rest: tuple[float, ...], studies: Sequence[Study]) -> Elicited:
    points = [x for x in places(POINTS, studies) if loss.kinds[0] != "positive" or x > 0]
    targets = ABOVE if loss.kinds[1] == "positive" else TARGETS
    rows = [[_slope(loss, x, target, rest) for target in targets] for x in points]
    steps = [_steps(row, targets) for row in rows]
    if not all(step is not None and step.high < 0 for step in steps):
        return Elicited(NOWHERE)
    first = around(targets[0])
    means = [first - row[0] / step for row, step in zip(rows, steps, strict=True) if step is not None]
    for words, link in (("x", around), ("e^x", lambda x: ball.exp(around(x)))):
        if all(same(mean, link(x)) for mean, x in zip(means, points, strict=True)):
            return Elicited("the mean of the target", inverse="" if words == "x" else f"mean = {words}")
    if not all(a.high <= b.low for a, b in pairwise(means)):
        return Elicited(NOWHERE)
    x, mean = points[-1], float(means[-1].middle)
    return Elicited("the mean of the target", inverse=f"mean = l'(x, 0) / (l'(x, 0) - l'(x, 1)): {mean:.4g} at {x:.3g}")


def _steps(row: list[Ball], targets: tuple[float, ...]) -> Ball | None:
    """The change of a slope from one target to the next, if it is the same everywhere."""
    changes = [
        (after - before) / around(there - here)
        for before, after, here, there in zip(row, row[1:], targets, targets[1:], strict=False)
    ]
    return changes[0] if all(same(change, changes[0]) for change in changes) else None


def _of_residual(study: Study) -> Elicited:
    if (sides := sides_of(study)) is not None:
        return _of_sides(*sides)
    function = study.function
    below, above = ([function.at(arb(sign * x)).slope for x in RESIDUALS] for sign in (-1, 1))
    if not study.is_bounded(2):  # it may be one of these forms, written so that no enclosure tells
        for sides in _told_by_points(below, above):
            found = _of_sides(*sides)
            if found.what.startswith("the "):
                return Elicited(found.what + TRIED)
    inward = all(slope.high < 0 for slope in below) and all(slope.low > 0 for slope in above)
    return Elicited(f"{NOWHERE}: an estimate of location between them" if inward else NOWHERE)


def _told_by_points(below: list[Ball], above: list[Ball]) -> Sequence[tuple[Side, Side]]:
    """The sides, if their slopes are constant at the points, or proportional to the residual."""
    zero, sides = around(0), (below, above)
    if all(same(slope, side[0]) for side in sides for slope in side):
        return [(Side(below[0], zero), Side(above[0], zero))]
    signed = ((-1, below), (1, above))
    bends = [[slope / around(sign * x) for slope, x in zip(side, RESIDUALS, strict=True)] for sign, side in signed]
    if all(same(bend, side[0]) for side in bends for bend in side):
        return [(Side(zero, bends[0][0]), Side(zero, bends[1][0]))]
    return []


def _of_sides(below: Side, above: Side) -> Elicited:
    """The best prediction where the slope is straight on either side of 0."""
    zero = around(0)
    starts = all(same(side.slope, zero) for side in (below, above))
    bends = all(same(side.bend, zero) for side in (below, above))
    if starts and bends:
        return Elicited("nothing: every prediction costs the same")
    if bends and below.slope.high < 0 < above.slope.low:
        level = float((-below.slope / (above.slope - below.slope)).middle)
        return Elicited("the median of the target" if abs(level - 0.5) < 1e-9 else f"the {level:.4g} quantile")
    if starts and below.bend.low > 0 and above.bend.low > 0:
        level = float((below.bend / (below.bend + above.bend)).middle)
        if same(below.bend, above.bend):
            return Elicited("the mean of the target")
        return Elicited(f"the {level:.4g} expectile of the target")
    return Elicited(NOWHERE)
