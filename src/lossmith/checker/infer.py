"""Find out what an unknown loss takes, by calling it.

A template names a kind and shape for each argument. It survives if the loss accepts such arguments with finite values
and if the prediction that is perfect for the target is really the best: better than random ones, a local minimum
where the optimum is a finite point, and not beaten far away. Values alone decide, so that a loss whose gradient is
broken still gets its contract. Among survivors the most general prediction wins, then the more usual target.
"""

import inspect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any, Literal

import torch
from torch import Tensor

from lossmith.checker.contract import Argument, Contract, target_first
from lossmith.checker.sample import FINITE_OPTIMUM, SIZES, class_axis, draw, generator, perfect
from lossmith.checker.subject import Subject
from lossmith.domains import Domain
from lossmith.errors import ContractError, message

SEEDS = (11, 12, 13)
UNKNOWN = "the best prediction is not known"  # one argument: nothing to compare it with
BEST = 4  # how many steps a template must pass to be right
Tier = Literal["sure", "likely", "unsure"]


@dataclass(frozen=True)
class Template:
    """`roles` and `domains` in the order pred, target, others; a higher `rank` is preferred."""

    rank: float
    domains: tuple[str, ...]
    roles: tuple[str, ...] = ("pred", "target")

    @property
    def meaning(self) -> tuple[str, ...]:
        return tuple(text.partition("[")[0] for text in self.domains)

    def contract(self, names: Sequence[str]) -> Contract:
        order = list(range(len(self.domains)))
        if len(names) >= 2 and self.roles[:2] == ("pred", "target") and target_first(names[0], names[1]):
            order[:2] = [1, 0]
        arguments = tuple(
            Argument(name, self.roles[i], Domain.parse(self.domains[i]))  # type: ignore[arg-type]
            for name, i in zip(names, order, strict=True)
        )
        return Contract(arguments, "inferred")


def _templates_of_two() -> Iterator[tuple[Template, ...]]:
    """Groups by shape, the most usual first; a later group is tried only if no template of an earlier one is right."""
    for shape in ("N,C", "N", "N,1,H,W", "N,C,H,W"):
        yield (*_same_shape(shape), *(_by_class(shape) if "C" in shape else ()), *(_SPECIAL if shape == "N,C" else ()))


def _same_shape(shape: str) -> Iterator[Template]:
    for rank, pred, target in (
        (9.0, "real", "real"),
        (7.0, "positive", "positive"),
        (6.8, "logits", "binary"),
        (6.6, "logits", "soft"),
        (6.4, "real", "count"),
        (6.2, "logits", "pm1"),
        (5.6, "prob", "binary"),
        (5.5, "prob", "soft"),
    ):
        yield Template(rank, (f"{pred}[{shape}]", f"{target}[{shape}]"))


def _by_class(shape: str) -> Iterator[Template]:
    index = shape.replace("N,C", "N")
    for rank, pred, target in (
        (8.0, "logits", "index"),
        (7.5, "logits", "onehot"),
        (7.4, "logits", "dist"),
        (5.9, "logprob", "index"),
        (5.8, "logprob", "dist"),
        (5.4, "simplex", "index"),
        (5.3, "simplex", "onehot"),
        (5.2, "simplex", "dist"),
        (4.0, "logits", "logits"),
    ):
        yield Template(rank, (f"{pred}[{shape}]", f"{target}[{index if target == 'index' else shape}]"))


_SPECIAL = (
    Template(7.8, ("logits[N,C]", "labels[N,C]")),
    Template(4.8, ("boxes[N,4]", "boxes[N,4]")),
    Template(3.5, ("embedding[N,D]", "index[N]")),
    Template(3.0, ("embedding[N,D]", "embedding[N,D]"), ("pred", "pred")),
)


def _templates_of_three() -> Iterator[Template]:
    yield Template(6.0, ("embedding[N,D]",) * 3, ("pred", "pred", "pred"))
    yield Template(5.5, ("embedding[N,D]", "embedding[N,D]", "pm1[N]"), ("pred", "pred", "target"))
    yield Template(5.4, ("embedding[N,D]", "embedding[N,D]", "binary[N]"), ("pred", "pred", "target"))
    for shape in ("N,C", "N"):
        for rank, kind in ((4.0, "mask"), (3.9, "weight")):
            for pred, target, plus in (("real", "real", 0.5), ("logits", "binary", 0.4), ("prob", "binary", 0.1)):
                domains = (f"{pred}[{shape}]", f"{target}[{shape}]", f"{kind}[{shape}]")
                yield Template(rank + plus, domains, ("pred", "target", "other"))
        yield Template(3.5, (f"real[{shape}]", f"real[{shape}]", f"positive[{shape}]"), ("pred", "target", "pred"))
    yield Template(4.3, ("logits[N,C]", "index[N]", "weight[N]"), ("pred", "target", "other"))
    yield Template(4.2, ("real[N,T]", "real[N,T]", "lengths[N]"), ("pred", "target", "other"))


