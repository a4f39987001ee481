"""LS207 clamp-dead-zone

What it checks
    Where a prediction is wrong, the loss has a slope. It is reported if the gradient is exactly 0 in float64, at a
    point and all around it, while the value is above what the right prediction has.

Why it matters
    A clamp before the loss, a hard sigmoid, an overlap that is empty: the worst predictions are the ones that learn
    nothing, and a network that starts there stays there. The loss that is printed is high, constant, and looks like a
    learning rate that is too small.

Example
    p = torch.sigmoid(logits).clamp(0.01, 0.99)      # flat for every logit beyond 4.6
    return -(target * p.log() + (1 - target) * (1 - p).log()).mean()

Write instead
    return F.binary_cross_entropy_with_logits(logits, target)

When to allow it
    Bad outliers are meant to be without influence. A loss that says so in its name (truncated, clipped, ramp, robust),
    or that has one constant level for all large residuals (Tukey), is not reported; nor is a slope that fades until
    float64 rounds it to 0 (tanh); nor is a guard such as
    `clamp(1e-7, 1 - 1e-7)`, which is flat only where a probability is all but certain. A plain overlap of boxes is flat
    between boxes that are apart by definition: that is information, unless its name promises a slope (GIoU).
"""

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.batch import near
from lossmith.checker.ends import hard_targets, other_class, right_side
from lossmith.checker.evidence import SkipRule, finding, shrink
from lossmith.checker.finding import Finding, Severity
from lossmith.checker.sample import class_axis, generator, perfect
from lossmith.checker.signature import source_of
from lossmith.checker.subject import Subject, Trial

CODE, NAME, SINCE = "LS207", "clamp-dead-zone", "0.1"
SURE = 12.0  # a logit that settles an entry that is not looked at
LOGITS = (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 16.5)
FADED = 1e-8  # of the slope at ordinary inputs
MARGINAL = 8.0  # beyond this logit a flat region is the usual guard against log(0): for information
PROBS = (0.3, 0.1, 0.03, 0.005)
PLACES = (-30.0, -5.0, -2.0, 2.0, 5.0, 30.0)
POWERS = re.compile(r"ms_?d?ssim|multi_?scale", re.I)  # a contrast below 0 has no power: by definition it counts as 0
OPPOSITE = "where an image is the negative of its target"
MEANT = re.compile(r"trunc|clip|ramp|robust|trim|redescend|tukey|saturat|\bppo\b|surrogate|\bcap(?:ped|_)", re.I)
CAPPED = re.compile(
    r"clamp(?:_max_?)?\(\s*(?:\w+\s*,\s*)?max\s*=|clamp_max"
)  # a ceiling alone: the loss, not a probability
# A plain overlap is flat between boxes that are apart, by definition; these names promise a slope there.
SLOPED = re.compile(r"(?i:(?<![a-z])[gdces]_?iou|generali[sz]ed|distance|complete)|[GDCES]IoU")
KINDS = ("real", "logits", "prob", "simplex", "boxes")


@dataclass(frozen=True)
class Place:
    """`entries` of the prediction are wrong here, all others right; `entries` are those whose gradient is asked."""

    name: str
    inputs: tuple[Any, ...]
    entries: Tensor
    severity: Severity = "warning"


def applies(subject: Subject) -> str:
    contract = subject.contract
    if len(contract.preds) != 1 or contract.target is None or contract.pred.kind not in KINDS:
        return "it is not known which predictions are wrong"
    return ""


def check(subject: Subject) -> Iterator[Finding]:
    inputs = subject.draw(1)
    trial = subject.run(inputs, dtype=torch.float64)
    if not trial.ok or trial.grad is None or not bool((trial.grad != 0).any()):
        raise SkipRule("there is no gradient on ordinary inputs in float64")
    if _says_so(subject):
        raise SkipRule("it says that large errors are meant to be without influence")
    for places in _sweeps(subject, inputs):
        values = [subject.values(place.inputs, dtype=torch.float64) for place in places]
        for place, value in zip(places, values, strict=True):
            if _dead(subject, place) and _above(subject, place, value, values) and not _fades(subject, inputs, place):
                yield _told(subject, place)
                return


def _says_so(subject: Subject) -> bool:
    """In its name, its settings or the first line of its documentation; or by a ceiling without a floor."""
    function = subject.loss if inspect.isroutine(subject.loss) else type(subject.loss)
    first = (function.__doc__ or "").strip().partition("\n")[0]
    if MEANT.search(f"{subject.name} {' '.join(subject.settings)} {first}"):
        return True
    return CAPPED.search(source_of(function)) is not None


