"""LS607 hidden-state-or-rng

What it checks
    The same inputs give the same value: with any seed of the global random generator, whatever the loss was called
    with before, and whatever was in memory that torch hands out as it is (torch.empty). The call does not set the seed
    of the global random generator. (What a module keeps in a registered buffer, as a batch norm does, is information.)

Why it matters
    A loss that remembers earlier calls gives another value for validation than for training, in another order of
    batches and after a restart. One that draws from the global generator moves every later draw of dropout and data
    loading, and two runs differ by whether it was called.

Example
    self.mean = 0.9 * self.mean + 0.1 * loss.item()
    return loss / self.mean

Write instead
    self.mean.lerp_(loss.detach(), 0.1)          # a registered buffer, saved and restored, and documented
    return loss / self.mean

When to allow it
    The randomness or the running statistic is the method (sampled negatives, a warm-up), and its documentation says
    so. Where its name, its settings, its code or its documentation speaks of noise or samples and torch draws them, or
    of a momentum or a queue that is a registered buffer, it is information.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.blank import Blank, asks_for_blank
from lossmith.checker.evidence import SkipRule, evidence_of, finding, literal, reproduce, show
from lossmith.checker.finding import Finding
from lossmith.checker.generators import TORCH, Draws, Source, kept, reseeded, seeds_beside_torch
from lossmith.checker.memory import Snapshot
from lossmith.checker.said import said_to_draw, said_to_remember
from lossmith.checker.slopes import same
from lossmith.checker.subject import Subject, Trial

CODE, NAME, SINCE = "LS607", "hidden-state-or-rng", "0.1"
LATER = 12
AGAIN = 8


def applies(subject: Subject) -> str:
    return ""


def check(subject: Subject) -> Iterator[Finding]:
    first, second = _pair(subject)
    trial = subject.run(first)
    if not trial.ok:
        raise SkipRule("the loss raises on valid inputs")
    with kept():
        found = _memory(subject, first, second)
        if found is None:
            found = _drawn(subject, first) or _statistics(subject, first, second) or _advanced(subject, first)
            found = found or _unwritten(subject, first)
    if found is not None:
        yield found


def _pair(subject: Subject) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Two different sets of inputs, the small ones of one sample where the loss takes them."""
    first, second = subject.draw(1), subject.draw(2)
    if subject.contract.draw is None and subject.run(subject.draw(1, 2), grad=False).ok:
        first, second = subject.draw(1, 2), subject.draw(2, 2)
    alike = all(torch.equal(a, b) for a, b in zip(first, second, strict=True) if isinstance(a, Tensor))
    preds = subject.contract.preds
    return first, tuple(0.5 * v if alike and i in preds else v for i, v in enumerate(second))


def _memory(subject: Subject, first: Sequence[Any], second: Sequence[Any]) -> Finding | None:
    """One object, called on A, B and A again, with the same seed each time."""
    one = subject.twin(torch.float32)
    kept = Snapshot(one)
    before = subject.run(first, loss=one)
    times, after = 0, before
    for calls in (1, LATER):  # what is counted at each call may show only later
        if calls == 1 or (same(before, after) and kept.changed()):
            after, times = _after(subject, first, second, one, calls), calls
    for _ in range(AGAIN):  # two samples in random order are often in the order of before
        after = after if not same(before, after) else subject.run(first, loss=one)
    try:
        if same(before, after):
            return None
        changed = kept.changed()
        kept.restore(*changed)
        again = subject.run(first, loss=one)
        if changed and same(before, again):
            return _remembers(subject, first, second, (before, after), kept, changed, times)
        return _unseeded(subject, before, after)
    finally:
        kept.restore(*kept.changed())


def _after(subject: Subject, first: Sequence[Any], second: Sequence[Any], loss: Any, times: int) -> Trial:
    """The first inputs again, after the second ones so many times."""
    for _ in range(times):
        subject.run(second, loss=loss)
    return subject.run(first, loss=loss)


