"""Find out what an unknown loss takes, by calling it.

A template names a kind and shape for each argument. It survives if the loss accepts such arguments with finite values
and if the prediction that is perfect for the target is really the best: better than random ones, a local minimum
where the optimum is a finite point, and not beaten far away. Values alone decide, so that a loss whose gradient is
broken still gets its contract. Among survivors the most general prediction wins, then the more usual target.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Literal

import torch

from lossmith.checker import columns, quantiles
from lossmith.checker.contract import Contract
from lossmith.checker.fold import Fold
from lossmith.checker.hints import hints_of
from lossmith.checker.judge import BEST, NEVER_FINITE, UNKNOWN, Judged, judge
from lossmith.checker.lengths import held_vectors, other_sizes
from lossmith.checker.mirrors import is_ordinary, labels_are_numbers
from lossmith.checker.misread import corrected
from lossmith.checker.otherwise import (
    in_a_mirror,
    named_otherwise,
    of_a_difference,
    of_next_steps,
    of_pixels,
    plainly_logits,
    plainly_real,
)
from lossmith.checker.ranking import plausible
from lossmith.checker.side import side_of
from lossmith.checker.signature import optional_parameters, source_of
from lossmith.checker.spoken import groups_of, spoken_of
from lossmith.checker.subject import Subject
from lossmith.checker.tasks import read_tasks, tasks_of
from lossmith.checker.templates import GROUPS, Template
from lossmith.checker.unfold import folds
from lossmith.checker.wrong import put
from lossmith.errors import ContractError, message

Tier = Literal["sure", "likely", "unsure"]


def infer(subject: Subject) -> list[Contract]:
    """The contract of a loss, best first; a second one is there when the first is unsure and differs in meaning."""
    found = [corrected(subject, reading) for reading in readings(subject)]
    return found[:2] if found[0].confidence == "unsure" else found[:1]


def readings(subject: Subject) -> list[Contract]:
    """Up to three readings of a loss that differ in meaning, the best first. Raises `ContractError` if none."""
    sure, perhaps = folds(subject)
    for fold in sure:
        if found := _folded(subject, fold):
            return found
    try:
        plain = _of_arrays(subject)
    except ContractError:
        found = [reading for fold in perhaps for reading in _folded(subject, fold)]
        if found := found or _of_other_sizes(subject) or _with_an_option(subject) or _as_spoken(subject):
            return found
        raise
    if held := _of_classes_held(subject, plain[0]):
        return held
    further = [reading for fold in perhaps for reading in _folded(subject, fold)[:1]]
    return [*further, *plain][:3] if plain[0].confidence == "unsure" else [*plain[:2], *further, *plain[2:]][:3]


def _of_other_sizes(subject: Subject) -> list[Contract]:
    """The readings of a loss that takes only arrays of one length, which its own code names."""
    for sizes in other_sizes(subject):
        with suppress(ContractError):
            return _of_arrays(subject.with_contract(Contract((), "none", sizes=sizes)))
    return []


def _with_an_option(subject: Subject) -> list[Contract]:
    """The readings of a loss that needs a weight or a mask, though its signature says that it may be left out."""
    offered = optional_parameters(subject.loss)[:1]
    if not offered or side_of(offered[0]) is None:
        return []
    with suppress(ContractError):
        return _of_arrays(subject.with_contract(Contract((), "none", also=offered)))
    return []


def _as_spoken(subject: Subject) -> list[Contract]:
    """What the names settle, where nothing was found out: of a loss in which torch warns of two shapes that broadcast
    (LS401 looks at those), or in which a prediction has no effect (LS106 does)."""
    judged = [judge(subject, template, warned=True) for template in spoken_of(subject.parameters)]
    for least in (2, 1):
        if found := [replace(entry.contract, confidence="likely") for entry in judged if entry.tier >= least]:
            return found[:1]
    return []


def _of_classes_held(subject: Subject, found: Contract) -> list[Contract]:
    """Readings with as many classes as a vector that the loss holds has entries, if ours gave none with classes.

    A loss of seven classes may take our axis T for theirs.
    """
    if found.pred.domain.axes[:2] == ("N", "C"):
        return []
    for length in held_vectors(subject.loss, learned=_takes_no_other_number(subject, found)):
        with suppress(ContractError):
            readings = _of_arrays(subject.with_contract(Contract((), "none", sizes={"C": length})))
            if readings[0].pred.domain.axes[:2] == ("N", "C") and readings[0].confidence != "unsure":
                return readings
    return []


def _takes_no_other_number(subject: Subject, found: Contract) -> bool:
    """True if a reading of numbers, one for each sample, is refused for any other number of them: they are classes."""
    if found.pred.domain.axes != ("N",):
        return False
    twin = subject.with_contract(found)
    return not any(twin.run(twin.draw(0, n), grad=False).ok for n in (3, 5, 9))


def _folded(subject: Subject, fold: Fold) -> list[Contract]:
    """The readings of a loss whose arguments hold several arrays; none if that is not what they hold."""
    twin = subject.with_contract(Contract((), "none", fold=fold))
    if (tasks := tasks_of(fold)) is not None:
        found = read_tasks(twin, tasks)
        return [] if found is None else [found]
    try:
        return [replace(contract, pairs=_pairs(contract, fold)) for contract in _of_arrays(twin)]
    except ContractError:
        return []


def _pairs(contract: Contract, fold: Fold) -> tuple[tuple[int, int], ...]:
    """Of entries alike: each prediction with the target at its place, or with the only one."""
    targets = [i for i, argument in enumerate(contract.arguments) if argument.role == "target"]
    if not fold.alike or len(targets) not in (1, len(contract.preds)) or len(contract.preds) == 1:
        return ()
    return tuple(zip(contract.preds, targets * len(contract.preds), strict=False))


def _of_arrays(subject: Subject) -> list[Contract]:
    names = subject.parameters
    for template in (*quantiles.templates_of(subject), *columns.templates_of(subject), *spoken_of(names)):
        entry = judge(subject, template)
        if entry.tier >= 2 and _is_regression(subject, template):
            break
        if entry.tier >= 2 and _tells_alike(subject, entry):
            continue
        if entry.tier >= 2:  # accepted, and every prediction has an effect: the names say the rest
            return [replace(entry.contract, confidence="likely")]
    groups = (*groups_of(names), *GROUPS.get(len(names), ()))
    if _sees_images(subject):
        groups = tuple(group for group in groups if "H" in group[0].domains[0]) or groups
    if not groups:
        raise ContractError(_not_found(subject, f"{len(names)} tensor arguments are not guessed", []))
    judged: list[Judged] = []
    for group in groups:
        judged += [judge(subject, template) for template in group]
        if any(entry.tier == BEST and not named_otherwise(entry) for entry in judged):
            break
    fitting = [entry for entry in judged if entry.tier >= 2 and not named_otherwise(entry)] or judged
    if quantiles.settings_of(subject).get("from_logits") is True:
        fitting = [entry for entry in fitting if entry.contract.pred.kind == "logits"] or fitting
    best = max((entry.tier for entry in fitting), default=0)
    hints = hints_of(subject)
    if best == 0:
        if endless := _never_finite(judged, hints):
            return _ranked(endless, 0, hints)
        raise ContractError(_not_found(subject, "no combination of inputs was accepted", judged))
    if best < BEST and (ahead := of_next_steps(subject, judged)):
        return _ranked(ahead, BEST, hints)
    if best < BEST and (mirrored := in_a_mirror(subject, fitting, hints)):
        return _ranked(mirrored, BEST, hints)
    if best < BEST and (regression := of_a_difference(subject, fitting)) is not None:
        return [replace(regression.contract, confidence="likely")]
    survivors = [entry for entry in fitting if entry.tier == best]
    survivors = [entry for entry in survivors if not named_otherwise(entry)] or survivors
    for entry in survivors:
        entry.score = plausible(entry, hints, survivors, best)
    survivors.sort(key=lambda entry: -entry.score)
    if (pixels := of_pixels(subject, survivors[0])) is not None:
        return _ranked([pixels, *survivors], BEST, hints)
    if (logits := plainly_logits(survivors[0], judged, hints)) is not None:
        return _ranked([logits, *survivors], logits.tier, hints)
    if (plain := plainly_real(survivors[0], judged, hints)) is not None:
        return _ranked([plain, *survivors], plain.tier, hints)
    return _ranked(survivors, best, hints)


def _is_regression(subject: Subject, template: Template) -> bool:
    """The fake and the real of a loss that is best where they are equal are a prediction and its target."""
    if template.roles != ("pred", "pred") or template.meaning != ("real", "real"):
        return False
    return judge(subject, Template(9.0, template.domains)).tier == BEST


def _tells_alike(subject: Subject, entry: Judged) -> bool:
    """The label of two outputs that counts as a number, or is 2 as well as 3, says whether they are alike: no class."""
    arguments = entry.contract.arguments
    places = [i for i, one in enumerate(arguments) if one.role == "target" and one.kind == "index"]
    if len(places) != 1 or [one.kind for one in arguments if one.role == "pred"] != ["logits"] * 2:
        return False
    twin = subject.with_contract(entry.contract)
    if labels_are_numbers(twin):
        return True
    inputs = twin.draw(1)
    same_label = [put(inputs, places[0], torch.full_like(inputs[places[0]], label)) for label in (2, 3, 4)]
    return len({twin.values(given) for given in same_label}) == 1


def _never_finite(judged: Sequence[Judged], hints: dict[str, float]) -> list[Judged]:
    """Readings of a loss that takes them and is inf or NaN on all that it takes (LS201), the likeliest first."""
    found = [entry for entry in judged if entry.stopped.startswith(NEVER_FINITE) and not named_otherwise(entry)]
    found = [entry for entry in found if is_ordinary(entry.contract)]
    for entry in found:
        entry.score = plausible(entry, hints, found, 0)
    return sorted(found, key=lambda entry: -entry.score)


_CUT_TWICE = re.compile(r"\[\s*\.\.\.\s*,\s*(?:-?\d+\s*:|:\s*-?\d+)[^,\]]*,\s*(?:-?\d+\s*:|:\s*-?\d+)[^,\]]*\]")


def _sees_images(subject: Subject) -> bool:
    """True if it holds a layer for images, or cuts its last two axes at once: both also take one image without a batch.

    That is not meant.
    """
    if subject.module is not None and any("2d" in type(part).__name__ for part in subject.module.modules()):
        return True
    return _CUT_TWICE.search(source_of(subject.loss)) is not None


def _ranked(survivors: list[Judged], tier: int, hints: dict[str, float]) -> list[Contract]:
    first = survivors[0]
    others = [entry for entry in survivors if entry.template.meaning != first.template.meaning]
    pair = [a.kind for a in first.contract.arguments if a.role != "other"]  # that a weight is one says nothing of them
    supported = sum(hints.get(kind, 0.0) for kind in pair) > 0
    confidence: Tier = "unsure" if tier < BEST else "sure" if supported or not others else "likely"
    if (tier == BEST - 1 and supported) or first.stopped == UNKNOWN:
        confidence = "likely"
    meanings = {entry.template.meaning: entry for entry in reversed(others)}
    further = sorted(meanings.values(), key=lambda entry: -entry.score)[:2]
    return [replace(entry.contract, confidence=confidence) for entry in (first, *further)]


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
        fix="say it: --pred 'logits[N,C]' --target 'index[N]' (--input NAME='mask[N]' for others), "
        "or write `def example(seed=0): return pred, target` beside the loss",
    )