def _put(subject: Subject, inputs: tuple[Any, ...], pred: Tensor, target: Tensor | None = None) -> tuple[Any, ...]:
    changed = list(inputs)
    changed[subject.contract.preds[0]] = pred
    if target is not None and subject.contract.target is not None:
        changed[subject.contract.target] = target
    return tuple(changed)


def _sweeps(subject: Subject, inputs: tuple[Any, ...]) -> Iterator[list[Place]]:
    """Rows of places, the mildest first; within a row the same entries are wrong, more and more."""
    kind = subject.contract.pred.kind
    if kind == "boxes":
        yield _apart(subject, inputs)
    elif kind == "real" and subject.contract.target_kind() == "real":
        yield from _beyond(subject, inputs)
    elif (right := right_side(subject.contract, inputs)) is not None:
        yield from _wrong_side(subject, hard_targets(subject.contract, inputs, right), right)


def _wrong_side(subject: Subject, inputs: tuple[Any, ...], right: Tensor) -> Iterator[list[Place]]:
    contract = subject.contract
    axis = class_axis(contract.pred.domain.axes)
    everywhere = torch.ones_like(right, dtype=torch.bool)
    if contract.target_kind() in ("index", "onehot", "dist"):
        wrong = other_class(right, axis).clamp(min=0)
        links: dict[str, Callable[[Tensor], Tensor]] = {"simplex": lambda z: z.softmax(axis)}
        link = links.get(contract.pred.kind, lambda z: z)
        yield [
            Place(f"where a wrong class leads by {s:g}", _put(subject, inputs, link(s * wrong)), everywhere, _grade(s))
            for s in LOGITS
            if s <= MARGINAL or contract.pred.kind != "simplex"  # the usual guard of a probability, as of `prob`
        ]
        return
    for side, word in ((right > 0, "positives"), (right < 0, "negatives")):
        if not bool(side.any()):
            continue
        if contract.pred.kind == "prob":
            best = (right > 0).to(right.dtype).clamp(1e-4, 1 - 1e-4)
            far = {p: torch.where(side, torch.where(right > 0, p, 1 - p), best) for p in PROBS}
            yield [
                Place(f"where {word} have a probability of {p if word == 'positives' else 1 - p:g}", given, side)
                for p, given in ((p, _put(subject, inputs, pred)) for p, pred in far.items())
            ]
        else:
            yield [
                Place(
                    f"where {word} have a logit of {s * (-1 if word == 'positives' else 1):g}",
                    _put(subject, inputs, torch.where(side, -s * right, SURE * right)),
                    side,
                    _grade(s),
                )
                for s in LOGITS
            ]


def _grade(logit: float) -> Severity:
    return "info" if logit > MARGINAL else "warning"


def _beyond(subject: Subject, inputs: tuple[Any, ...]) -> Iterator[list[Place]]:
    """Predictions far out on either side, in a target's own units."""
    goal = subject.contract.target
    pred = inputs[subject.contract.preds[0]]
    if goal is None or inputs[goal].shape != pred.shape:
        return
    everywhere = torch.ones_like(pred, dtype=torch.bool)
    if pred.ndim == 4 and not POWERS.search(subject.name):
        target = inputs[goal]  # around 4, as brightness is: the mean is right, and what lies around it is turned
        turned = (_put(subject, inputs, 4.0 - size * target, 4.0 + target) for size in (0.5, 1.0))
        yield [Place(OPPOSITE, given, everywhere) for given in turned]
    for sign in (-1, 1):
        row = sorted((place for place in PLACES if place * sign > 0), key=abs)
        yield [
            Place(f"where the prediction is {x:g}", _put(subject, inputs, torch.full_like(pred, x)), everywhere)
            for x in row
        ]


def _apart(subject: Subject, inputs: tuple[Any, ...]) -> list[Place]:
    """Boxes without overlap, a little and far away."""
    goal = subject.contract.target
    if goal is None:
        return []
    target = inputs[goal]
    size = target[..., 2:] - target[..., :2]
    step = torch.cat([size, size], -1)
    everywhere = torch.ones_like(target, dtype=torch.bool)
    severity: Severity = "warning" if SLOPED.search(subject.name) else "info"
    return [
        Place("where the boxes do not overlap", _put(subject, inputs, target + times * step), everywhere, severity)
        for times in (1.5, 5.0)
    ]


