"""How far a template comes: accepted, with an effect, better than random, optimal.

Values alone decide, so that a loss whose gradient is broken still gets its contract. Traits are observations that
tell kinds apart although both are right.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf, isfinite
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.contract import Contract
from lossmith.checker.effects import has_effect, low_targets_matter
from lossmith.checker.sample import FINITE_OPTIMUM, class_axis, draw, generator, perfect, sizes_for
from lossmith.checker.subject import Subject
from lossmith.checker.templates import Template
from lossmith.checker.wrong import put

SEEDS = (11, 12, 13)
NEVER_FINITE = "the value is not finite"
UNKNOWN = "the best prediction is not known"  # one argument: nothing to compare it with
IGNORED = re.compile(r"single channel|(?:is|are|will be) ignored|=\w+`? ignored")  # it takes other shapes than these
FLAT = "flat around the perfect prediction"  # right for a tolerance, as in epsilon-insensitive losses
AT_INFINITY = (("logits", "index"), ("logits", "onehot"), ("logits", "binary"))  # more is always a little better
LEADS = (4.0, 3.0)  # of the right logit, where labels are smoothed
BEST = 4  # how many steps a template must pass to be right


@dataclass
class Judged:
    """A template with what became of it: how far it came (1 accepted, to 4 optimal) and what stopped it."""

    template: Template
    contract: Contract
    tier: int = 0
    stopped: str = ""
    score: float = 0.0
    traits: set[str] = field(default_factory=set[str])


def contract_of(subject: Subject, template: Template) -> Contract:
    """The template as a contract; the arrays of a fold have names of their own, and entries alike one domain."""
    known, made = subject.contract, template.contract(subject.parameters)
    made, fold = replace(made, sizes=known.sizes, also=known.also), known.fold
    if fold is None:
        return made
    arguments = [made.arguments[i] for i in fold.owners] if fold.alike else made.arguments
    named = tuple(replace(one, name=leaf) for one, leaf in zip(arguments, fold.leaves, strict=True))
    return replace(made, arguments=named, fold=fold)


def judge(subject: Subject, template: Template, contract: Contract | None = None, *, warned: bool = False) -> Judged:
    """How far a template comes; each step must hold for every seed. `warned`: though torch warns of its shapes."""
    entry = Judged(template, contract or contract_of(subject, template))
    twin = subject.with_contract(entry.contract)
    if "mask" in template.meaning and not entry.contract.flags and not _runs(twin):
        flagged = subject.with_contract(replace(entry.contract, flags=True))
        if _runs(flagged):
            entry.contract, twin = flagged.contract, flagged
    try:
        for step in (partial(accepts, warned=warned), has_effect, _perfect_beats_random, _perfect_is_optimal):
            for seed in SEEDS:
                entry.stopped = step(twin, seed)
                if entry.stopped == FLAT and template.meaning == ("real", "real"):
                    entry.traits, entry.stopped = {"flat"}, ""
                if entry.stopped:
                    return entry
            entry.tier += 1
        entry.traits |= _traits(twin)
    except Exception as error:  # a template may fail in any way; that it failed is the observation
        entry.stopped = entry.stopped or f"{type(error).__name__}: {_first_line(error)}"
    return entry


def _runs(subject: Subject) -> bool:
    return subject.run(subject.draw(SEEDS[0]), grad=False).ok


def shortfall(subject: Subject, seeds: Sequence[int] = SEEDS) -> str:
    """Why the perfect prediction of this contract is not the best one; empty if it is."""
    for step in (_perfect_beats_random, _perfect_is_optimal):
        for seed in seeds:
            if stopped := step(subject, seed):
                return stopped
    return ""


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [""])[0][:120]


def accepts(subject: Subject, seed: int, *, warned: bool = False) -> str:
    arguments = subject.draw(seed)
    trial = subject.run(arguments, grad=False)
    if trial.error is not None:
        return f"raises {type(trial.error).__name__}: {_first_line(trial.error)}"
    if not warned and any("size" in text and "broadcast" in text for text in trial.warned):
        return "warns about the shapes"
    if any(IGNORED.search(text) for text in trial.warned):
        return "warns that it ignores a setting"
    if not trial.finite_value:
        return f"{NEVER_FINITE}: {trial.value} on ordinary inputs"
    return ""


def _random_values(subject: Subject, arguments: tuple[Any, ...], seed: int, count: int = 6) -> list[float]:
    where = subject.contract.preds[0]
    drawn = [draw(subject.contract, 1000 * seed + k)[where] for k in range(count)]
    return sorted(subject.values(put(arguments, where, pred)) for pred in drawn)


def _nearly_perfect(subject: Subject, arguments: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """The perfect prediction, with probabilities of 0 and 1 moved inside: many losses are NaN there (LS201).

    Of logits for a class, the lead that costs least: with smoothed labels a larger one costs more again.
    """
    contract = subject.contract
    best = perfect(contract, arguments)
    if best is not None and (contract.pred.kind, contract.target_kind()) == ("logits", "index"):
        smaller = (perfect(contract, arguments, far) for far in LEADS)
        return min((best, *(each for each in smaller if each is not None)), key=subject.values)
    if best is None or contract.pred.kind not in ("prob", "simplex"):
        return best
    where, tiny = contract.preds[0], 1e-4
    pred = best[where]
    if contract.pred.kind == "prob":
        return put(best, where, pred.clamp(tiny, 1 - tiny))
    classes = pred.shape[class_axis(contract.pred.domain.axes)]
    return put(best, where, pred * (1 - tiny * classes) + tiny)


def _perfect_beats_random(subject: Subject, seed: int) -> str:
    arguments = subject.draw(seed)
    best = _nearly_perfect(subject, arguments)
    if best is None:
        return UNKNOWN
    value, random = subject.values(best), _random_values(subject, arguments, seed)
    if value == -inf and subject.contract.kinds() == ("real", "real"):
        return ""  # the logarithm of an error: LS104 speaks of its gradient
    if not isfinite(value):
        return f"the value at the perfect prediction is {value}"
    if not all(isfinite(other) for other in random):
        return "not finite on ordinary inputs"
    return "" if value < random[0] - 1e-9 else "the perfect prediction is not better than random ones"


def _perfect_is_optimal(subject: Subject, seed: int) -> str:
    arguments = subject.draw(seed)
    best = _nearly_perfect(subject, arguments)
    if best is None:
        return UNKNOWN
    kinds, where = (subject.contract.pred.kind, subject.contract.target_kind()), subject.contract.preds[0]
    value = subject.values(best)
    if kinds in AT_INFINITY:  # a Dice of a class that is absent is mended by more than a cross entropy asks for
        surer = put(best, where, 10.0 * best[where])
        best, value = (surer, other) if -inf < (other := subject.values(surer)) < value else (best, value)
    span = abs(_random_values(subject, arguments, seed)[3] - value) + 1e-9
    for name, pred in _rivals(subject.contract, best, seed):
        rival = subject.values(put(best, where, pred))
        if rival < value - 0.05 * span - 1e-6:
            return f"a prediction {name} is better than the perfect one"
    return _local_minimum(subject, best, value, seed) if kinds in FINITE_OPTIMUM else ""


def _rivals(contract: Contract, best: tuple[Any, ...], seed: int) -> Iterator[tuple[str, Tensor]]:
    """Valid predictions far from the perfect one, which must not beat it."""
    pred, kind = best[contract.preds[0]], contract.pred.kind
    g = generator(seed)
    direction = torch.randn(pred.shape, generator=g)
    if kind in ("real", "logits"):
        for scale in (10.0, 1e3):
            yield f"{scale:g} away", pred + scale * direction
            yield f"{scale:g} away", pred - scale * direction
        yield "ten times as large", pred * 10.0
        for scale in (0.5, 20.0, 60.0):
            yield f"of +-{scale:g}", scale * direction.sign()
            yield f"of {-scale:g}", torch.full_like(pred, -scale)
            yield f"of {scale:g}", torch.full_like(pred, scale)
    elif kind == "positive":
        for scale in (1e-2, 10.0, 1e3):
            yield f"{scale:g} times as large", pred * scale
    elif kind == "boxes":
        size = (pred[..., 2:] - pred[..., :2]).repeat(*[1] * (pred.ndim - 1), 2)
        for times in (1.2, 1.5, 2.0, 2.2, 2.4, 3.0, 10.0):
            yield f"{times:g} sizes away", pred + times * size
    elif kind == "prob":
        for low in (0.001, 0.1):
            yield "near 0 and 1", torch.where(direction > 0, 1 - low, low)
    elif kind in ("simplex", "logprob"):
        axis = class_axis(contract.pred.domain.axes)
        for sharpness in (0.0, 3.0):
            log_prob = (sharpness * direction).log_softmax(axis)
            yield "elsewhere on the simplex", log_prob if kind == "logprob" else log_prob.exp()


def _local_minimum(subject: Subject, best: tuple[Any, ...], value: float, seed: int) -> str:
    where, kind = subject.contract.preds[0], subject.contract.pred.kind
    axis = class_axis(subject.contract.pred.domain.axes)
    pred, higher = best[where], 0
    g = generator(seed)
    for _ in range(8):
        step = 0.02 * torch.randn(pred.shape, generator=g) * pred.abs().mean().clamp(min=0.05)
        near = _inside(pred, step, kind, axis)
        change = subject.values(put(best, where, near)) - value
        if change < -1e-6 * (1 + abs(value)):
            return "the perfect prediction is not a local minimum"
        higher += change > 1e-7 * (1 + abs(value))
    return "" if higher >= 4 else FLAT


def _inside(pred: Tensor, step: Tensor, kind: str, axis: int) -> Tensor:
    if kind == "simplex":
        return (pred.clamp(min=1e-6).log() + step).softmax(axis)
    if kind == "logprob":
        return (pred + step).log_softmax(axis)
    if kind == "prob":
        return (pred + step).clamp(0.0, 1.0)
    return (pred + step).clamp(min=1e-3) if kind == "positive" else pred + step


def _traits(subject: Subject) -> set[str]:
    """Observations that tell kinds apart although both are accepted."""
    contract, arguments = subject.contract, subject.draw(SEEDS[0])
    where = contract.preds[0]
    pred, value = arguments[where], subject.values(arguments)
    close = 1e-5 * (1 + abs(value))

    def unchanged(index: int, other: Tensor) -> bool:
        return abs(subject.values(put(arguments, index, other)) - value) < close

    found: set[str] = set()
    if contract.pred.kind in ("real", "logits", "embedding"):
        if unchanged(where, 3.0 * pred):
            found.add("scale invariant")
        if pred.ndim >= 2 and unchanged(where, pred + torch.randn(len(pred), *[1] * (pred.ndim - 1))):
            found.add("shift invariant")
        beyond = pred.abs() + 0.1  # uneven, so that a loss that only sees the order of two values is not taken in
        clamped = [torch.where(pred > 0, 1.0 + s * beyond, -s * beyond) for s in (0.0, 3.0, 9.0)]
        ends = [subject.values(put(arguments, where, end)) for end in clamped]
        if isfinite(ends[0]) and max(ends) - min(ends) < close:
            found.add("clamped to [0, 1]")
    if contract.pred.kind == "prob" and contract.pred.domain.axes[-1:] == ("C",):
        rows = torch.linspace(0.3, 0.9, len(pred)).reshape(-1, *[1] * (pred.ndim - 1))
        if unchanged(where, rows * pred):
            found.add("rows are normalised")
    if contract.target is not None and contract.target_kind() == "index":
        renamed = (arguments[contract.target] + 1) % sizes_for(contract)["C"]
        if unchanged(contract.target, renamed):
            found.add("label names do not matter")
        elif subject.module is None or not list(subject.module.parameters()):
            found.add("classes are looked up")
    if _couples(subject, contract, arguments, value):
        found.add("couples samples")
    if not low_targets_matter(subject, arguments, value):
        found.add("zeros do not matter")
    return found


def _couples(subject: Subject, contract: Contract, arguments: tuple[Any, ...], value: float) -> bool:
    """True if the loss of the batch is neither the mean nor the sum of the losses of its samples."""
    n = sizes_for(contract)["N"]
    if any(len(array) != n for array in arguments):
        return False
    alone = [subject.values(tuple(array[i : i + 1] for array in arguments)) for i in range(n)]
    near = 1e-4 * (1 + abs(value))
    return all(isfinite(one) for one in alone) and min(abs(sum(alone) - value), abs(sum(alone) / n - value)) > near