def _templates_of_one() -> Iterator[Template]:
    for rank, domain in ((3.0, "real[N,C,H,W]"), (2.0, "embedding[N,D]"), (1.0, "real[N]")):
        yield Template(rank, (domain,), ("pred",))


GROUPS = {1: (tuple(_templates_of_one()),), 2: tuple(_templates_of_two()), 3: (tuple(_templates_of_three()),)}


@dataclass
class Judged:
    """A template with what became of it: how far it came (1 accepted, to 4 optimal) and what stopped it."""

    template: Template
    contract: Contract
    tier: int = 0
    stopped: str = ""
    score: float = 0.0
    traits: set[str] = field(default_factory=set[str])


def infer(subject: Subject) -> list[Contract]:
    """The contract of a loss, best first; a second one is there when the first is unsure and differs in meaning."""
    names = subject.parameters
    if len(names) not in GROUPS:
        raise ContractError(_not_found(subject, f"{len(names)} tensor arguments are not guessed", []))
    judged: list[Judged] = []
    for group in GROUPS[len(names)]:
        judged += [judge(subject, template) for template in group]
        if any(entry.tier == BEST for entry in judged):
            break
    best = max((entry.tier for entry in judged), default=0)
    if best == 0:
        raise ContractError(_not_found(subject, "no combination of inputs was accepted", judged))
    survivors = [entry for entry in judged if entry.tier == best]
    hints = hints_of(subject)
    for entry in survivors:
        entry.score = _plausible(entry, hints, survivors, best)
    survivors.sort(key=lambda entry: -entry.score)
    return _ranked(survivors, best, hints)


def _ranked(survivors: list[Judged], tier: int, hints: dict[str, float]) -> list[Contract]:
    first = survivors[0]
    others = [entry for entry in survivors if entry.template.meaning != first.template.meaning]
    supported = sum(hints.get(kind, 0.0) for kind in first.template.meaning) > 0
    confidence: Tier = "unsure" if tier < BEST else "sure" if supported or not others else "likely"
    if (tier == BEST - 1 and supported) or first.stopped == UNKNOWN:
        confidence = "likely"
    chosen = [replace(first.contract, confidence=confidence)]
    if confidence == "unsure" and others:
        chosen.append(replace(others[0].contract, confidence=confidence))
    return chosen


def judge(subject: Subject, template: Template) -> Judged:
    """How far a template comes; each step must hold for every seed."""
    entry = Judged(template, template.contract(subject.parameters))
    twin = subject.with_contract(entry.contract)
    try:
        for step in (_accepts, _has_effect, _perfect_beats_random, _perfect_is_optimal):
            for seed in SEEDS:
                entry.stopped = step(twin, seed)
                if entry.stopped:
                    return entry
            entry.tier += 1
        entry.traits = _traits(twin)
    except Exception as error:  # a template may fail in any way; that it failed is the observation
        entry.stopped = entry.stopped or f"{type(error).__name__}: {_first_line(error)}"
    return entry


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [""])[0][:120]


def _accepts(subject: Subject, seed: int) -> str:
    arguments = subject.draw(seed)
    trial = subject.run(arguments, grad=False)
    if trial.error is not None:
        return f"raises {type(trial.error).__name__}: {_first_line(trial.error)}"
    if any("size" in text and "broadcast" in text for text in trial.warned):
        return "warns about the shapes"
    if not trial.finite_value:
        return f"the value is {trial.value} on ordinary inputs"
    return ""


def _has_effect(subject: Subject, seed: int) -> str:
    arguments = subject.draw(seed)
    value = subject.values(arguments)
    for index in subject.contract.preds:
        if not _moves(subject, arguments, index, value):
            return f"{subject.contract.arguments[index].name} has no effect on it"
    if subject.contract.target_kind() == "pm1" and not _low_targets_matter(subject, arguments, value):
        return "targets of -1 have no effect"
    return ""


def _low_targets_matter(subject: Subject, arguments: tuple[Any, ...], value: float) -> bool:
    """True if predictions count where the target is 0 (or -1): a loss for -1 and +1 ignores zeros."""
    contract = subject.contract
    if contract.target is None or contract.target_kind() not in ("binary", "onehot", "pm1"):
        return True
    where = contract.preds[0]
    pred, target = arguments[where], arguments[contract.target]
    if target.shape != pred.shape:
        return True
    others = [subject.draw(seed)[where] for seed in (101, 102, 103)]
    moved = [subject.values(_replaced(arguments, where, torch.where(target < 0.5, other, pred))) for other in others]
    return any(other != value for other in moved)