def _dead(subject: Subject, place: Place) -> bool:
    """The gradient is exactly 0 at the entries, here and at predictions a few percent away in all directions."""
    where = subject.contract.preds[0]
    pred = place.inputs[where]
    for seed in range(4):
        noise = torch.rand(pred.shape, generator=generator(seed)) - 0.5
        moved = pred if seed == 0 else _near(subject.contract.pred.kind, pred, 0.04 * noise)
        grad = subject.run(_put(subject, place.inputs, moved), dtype=torch.float64).grad
        if grad is None or not bool((grad[place.entries] == 0).all()):
            return False
    return True


def _fades(subject: Subject, inputs: tuple[Any, ...], place: Place) -> bool:
    """True if the gradient was next to nothing before it became 0: tanh, whose derivative float64 rounds away.

    Looked at on the straight line from ordinary inputs; a clamp ends a slope at once.
    """
    where = subject.contract.preds[0]
    start, end = inputs[where].double(), place.inputs[where].double()
    if start.shape != end.shape:
        return False

    def steepest(s: float) -> float:
        moved = torch.where(place.entries, torch.lerp(start, end, s), end)
        grad = subject.run(_put(subject, place.inputs, moved), dtype=torch.float64).grad
        return 0.0 if grad is None else float(grad[place.entries].abs().max())

    first, low, high = steepest(0.0), 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if steepest(middle) > 0 else (low, middle)
    return steepest(low) < FADED * first


def _near(kind: str, pred: Tensor, step: Tensor) -> Tensor:
    if kind == "prob":
        return torch.where(pred < 0.5, pred * (1 + step), 1 - (1 - pred) * (1 + step))
    if kind == "simplex":
        pred = pred * (1 + step)
        return pred / pred.sum(-1, keepdim=True)
    return pred + step * (1 + pred.abs())


def _above(subject: Subject, place: Place, value: float, values: list[float]) -> bool:
    """The value is above that of the right prediction by more than 1 % of what the sweep spans."""
    best = perfect(subject.contract, place.inputs, far=SURE)
    if best is None:
        return False
    if subject.contract.pred.kind in ("prob", "simplex"):
        best = _put(subject, best, best[subject.contract.preds[0]].clamp(1e-4, 1 - 1e-4))
    floor = subject.values(best, dtype=torch.float64)
    span = max(*values, floor) - min(*values, floor)
    if not (floor == floor and value - floor > 0.01 * span and span > 0):
        return False
    return (
        subject.contract.pred.kind != "real" or place.name == OPPOSITE or _level_follows_target(subject, place, value)
    )


def _level_follows_target(subject: Subject, place: Place, value: float) -> bool:
    """A clamped prediction leaves a loss that still ranks targets; an outlier beyond Tukey's limit costs a constant.

    Where targets beyond the clamp are all the same too, the clamp is part of what the loss measures.
    """
    goal = subject.contract.target
    if goal is None:
        return False
    pred, target = place.inputs[subject.contract.preds[0]], place.inputs[goal]

    def with_target(other: Tensor) -> float:
        return subject.values(_put(subject, place.inputs, pred, other), dtype=torch.float64)

    level_moves = not near(with_target(0.9 * target), value, 1e-6)
    return level_moves and not near(with_target(pred), with_target(1.5 * pred), 1e-6)


def _told(subject: Subject, place: Place) -> Finding:
    def still(part: tuple[Any, ...]) -> bool:
        trial = subject.run(part)
        return trial.grad is not None and not bool((trial.grad != 0).any())

    inputs = shrink(subject, place.inputs, still) if bool(place.entries.all()) else place.inputs
    trial: Trial = subject.run(inputs)
    name = subject.contract.pred.name
    boxes = subject.contract.pred.kind == "boxes"
    return finding(
        sys.modules[__name__],
        subject,
        severity=place.severity,
        message=f"{name} gets no gradient {place.name} and around it, though the prediction is wrong there",
        trial=trial,
        why="" if boxes else "the gradient is exactly 0 in float64 too, so that it is no matter of rounding",
        fix="use a form with a slope between boxes that are apart (GIoU, DIoU)"
        if boxes
        else f"leave {name} as it is and use the stable form (with_logits, log_softmax), or clamp where it is right",
    )