def _remembers(
    subject: Subject,
    first: Sequence[Any],
    second: Sequence[Any],
    trials: tuple[Trial, Trial],
    kept: Snapshot,
    changed: list[str],
    times: int,
) -> Finding:
    before, after = trials
    culprits = _single(subject, first, second, kept, changed, before, times)
    own = [label for label in culprits if isinstance(kept.before(label), torch.Generator)]
    meant = said_to_draw(subject) if own else said_to_remember(subject, culprits)
    names = ", ".join(culprits)
    rows = {"first call": show(before.value), "after another batch": show(after.value)}
    buffers = {name for name, _ in subject.module.named_buffers()} if subject.module is not None else set[str]()
    return finding(
        sys.modules[__name__],
        subject,
        severity="info" if meant or (culprits and set(culprits) <= buffers) else "warning",
        message="the value of the same inputs changes from call to call: the loss "
        + (f"draws from a generator of its own ({names})" if own else "remembers earlier calls"),
        trial=before,
        evidence={**_inputs_of(subject, before), **rows},
        why=f"with {names} set back, the first value is back",
        fix="take the generator as an argument, or say in the documentation that the value is random"
        if own
        else f"keep {names} in a registered buffer and document it, or leave it out of the value",
        reproducer=reproduce(subject, first, _ending_memory(subject, second, times)),
    )


def _single(
    subject: Subject,
    first: Sequence[Any],
    second: Sequence[Any],
    kept: Snapshot,
    changed: list[str],
    before: Trial,
    times: int,
) -> list[str]:
    """The one cell that is enough to set back, or all that changed."""
    for label in changed[:20]:
        kept.restore(*changed)
        subject.run(first, loss=kept.loss)
        _after(subject, first, second, kept.loss, times)
        kept.restore(label)
        if same(before, subject.run(first, loss=kept.loss)):
            return [label]
    return changed


def _inputs_of(subject: Subject, trial: Trial) -> dict[str, str]:
    names = {argument.name for argument in subject.contract.arguments}
    return {key: value for key, value in evidence_of(subject, trial).items() if key in names}


def _unseeded(subject: Subject, before: Trial, after: Trial) -> Finding:
    source = next((name for name, seed in seeds_beside_torch().items() if _repeats(subject, before.inputs, seed)), "")
    return finding(
        sys.modules[__name__],
        subject,
        severity="warning",
        message="the same inputs with the same torch seed give another value at the next call",
        trial=before,
        evidence={**_inputs_of(subject, before), "first call": show(before.value), "next call": show(after.value)},
        why=f"with {source} seeded before each call the value stays" if source else "",
        fix="draw from a seeded generator that is an argument, so that a run can be repeated",
        reproducer=reproduce(subject, before.inputs, _ending_twice(subject, "torch.manual_seed(0)")),
    )


def _repeats(subject: Subject, inputs: Sequence[Any], seed: Callable[[int], Any]) -> bool:
    trials: list[Trial] = []
    for _ in range(AGAIN):
        seed(0)
        trials.append(subject.run(inputs))
    return all(same(trials[0], trial) for trial in trials)


def _drawn(subject: Subject, inputs: Sequence[Any]) -> Finding | None:
    trials = [subject.run(inputs, seed=seed) for seed in range(4)]
    others = [trial for trial in trials[1:] if not same(trials[0], trial)]
    if not others:
        return None
    watch = Draws(subject.file)
    subject.run(inputs, watch=watch)
    return finding(
        sys.modules[__name__],
        subject,
        severity="info" if said_to_draw(subject, watch.name) else "warning",
        message="the value of the same inputs depends on the seed: the loss draws from the global random generator",
        trial=trials[0],
        evidence={
            **_inputs_of(subject, trials[0]),
            "value with seed 0": show(trials[0].value),
            f"value with seed {trials.index(others[0])}": show(others[0].value),
        },
        why=f"{watch.name}() draws" if watch.name else "",
        fix="draw outside the loss and pass the result in, or take a torch.Generator as an argument",
        line=watch.line,
        reproducer=reproduce(subject, inputs, _ending_twice(subject, "torch.manual_seed(seed)")),
    )


