"""What a loss makes a model predict: the number with the smallest expected cost for a target that is not certain.

With slope s(x, t), the best x for random t solves E s(x, t) = 0. So the form of s in t says which property of t it is:

    s = a(x) - b(x) t                       the mean, with b(x) > 0:  E t = a(x) / b(x)
    s = -u for x < t, v for x > t           a quantile:  P(t < x) = u / (u + v)
    s linear on either side of x = t        an expectile
    t is 0 or 1                             P(t = 1) = s(x, 0) / (s(x, 0) - s(x, 1))

The last line is the inverse map from a prediction to a probability; the loss is proper where it is the prediction
itself, or the sigmoid of a logit. Each form is compared at points, with every digit.
"""

from dataclasses import dataclass
from itertools import pairwise

from flint import arb

from lossmith.ops import ball
from lossmith.ops.ball import Ball, around, precision
from lossmith.ops.balls import Undecided
from lossmith.prove.slices import Elementwise

POINTS = (-5.3, -2.1, -0.7, 0.45, 1.3, 3.7)
WITHIN = (0.07, 0.21, 0.46, 0.63, 0.88)
TARGETS = (0.0, 1.0, 2.0, 5.0)
ABOVE = (0.25, 1.0, 2.0, 5.0)  # of a target that is never 0
CLASSES = {"soft": (0.0, 1.0), "binary": (0.0, 1.0), "pm1": (-1.0, 1.0)}
CLOSE = 2.0**-46


@dataclass(frozen=True)
class Elicited:
    """`what` in words; `proper` for probabilities, None where it does not apply; `inverse` the map back."""

    what: str
    proper: bool | None = None
    inverse: str = ""


def elicited(loss: Elementwise) -> Elicited | None:
    """Which property of the target is predicted; None where the loss has no target that could say."""
    if len(loss.kinds) < 2 or loss.names[1] != "target":
        return None
    rest = loss.others[0][1:]
    try:
        with precision():
            if loss.kinds[1] in CLASSES:
                return _probability(loss, rest)
            if loss.kinds[1] in ("real", "count", "positive"):
                return _number(loss, rest)
    except Undecided:
        return None
    return None


def _slope(loss: Elementwise, x: float, target: float, rest: tuple[float, ...]) -> Ball:
    return loss.slice(target, *rest).at(x).slope


def _is(x: Ball, y: Ball) -> bool:
    """The same number, up to what constants of a loss were rounded."""
    difference = x - y
    return difference.is_finite and difference.size[1] <= CLOSE * (1 + x.size[1] + y.size[1])


def _probability(loss: Elementwise, rest: tuple[float, ...]) -> Elicited:
    no, yes = CLASSES[loss.kinds[1]]
    logits = loss.kinds[0] != "prob"
    shares: list[tuple[float, Ball, Ball]] = []
    for x in POINTS if logits else WITHIN:
        wrong, right = (_slope(loss, x, target, rest) for target in (no, yes))
        own = ball.sigmoid(around(x)) if logits else around(x)
        shares.append((x, wrong / (wrong - right), own))
    inside = [entry for entry in shares if entry[1].low > 0 and entry[1].high < 1]
    if len(inside) == len(shares) and all(_is(share, own) for _, share, own in shares):
        link = "sigmoid(x)" if logits else "x"
        return Elicited(f"the probability of target {yes:g}", proper=True, inverse=f"P = {link}")
    if inside and all(_is(share, inside[0][1]) for _, share, _ in inside):
        return Elicited("the more likely class alone: it says nothing of how likely", proper=False)
    if not inside:
        return Elicited("no probability: no prediction that was tried is best for an uncertain target", False)
    rises = all(a[1].high <= b[1].low for a, b in pairwise(inside))
    x, share, own = max(inside, key=lambda entry: abs(float(entry[1].middle - entry[2].middle)))
    said = f"{'sigmoid(x)' if logits else 'x'} = {float(own.middle):.3g} stands for P = {float(share.middle):.3g}"
    if not rises:
        return Elicited(f"no probability: {said}, and not in order", proper=False)
    return Elicited(f"a distorted probability: {said}", proper=False, inverse="P = l'(x, 0) / (l'(x, 0) - l'(x, 1))")


def _number(loss: Elementwise, rest: tuple[float, ...]) -> Elicited:
    points = [x for x in POINTS if loss.kinds[0] != "positive" or x > 0]
    targets = ABOVE if loss.kinds[1] == "positive" else TARGETS
    rows = [[_slope(loss, x, target, rest) for target in targets] for x in points]
    steps = [_steps(row, targets) for row in rows]
    if all(step is not None and step.high < 0 for step in steps):
        first = around(targets[0])
        means = [first - row[0] / step for row, step in zip(rows, steps, strict=True) if step is not None]
        for words, link in (("x", around), ("e^x", lambda x: ball.exp(around(x)))):
            if all(_is(mean, link(x)) for mean, x in zip(means, points, strict=True)):
                return Elicited("the mean of the target", inverse="" if words == "x" else f"mean = {words}")
        x, mean = points[-1], float(means[-1].middle)
        return Elicited(
            "the mean of the target", inverse=f"mean = l'(x, 0) / (l'(x, 0) - l'(x, 1)): {mean:.4g} at {x:g}"
        )
    return _of_residual(loss) if loss.of_residual else Elicited("none of mean, median and quantile")


def _steps(row: list[Ball], targets: tuple[float, ...]) -> Ball | None:
    """The change of a slope from one target to the next, if it is the same everywhere."""
    changes = [
        (after - before) / around(there - here)
        for before, after, here, there in zip(row, row[1:], targets, targets[1:], strict=False)
    ]
    return changes[0] if all(_is(change, changes[0]) for change in changes) else None


def _of_residual(loss: Elementwise) -> Elicited:
    function = loss.slice(0.0)
    below = [function.at(arb(-x)).slope for x in (0.01, 0.3, 2.0, 45.0)]
    above = [function.at(arb(x)).slope for x in (0.01, 0.3, 2.0, 45.0)]
    if all(_is(slope, side[0]) for side in (below, above) for slope in side) and above[0].low > 0:
        level = float((-below[0] / (above[0] - below[0])).middle)
        return Elicited("the median of the target" if abs(level - 0.5) < 1e-9 else f"the {level:.4g} quantile")
    sides = [
        [slope / around(x) for slope, x in zip(side, (0.01, 0.3, 2.0, 45.0), strict=True)] for side in (below, above)
    ]
    if all(_is(slope, side[0]) for side in sides for slope in side):
        level = float((-sides[0][0] / (sides[1][0] - sides[0][0])).middle)
        return Elicited(f"the {level:.4g} expectile of the target")
    return Elicited("none of mean, median and quantile: an estimate of location between them")
