"""Losses of several tasks: a dictionary or a tuple of predictions beside one of targets.

Each prediction has a target; which kinds they are is found in two steps. First every task gets a usual pair of shapes,
until the loss accepts them all at once; then each task is judged as if it were the only one, the others held still.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from lossmith.checker.contract import TARGET_NAMES, Argument, Contract, target_first
from lossmith.checker.fold import Fold
from lossmith.checker.hints import contradicts, hints_of
from lossmith.checker.judge import BEST, Judged, accepts, judge
from lossmith.checker.ranking import plausible
from lossmith.checker.sample import one_task
from lossmith.checker.side import Side, side_of
from lossmith.checker.subject import Subject
from lossmith.checker.templates import GROUPS
from lossmith.domains import Domain

MOST = 4  # tasks
USUAL = (
    ("logits[N,C]", "index[N]"),
    ("real[N,C]", "real[N,C]"),
    ("real[N]", "real[N]"),
    ("real[N,C,H,W]", "index[N,H,W]"),
    ("real[N,C,H,W]", "real[N,C,H,W]"),
    ("boxes[N,4]", "boxes[N,4]"),
    ("real[N,T,C]", "index[N,T]"),
)


@dataclass(frozen=True)
class Tasks:
    """The places of each prediction and its target in the row of arrays, and those of the rest."""

    pairs: tuple[tuple[int, int], ...]
    rest: tuple[int, ...]


def tasks_of(fold: Fold) -> Tasks | None:
    """Pair up what two arguments hold; None for a fold that is not of that form."""
    holding = [index for index, holder in enumerate(fold.holders) if holder.how != "plain"]
    if fold.alike or len(holding) != 2 or len(fold.leaves) < 4:
        return None
    first, second = holding
    if _is_target(fold.holders[first].name, fold.holders[second].name):
        first, second = second, first
    preds = [i for i, owner in enumerate(fold.owners) if owner == first]
    targets = [i for i, owner in enumerate(fold.owners) if owner == second]
    words, paired = fold.words, list[tuple[int, int]]()
    for fits in (lambda p, t: p == t, lambda p, t: p in t or t in p, lambda p, t: True):
        for p in list(preds):
            free = [t for t in targets if _may_pair(words[p], words[t]) and fits(words[p], words[t])]
            if free:
                paired.append((p, free[0]))
                preds.remove(p)
                targets.remove(free[0])
    used = {i for pair in paired for i in pair}
    rest = tuple(i for i in range(len(fold.leaves)) if i not in used)
    return Tasks(tuple(sorted(paired)), rest) if 0 < len(paired) <= MOST else None


def with_roles(contract: Contract, fold: Fold) -> Contract:
    """A declared contract of a fold: what holds an entry says whether it is a prediction or a target."""
    tasks = tasks_of(fold)
    pairs = tasks.pairs if tasks else ()
    roles = {i: role for pair in pairs for i, role in zip(pair, ("pred", "target"), strict=True)}
    arguments = list(contract.arguments)
    for i, argument in enumerate(arguments):
        role = roles.get(i)
        if role is None and argument.role != "other" and not tasks:
            role = "target" if fold.holders[fold.owners[i]].name.lower() in TARGET_NAMES else None
        arguments[i] = replace(argument, role=role) if role else argument
    return replace(contract, arguments=tuple(arguments), fold=fold, pairs=pairs)


def _is_target(first: str, second: str) -> bool:
    return target_first(first, second) or first.lower() in (*TARGET_NAMES, "batch", "data", "sample")


def _may_pair(pred: str, target: str) -> bool:
    """A mask or lengths beside the targets belong to no prediction; a prediction may be called a mask."""
    side = side_of(target)
    return side is None or pred == target or side.kind not in ("mask", "lengths", "weight")


def read_tasks(subject: Subject, tasks: Tasks) -> Contract | None:
    """The contract of a loss of several tasks, or None if no usual shapes are accepted."""
    found = next((each for each in _tried(subject, tasks) if _works(subject, each)), None)
    if found is None:
        return None
    sure = True
    for pair in tasks.pairs:
        best = _judged(subject, found, tasks, pair)
        if best is None:
            sure = False
            continue
        found = _with(found, dict(zip(pair, best.template.domains, strict=True)))
        sure = sure and best.tier == BEST
    return replace(found, confidence="likely" if sure else "unsure", pairs=tasks.pairs)


def _tried(subject: Subject, tasks: Tasks) -> Iterator[Contract]:
    fold = subject.contract.fold
    assert fold is not None
    roles = dict.fromkeys((p for p, _ in tasks.pairs), "pred") | dict.fromkeys((t for _, t in tasks.pairs), "target")
    # A key that both sides have names the task: preds["cls"] are not labels.
    named = [i for pair in tasks.pairs for i in pair if i == pair[1] or fold.words[i] != fold.words[pair[1]]]
    sides = {i: side_of(fold.words[i]) or Side("real", "other", "pred") for i in tasks.rest}
    choices = sorted(product(range(len(USUAL)), repeat=len(tasks.pairs)), key=sum)
    for choice in choices:
        for place in range(3 if sides else 1):
            domains: dict[int, str] = {}
            for pair, usual in zip(tasks.pairs, choice, strict=True):
                domains |= dict(zip(pair, USUAL[usual], strict=True))
            axes = domains[tasks.pairs[0][0]].partition("[")[2].rstrip("]")
            for i, side in sides.items():
                shapes = side.shapes(axes)
                domains[i] = f"{side.kind}[{shapes[min(place, len(shapes) - 1)]}]"
            arguments = tuple(
                Argument(leaf, roles.get(i, sides[i].role if i in sides else "other"), Domain.parse(domains[i]))  # type: ignore[arg-type]
                for i, leaf in enumerate(fold.leaves)
            )
            if not contradicts([fold.words[i] for i in named], [arguments[i].kind for i in named]):
                yield Contract(arguments, "inferred", fold=fold)


def _works(subject: Subject, contract: Contract) -> bool:
    twin = subject.with_contract(contract)
    return all(accepts(twin, seed) == "" for seed in (11, 12)) and not contract_is_deaf(twin)


def contract_is_deaf(subject: Subject) -> bool:
    """True if one of the predictions has no effect."""
    row = subject.draw(11)
    value = subject.values(row)
    for index in subject.contract.preds:
        others = (subject.draw(seed)[index] for seed in (101, 102))
        if all(subject.values((*row[:index], other, *row[index + 1 :])) == value for other in others):
            return True
    return False


def _judged(subject: Subject, contract: Contract, tasks: Tasks, pair: tuple[int, int]) -> Judged | None:
    """The best template for one task, the others being arguments like any other."""
    axes = contract.arguments[pair[0]].domain.axes
    words = [subject.parameters[i] for i in pair]
    hints = hints_of(subject)
    judged: list[Judged] = []
    for group in GROUPS[2]:
        for template in group:
            if template.roles != ("pred", "target") or Domain.parse(template.domains[0]).axes != axes:
                continue
            same = len(set(words)) == 1
            if contradicts(words[same:], template.meaning[same:]):
                continue
            alone = one_task(_with(contract, dict(zip(pair, template.domains, strict=True))), *pair)
            judged.append(judge(subject, template, alone))
    tier = max((entry.tier for entry in judged), default=0)
    survivors = [entry for entry in judged if entry.tier == tier]
    return max(survivors, key=lambda entry: plausible(entry, hints, survivors, tier)) if tier >= 2 else None


def _with(contract: Contract, domains: dict[int, str]) -> Contract:
    arguments = tuple(
        replace(one, domain=Domain.parse(domains[i])) if i in domains else one
        for i, one in enumerate(contract.arguments)
    )
    return replace(contract, arguments=arguments)