def _statistics(subject: Subject, first: Sequence[Any], second: Sequence[Any]) -> Finding | None:
    """Batch statistics: the value in training does not show them, the one in evaluation does."""
    if subject.module is None:
        return None
    fresh, used = subject.twin(torch.float32), subject.twin(torch.float32)
    kept = Snapshot(used)
    used.train()
    subject.run(second, loss=used)
    before, after = subject.run(first, loss=fresh.eval()), subject.run(first, loss=used.eval())
    if same(before, after) or not before.ok or not after.ok:
        return None
    names = ", ".join(label for label in kept.changed() if label.rpartition(".")[2] != "training")
    return finding(
        sys.modules[__name__],
        subject,
        severity="warning",
        message="in eval mode the value of the same inputs depends on earlier calls, which left running statistics",
        trial=before,
        evidence={
            **_inputs_of(subject, before),
            "in eval mode, new": show(before.value),
            "after one call in training": show(after.value),
            "changed": names,
        },
        fix="leave statistics of earlier batches out of the loss, or document them",
        reproducer=reproduce(subject, first, _ending_statistics(subject, second)),
    )


def _advanced(subject: Subject, inputs: Sequence[Any]) -> Finding | None:
    watch = Draws(subject.file)
    trial = subject.run(inputs, watch=watch)
    source = reseeded(subject, inputs) or (TORCH if watch.name in ("manual_seed", "seed") else None)
    if source is not None:
        return _seeded(subject, trial, source, watch.line if source is TORCH else "")
    if subject.bridged or not watch.name:
        return None
    return finding(
        sys.modules[__name__],
        subject,
        severity="info",
        message="the call moves the global random generator, though the value does not depend on it",
        evidence=_inputs_of(subject, trial),
        why=f"{watch.name}() draws",
        fix="leave the draw out: it changes every later draw of the program",
        line=watch.line,
    )


def _seeded(subject: Subject, trial: Trial, source: Source, line: str) -> Finding:
    return finding(
        sys.modules[__name__],
        subject,
        severity="warning",
        message=f"the call sets the seed of {source.name}",
        evidence=_inputs_of(subject, trial),
        why="whatever was seeded before, the generator is in the same state after every call: dropout and shuffling "
        "repeat themselves from step to step",
        fix="draw from a torch.Generator of its own, or leave the seed to the program",
        line=line,
        reproducer=reproduce(subject, trial.inputs, _ending_seeded(subject, source)),
    )


def _unwritten(subject: Subject, inputs: Sequence[Any]) -> Finding | None:
    """The value depends on what happened to be in memory before."""
    if subject.bridged or not asks_for_blank(subject.loss):
        return None
    watches = [Blank(number, subject.file) for number in (1.0, 3.0)]
    trials = [subject.run(inputs, watch=watch) for watch in watches]
    if not watches[0].name or same(*trials) or not all(trial.ok for trial in trials):
        return None
    name = watches[0].name
    return finding(
        sys.modules[__name__],
        subject,
        severity="warning",
        message=f"the value depends on memory that was never written: part of what {name}() made is read as it was",
        trial=trials[0],
        evidence={
            **_inputs_of(subject, trials[0]),
            **{f"value if it holds {w.number:g}": show(t.value) for w, t in zip(watches, trials, strict=True)},
        },
        fix=f"{name.replace('empty', 'zeros')}(...), or write every entry of it",
        line=watches[0].line,
    )


def _called(subject: Subject) -> str:
    return ", ".join(argument.name for argument in subject.contract.arguments)


def _ending_memory(subject: Subject, second: Sequence[Any], times: int) -> list[str]:
    others = ", ".join(literal(value) for value in second)
    return [
        f"for call in range({times + 2}):",
        f"    batch = ({_called(subject)}) if call in (0, {times + 1}) else ({others})",
        *("    torch.manual_seed(0)", "    print(call, loss_fn(*batch))"),
    ]


def _ending_twice(subject: Subject, seeding: str) -> list[str]:
    return ["for seed in range(3):", f"    {seeding}", f"    print(loss_fn({_called(subject)}))"]


def _ending_seeded(subject: Subject, source: Source) -> list[str]:
    lines = ["for seed in range(3):", f"    {source.seeding}", f"    loss_fn({_called(subject)})"]
    return [*([source.needs] if source.needs else []), *lines, f"    print({source.drawing})"]


def _ending_statistics(subject: Subject, second: Sequence[Any]) -> list[str]:
    others = ", ".join(literal(value) for value in second)
    return [
        *(f"print(loss_fn.eval()({_called(subject)}))", f"loss_fn.train()({others})"),
        f"print(loss_fn.eval()({_called(subject)}))",
    ]
