"""What is true of a loss of single numbers, beside its formula: certificates first, then what follows for training.

    lossmith.facts("huber")         printed, or read: `facts.statements`, `facts.kinks`, `facts.tails`, ...

Statements are proved or refuted on the interval that is shown, for every target that is held (`given`). Tails, scale
and what is elicited are measured with every digit at points, and say what happens beyond. All of it is plain data.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

from flint import arb

from lossmith.ops.ball import Ball, precision
from lossmith.ops.balls import Undecided
from lossmith.prove.certificate import Certificate, Range, Study, Verdict
from lossmith.prove.composition import by_rules
from lossmith.prove.elicit import CLASSES, Elicited, elicited
from lossmith.prove.slices import Elementwise, Held, elementwise, interval
from lossmith.prove.tails import Tail, tail

READS = 2500  # for each claim: what is shown at once may stay open where a test would go on
TOLERANCE = 1e-5
SCALES = (0.3, 0.7, 1.9, 4.7, 11.3)  # residuals at which two sizes are compared


@dataclass(frozen=True)
class Statement:
    """One claim over all slices: the worst verdict, and for which slice and why where it is not proved."""

    claim: str
    verdict: Verdict
    because: str
    given: str = ""


@dataclass(frozen=True)
class Jump:
    """A place where the slope jumps, or the value."""

    given: str
    at: float
    by: float
    torn: bool


@dataclass(frozen=True)
class Bounds:
    """Enclosures of the smallest and of the largest of all values, slopes or second derivatives."""

    least: tuple[float, float]
    most: tuple[float, float]


@dataclass(frozen=True)
class Facts:
    """Everything that was found out; `variable` is what moves: r = pred - target, or x; `held` what does not.

    smooth_to   how many derivatives are continuous: 0 for a kink, None where it is not known
    scale       the degree k of l(c r) = c^k l(r), None where there is none
    tails       what is held, what happens far out, and whether the prediction is wrong there for certain
    flat        intervals where the slope is exactly 0 and the value is not the smallest
    """

    name: str
    variable: str
    interval: tuple[float, float]
    held: tuple[str, ...]
    statements: tuple[Statement, ...]
    smooth_to: int | None
    kinks: tuple[Jump, ...]
    values: Bounds | None
    slopes: Bounds | None
    bends: Bounds | None
    tails: tuple[tuple[str, Tail, bool], ...]
    flat: tuple[tuple[str, float, float], ...]
    scale: float | None
    elicits: Elicited | None

    def __str__(self) -> str:
        from lossmith.report.facts import in_text

        return in_text(self)


def facts(loss: Any, **settings: Any) -> Facts:
    """The facts of a catalogue formula, of the formula behind a face, or of a name, at these keywords.

    Errors    LossmithError for a loss that has no formula, or that is not one of single numbers
    """
    from lossmith.prove.derive import formula_of

    return facts_of(elementwise(formula_of(loss), **settings))


def facts_of(loss: Elementwise) -> Facts:
    """The facts of any loss of single numbers."""
    with precision():
        slices = list(loss.slices())
        studies = [(held, Study(held.function, held.low, held.high, READS)) for held in slices]
        return Facts(
            name=loss.name,
            variable="r" if loss.of_residual else "x",
            interval=interval(loss.kinds[0]),
            held=tuple(held.given for held in slices if held.given),
            statements=tuple(_statements(loss, studies)),
            smooth_to=_smooth_to(studies),
            kinks=tuple(_kinks(studies)),
            values=_bounds([study.value_range(TOLERANCE) for _, study in studies]),
            slopes=_bounds([study.slope_range(TOLERANCE) for _, study in studies]),
            bends=_bounds([study.bend_range() for _, study in studies]),
            tails=tuple(_tails(loss, slices)) if loss.kinds[0] in ("real", "logits") else (),
            flat=tuple(_flat(studies)),
            scale=_scale(loss) if loss.of_residual else None,
            elicits=elicited(loss),
        )


def _statements(loss: Elementwise, studies: Sequence[tuple[Held, Study]]) -> Iterator[Statement]:
    yield _worst("convex", [(held, _convex(held, study)) for held, study in studies])
    yield _worst("smooth", [(held, study.smooth()) for held, study in studies])
    yield from _direction(loss, studies)


def _convex(held: Held, study: Study) -> Certificate:
    """By branch and bound; what stays open there may follow from rules: the curvature of log(cosh x) falls to 1e-43."""
    found = study.convex()
    if found.verdict != "open" or held.function.stopped:
        return found
    why = by_rules(held.function.read, (1,), positive=held.low >= 0)
    return found if why else replace(found, verdict="proved", because="composition rules")


def _direction(loss: Elementwise, studies: Sequence[tuple[Held, Study]]) -> Iterator[Statement]:
    """Whether it costs more to be further from the target, where the target says which way that is."""
    found: list[tuple[Held, Certificate]] = []
    for held, study in studies:
        side = wrong_side(loss, held)
        if side is not None:
            found.append((held, study.rising() if side > 0 else study.falling()))
        elif loss.kinds[:2] == ("real", "real") and held.target is not None:
            below = Study(held.function, held.low, held.target, READS)
            above = Study(held.function, held.target, held.high, READS)
            found += [(held, below.falling()), (held, above.rising())]
    if found:
        yield _worst("never falls away from the target", found)


def wrong_side(loss: Elementwise, held: Held) -> int | None:
    """In which direction a prediction is sure and wrong, for a target that is one of two classes."""
    kind = dict(zip(loss.names, loss.kinds, strict=True)).get("target", "")
    if held.target not in CLASSES.get(kind, ()):
        return None
    return -1 if held.target == 1.0 else 1


def _worst(claim: str, found: Sequence[tuple[Held, Certificate]]) -> Statement:
    for verdict in ("refuted", "open"):
        for held, one in found:
            if one.verdict == verdict:
                return Statement(claim, verdict, one.because, held.given)
    within = max(one.within for _, one in found)
    rules = next((one.because for _, one in found if one.because == "composition rules"), "")
    return Statement(claim, "proved", f"joins to {within:.1g}" if within else rules)


def _kinks(studies: Sequence[tuple[Held, Study]]) -> Iterator[Jump]:
    for held, study in studies:
        for kink in study.kinks:
            torn = kink.is_continuous is False
            if torn or kink.is_smooth is False:
                yield Jump(held.given, float(kink.at.middle), float((kink.gap if torn else kink.jump).middle), torn)


def _smooth_to(studies: Sequence[tuple[Held, Study]]) -> int | None:
    """How many derivatives join at all kinks; 2 stands for two or more."""
    order = 2
    for _, study in studies:
        if study.cut.undecided:
            return None
        for kink in study.cut.kinks:
            if kink.is_smooth is not True:
                return 0 if kink.is_smooth is False else None
            low, high = (kink.right.bend - kink.left.bend).size
            if low > 1e-12:
                order = 1
            elif not high < 1e-12:
                return None
    return order


def _bounds(found: Sequence[Range | None]) -> Bounds | None:
    """What encloses the numbers of all slices; None where one of them has no bounds."""
    if any(one is None for one in found):
        return None
    known = [one for one in found if one is not None]
    least = (min(float(one.least.low) for one in known), min(float(one.least.high) for one in known))
    most = (max(float(one.most.low) for one in known), max(float(one.most.high) for one in known))
    return Bounds(least, most) if isfinite(least[0]) and isfinite(most[1]) else None


def _tails(loss: Elementwise, slices: Sequence[Held]) -> Iterator[tuple[str, Tail, bool]]:
    """Far out; of two classes only the sides where the prediction is wrong, and no target between them."""
    classes = any(wrong_side(loss, held) is not None for held in slices)
    for held in slices:
        wrong = wrong_side(loss, held)
        sides = (-1, 1) if not classes else () if wrong is None else (wrong,)
        for side in sides:
            if (found := tail(held.function, side)) is not None:
                yield held.given, found, classes or loss.of_residual


def _flat(studies: Sequence[tuple[Held, Study]]) -> Iterator[tuple[str, float, float]]:
    """Pieces on which the slope is 0 for certain, although the value is not the smallest."""
    for held, study in studies:
        found = study.value_range(TOLERANCE)
        for piece in study.cut.pieces:
            try:
                jet, _ = held.function.over(piece.low, piece.high, piece.known)
            except Undecided:
                continue
            if jet.slope.low == 0 == jet.slope.high and found is not None and jet.value.low > found.least.high:
                yield held.given, float(piece.low), float(piece.high)


def _scale(loss: Elementwise) -> float | None:
    """The degree of homogeneity in the residual: the same power of 2 at every point, to every digit."""
    function = loss.slice(*loss.others[0])
    ratios: list[Ball] = []
    for x in SCALES:
        for sign in (1, -1):
            once, twice = (function.at(arb(sign * x) * times).value for times in (1, 2))
            ratios.append(twice / once)
    first = ratios[0]
    same = all((one - first).is_finite and (one - first).size[1] < 1e-12 for one in ratios)
    degree = first.middle.log() / arb(2).log() if same and first.low > 0 else None
    return None if degree is None else round(float(degree), 9)
