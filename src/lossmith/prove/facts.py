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

from lossmith.ops.ball import Ball, around, precision
from lossmith.ops.balls import Undecided
from lossmith.prove import ranges
from lossmith.prove.certificate import Certificate, Range, Study, Verdict
from lossmith.prove.composition import by_rules
from lossmith.prove.elicit import CLASSES, Elicited, elicited, places
from lossmith.prove.sides import same, sides_of
from lossmith.prove.slices import Elementwise, Held, elementwise, interval
from lossmith.prove.tails import Tail, tail

READS = 2500  # for each claim: what is shown at once may stay open where a test would go on
TOLERANCE = 1e-5
SCALES = (-41.7, -11.3, -4.7, -0.7, -0.013, 0.3, 1.9, 7.1, 23.7, 47.3)  # residuals at which degrees are compared


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

    smooth_to   how many derivatives are continuous: 0 for a kink, -1 if the value jumps, None where it is not known
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
        examined = [_examined(loss, held) for held in loss.slices()]
        slices = [one.held for one in examined]
        studies = [(one.held, one.study) for one in examined]
        values = [_values(one) for one in examined]
        return Facts(
            name=loss.name,
            variable="r" if loss.of_residual else "x",
            interval=interval(loss.kinds[0]),
            held=tuple(held.given for held in slices if held.given),
            statements=tuple(_statements(examined)),
            smooth_to=_smooth_to(studies),
            kinks=tuple(_kinks(studies)),
            values=_bounds(values),
            slopes=_bounds([_slopes(one) for one in examined]),
            bends=_bounds([_bends(one) for one in examined]),
            tails=tuple(_tails(loss, slices)) if loss.kinds[0] in ("real", "logits") else (),
            flat=tuple(_flat(studies, values)),
            scale=_scale(studies[0][1]) if loss.of_residual else None,
            elicits=elicited(loss, [study for _, study in studies]),
        )


@dataclass(frozen=True)
class Examined:
    """One slice with what is proved of it first, since its ranges follow from that.

    away    that it never falls away from the target: on either side, or on the one that is wrong for certain
    turns   places between which the value is monotone, if that is proved
    """

    held: Held
    study: Study
    convex: Certificate
    away: tuple[Certificate, ...]
    turns: tuple[float, ...]


def _examined(loss: Elementwise, held: Held) -> Examined:
    study = Study(held.function, held.low, held.high, READS)
    target, side = held.target, wrong_side(loss, held)
    away, turns = tuple[Certificate, ...](), (held.low, held.high)
    if side is not None:
        away = (study.rising() if side > 0 else study.falling(),)
    elif loss.kinds[:2] == ("real", "real") and target is not None:
        below, above = (Study(held.function, *ends, READS) for ends in ((held.low, target), (target, held.high)))
        away, turns = (below.falling(), above.rising()), (held.low, target, held.high)
    proved = away and all(one.verdict == "proved" for one in away)
    return Examined(held, study, _convex(held, study), away, turns if proved else ())


def _convex(held: Held, study: Study) -> Certificate:
    """By branch and bound; what stays open there may follow from rules: the curvature of log(cosh x) falls to 1e-43."""
    found = study.convex()
    if found.verdict != "open" or held.function.stopped:
        return found
    why = by_rules(held.function.read, (1,), positive=held.low >= 0)
    return found if why else replace(found, verdict="proved", because="composition rules")


def _values(one: Examined) -> Range | None:
    if one.convex.verdict == "proved":
        return ranges.values_of_convex(one.study)
    found = ranges.values_between_turns(one.study, one.turns) if one.turns else None
    return found or one.study.value_range(TOLERANCE)


def _slopes(one: Examined) -> Range | None:
    is_convex = one.convex.verdict == "proved"
    return ranges.slopes_of_convex(one.study) if is_convex else one.study.slope_range(TOLERANCE)


def _bends(one: Examined) -> Range | None:
    found = one.study.bend_range()
    return ranges.bends_of_convex(found) if one.convex.verdict == "proved" else found


def _statements(examined: Sequence[Examined]) -> Iterator[Statement]:
    yield _worst("convex", [(one.held, one.convex) for one in examined])
    yield _worst("smooth", [(one.held, one.study.smooth()) for one in examined])
    if away := [(one.held, certificate) for one in examined for certificate in one.away]:
        yield _worst("never falls away from the target", away)


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
    """How many derivatives join at all kinks; 2 stands for two or more, -1 for none and a jump of the value."""
    if any(kink.is_continuous is False for _, study in studies for kink in study.cut.kinks):
        return -1
    order = 2
    for _, study in studies:
        if study.cut.undecided:
            return None
        for kink in study.cut.kinks:
            if kink.is_continuous is not True or kink.is_smooth is None:
                return None
            if not kink.is_smooth:
                order = 0
                continue
            low, high = (kink.right.bend - kink.left.bend).size
            if low > 1e-12 or not (kink.left.bend.is_finite and kink.right.bend.is_finite):
                order = min(order, 1)
            elif not high < 1e-12:
                return None
    if order > 0 and not all(study.is_bounded(1) for _, study in studies):
        return None
    return min(order, 1) if order == 2 and not all(study.is_bounded(2) for _, study in studies) else order


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


def _flat(studies: Sequence[tuple[Held, Study]], values: Sequence[Range | None]) -> Iterator[tuple[str, float, float]]:
    """Pieces on which the slope is 0 for certain, although the value is not the smallest."""
    for (held, study), found in zip(studies, values, strict=True):
        for piece in study.cut.pieces:
            try:
                jet, _ = held.function.over(piece.low, piece.high, piece.known)
            except Undecided:
                continue
            if jet.slope.low == 0 == jet.slope.high and found is not None and jet.value.low > found.least.high:
                yield held.given, float(piece.low), float(piece.high)


def _scale(study: Study) -> float | None:
    """The degree of homogeneity k of a loss of the residual: x l'(x) = k l(x) at every point, in each of its pieces.

    Degrees 1 and 2 are told only of a loss that is straight, or a square, on either side of 0 if that can be seen.
    """
    found: Ball | None = None
    for x in places(SCALES, [study]):
        jet = study.function.at(arb(x))
        degree = around(x) * jet.slope / jet.value
        if not degree.is_finite or (found is not None and not same(degree, found)):
            return None
        found = found or degree
    known = None if found is None or not found.low > 0 else round(float(found.middle), 9)
    if known in (1.0, 2.0) and sides_of(study) is None and study.is_bounded(2):
        return None
    return known