def _moves(subject: Subject, arguments: tuple[Any, ...], index: int, value: float) -> bool:
    """True if another valid argument gives another value: a loss that ignores it says nothing about its kind."""
    for seed in (101, 102, 103):
        other = subject.draw(seed)[index]
        if subject.values(_replaced(arguments, index, other)) != value:
            return True
    return False


def _replaced(arguments: Sequence[Any], index: int, value: Any) -> tuple[Any, ...]:
    return tuple(value if i == index else old for i, old in enumerate(arguments))


def _random_values(subject: Subject, arguments: tuple[Any, ...], seed: int, count: int = 6) -> list[float]:
    where = subject.contract.preds[0]
    drawn = [draw(subject.contract, 1000 * seed + k)[where] for k in range(count)]
    return sorted(subject.values(_replaced(arguments, where, pred)) for pred in drawn)


def _nearly_perfect(contract: Contract, arguments: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """The perfect prediction, with probabilities of 0 and 1 moved inside: many losses are NaN there (LS201)."""
    best = perfect(contract, arguments)
    if best is None or contract.pred.kind not in ("prob", "simplex"):
        return best
    where, tiny = contract.preds[0], 1e-4
    pred = best[where]
    if contract.pred.kind == "prob":
        return _replaced(best, where, pred.clamp(tiny, 1 - tiny))
    classes = pred.shape[class_axis(contract.pred.domain.axes)]
    return _replaced(best, where, pred * (1 - tiny * classes) + tiny)


def _perfect_beats_random(subject: Subject, seed: int) -> str:
    arguments = subject.draw(seed)
    best = _nearly_perfect(subject.contract, arguments)
    if best is None:
        return UNKNOWN
    value, random = subject.values(best), _random_values(subject, arguments, seed)
    if not isfinite(value):
        return f"the value at the perfect prediction is {value}"
    if not all(isfinite(other) for other in random):
        return "not finite on ordinary inputs"
    return "" if value < random[0] - 1e-9 else "the perfect prediction is not better than random ones"


def _perfect_is_optimal(subject: Subject, seed: int) -> str:
    arguments = subject.draw(seed)
    best = _nearly_perfect(subject.contract, arguments)
    if best is None:
        return UNKNOWN
    value = subject.values(best)
    span = abs(_random_values(subject, arguments, seed)[3] - value) + 1e-9
    for name, pred in _rivals(subject.contract, best, seed):
        rival = subject.values(_replaced(best, subject.contract.preds[0], pred))
        if rival < value - 0.05 * span - 1e-6:
            return f"a prediction {name} is better than the perfect one"
    kinds = (subject.contract.pred.kind, subject.contract.target_kind())
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
        change = subject.values(_replaced(best, where, near)) - value
        if change < -1e-6 * (1 + abs(value)):
            return "the perfect prediction is not a local minimum"
        higher += change > 1e-7 * (1 + abs(value))
    return "" if higher >= 4 else "flat around the perfect prediction"


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
        return abs(subject.values(_replaced(arguments, index, other)) - value) < close

    found: set[str] = set()
    if contract.pred.kind in ("real", "logits", "embedding"):
        if unchanged(where, 3.0 * pred):
            found.add("scale invariant")
        if pred.ndim >= 2 and unchanged(where, pred + torch.randn(len(pred), *[1] * (pred.ndim - 1))):
            found.add("shift invariant")
        beyond = pred.abs() + 0.1  # uneven, so that a loss that only sees the order of two values is not taken in
        clamped = [torch.where(pred > 0, 1.0 + s * beyond, -s * beyond) for s in (0.0, 3.0, 9.0)]
        ends = [subject.values(_replaced(arguments, where, end)) for end in clamped]
        if isfinite(ends[0]) and max(ends) - min(ends) < close:
            found.add("clamped to [0, 1]")
    if contract.target is not None and contract.target_kind() == "index":
        renamed = (arguments[contract.target] + 1) % SIZES["C"]
        if unchanged(contract.target, renamed):
            found.add("label names do not matter")
    if _couples(subject, arguments, value):
        found.add("couples samples")
    if not _low_targets_matter(subject, arguments, value):
        found.add("zeros do not matter")
    return found


def _couples(subject: Subject, arguments: tuple[Any, ...], value: float) -> bool:
    """True if the loss of the batch is neither the mean nor the sum of the losses of its samples."""
    n = SIZES["N"]
    if any(len(array) != n for array in arguments):
        return False
    alone = [subject.values(tuple(array[i : i + 1] for array in arguments)) for i in range(n)]
    near = 1e-4 * (1 + abs(value))
    return all(isfinite(one) for one in alone) and min(abs(sum(alone) - value), abs(sum(alone) / n - value)) > near


def _plausible(entry: Judged, hints: dict[str, float], survivors: Sequence[Judged], tier: int) -> float:
    """A template's rank, less what its traits say against it, plus what the words of the code say for it."""
    kinds = set(entry.template.meaning)
    traits = entry.traits.union(*(other.traits for other in survivors if "real" in other.template.meaning))
    others = {kind for other in survivors for kind in other.template.meaning}
    penalty = 0.0
    if "clamped to [0, 1]" in traits and {"prob", "simplex"} & others and not {"prob", "simplex"} & kinds:
        penalty += 6.0
    if "zeros do not matter" in entry.traits and "logits" in kinds and "pm1" in others:
        penalty += 6.0
    if "label names do not matter" in traits and "embedding" not in kinds:
        penalty += 6.0
    # Where plain real numbers survive too, coupling comes from the reduction (a root of a mean), not from pairs.
    coupled, directional = "couples samples" in traits, "scale invariant" in traits
    paired = directional and not coupled if "real" in others else directional or coupled
    if "embedding" in others and "embedding" not in kinds and paired:
        penalty += 7.0
    if "shift invariant" in traits:
        penalty += (
            6.0
            if kinds & {"prob", "simplex"}
            or kinds in ({"real"}, {"positive"}, {"logits", "binary"}, {"logits", "soft"})
            else 0.0
        )
    elif ("logits" in kinds and kinds & {"dist", "onehot"}) or entry.template.meaning == ("logits", "logits"):
        penalty += 3.0
    weight = 1.0 if tier == BEST else 3.0
    return entry.template.rank - penalty + weight * sum(hints.get(kind, 0.0) for kind in kinds)


_HINTS = (
    (r"log_?p(rob)?s?\b|log_prob", {"logprob": 1.2}),
    (r"\bprobs?\b|proba|probabilit", {"prob": 1.0, "simplex": 1.0}),
    (r"logit|log_softmax|\.softmax\(|sigmoid|with_logits|logsigmoid|cross_entropy\(", {"logits": 1.0}),
    (r"\bbox|iou_loss|\bx1\b", {"boxes": 1.0}),
    (r"one_hot|\.gather\(|\.long\(\)|nll_loss|sparse", {"index": 0.5}),
    (r"embed|anchor|negative|feature", {"embedding": 0.8}),
    (r"dice|jaccard|tversky", {"binary": 2.5, "prob": 2.0, "onehot": 0.5, "index": 0.5}),
    (r"mask", {"mask": 0.6}),
    (r"weight", {"weight": 0.6}),
    (r"\bvar\b|variance|sigma", {"positive": 1.5}),
    (r"hinge|margin", {"pm1": 0.8}),
    (r"\A\S* p q$|\bkl|jensen|divergence", {"simplex": 1.2, "dist": 0.8, "logprob": 1.0}),
)


def hints_of(subject: Subject) -> dict[str, float]:
    """Words in the loss's name, parameters and code that speak for a kind. They rank; they never exclude."""
    loss = subject.loss
    try:
        thing = type(loss) if not inspect.isroutine(loss) and not isinstance(loss, type) else loss
        source = inspect.getsource(thing)
    except (OSError, TypeError):
        source = ""
    text = f"{subject.name} {' '.join(subject.parameters)}\n" + re.sub(r'""".*?"""|#[^\n]*', "", source, flags=re.S)
    found: dict[str, float] = {}
    for pattern, kinds in _HINTS:
        if re.search(pattern, text, re.IGNORECASE | re.MULTILINE):
            for kind, weight in kinds.items():
                found[kind] = found.get(kind, 0.0) + weight
    return found


def _not_found(subject: Subject, reason: str, judged: Sequence[Judged]) -> str:
    names = subject.parameters
    shown = {f"({', '.join(entry.template.domains)})": entry.stopped for entry in judged[:200]}
    tried: dict[str, str] = {}
    for domains, why in shown.items():
        if why not in tried.values() and len(tried) < 3:
            tried[domains] = why
    return message(
        f"{subject.name}: what it takes could not be found out ({reason})",
        {"takes": ", ".join(names), **tried},
        fix="say it: --pred 'logits[N,C]' --target 'index[N]', or write `def example(seed=0): return pred, target` "
        "beside the loss",
    )
