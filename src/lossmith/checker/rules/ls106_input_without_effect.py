"""LS106 input-without-effect

What it checks
    Every tensor that the loss takes changes its value or its gradient. Each argument alone is replaced by other
    valid ones of the same shape, twenty times; the answer must differ in at least one bit, once.

Why it matters
    A target or a mask that is passed and not used is a term that was meant to be there: a distillation loss that
    reads the teacher's logits twice trains without the student, and prints a number all the same.

Example
    def forward(self, pred, target, mask):
        return (pred - target).square().mean()

Write instead
    def forward(self, pred, target, mask):
        return ((pred - target).square() * mask).sum() / mask.sum()

When to allow it
    The argument is there only so that several losses can be called alike. A name that starts with an underscore
    says so, and is not checked.
"""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.evidence import SkipRule, evidence_of, finding, literal, reproduce, show
from lossmith.checker.finding import Finding
from lossmith.checker.ignored import ignored_label, with_ignored
from lossmith.checker.sample import enlarged, generator, head
from lossmith.checker.subject import Subject, Trial
from lossmith.checker.terms import with_all_terms
from lossmith.checker.trained import after_some_training

CODE, NAME, SINCE = "LS106", "input-without-effect", "0.1"
BASES, OTHERS = 4, 5  # twenty comparisons, around four different batches
SCALED = ("real", "logits", "embedding", "positive", "weight")  # kinds that stay valid under a factor


def applies(subject: Subject) -> str:
    return "" if _judged(subject) else "it takes no tensor that could be replaced"


def check(subject: Subject) -> Iterator[Finding]:
    compared = 0
    subject = after_some_training(with_all_terms(subject), least=2)
    for index in _judged(subject):
        changed, count, pair = _effect(subject, index)
        compared += count
        if not changed and pair is not None:
            yield _told(subject, index, count, *pair)
    if not compared:
        raise SkipRule("no call with another argument succeeded")


def _judged(subject: Subject) -> list[int]:
    drawn = subject.draw(0)
    named = [(i, a.name) for i, a in enumerate(subject.contract.arguments)]
    return [i for i, name in named if isinstance(drawn[i], Tensor) and drawn[i].numel() and not name.startswith("_")]


def _effect(subject: Subject, index: int) -> tuple[bool, int, tuple[Trial, Trial] | None]:
    """Whether this argument has an effect, how many comparisons say so, and two calls to show."""
    count, pair = 0, None
    for seed, drawn in _bases(subject):
        base = _run(subject, drawn)
        if not base.ok or not base.finite_value:
            continue
        for other in _others(subject, index, base.inputs, seed):
            trial = _run(subject, (*base.inputs[:index], other, *base.inputs[index + 1 :]))
            if not trial.ok:
                continue
            count += 1
            pair = pair or (base, trial)
            if not _alike(base, trial, index):
                return True, count, None
    return pair is not None and _counts_far_off(subject, index, pair[0]), count, pair


def _counts_far_off(subject: Subject, index: int, base: Trial) -> bool:
    """True if it counts beyond what was drawn: gamma / x.clamp(min=gamma) is 1 up to a threshold."""
    old = base.inputs[index]
    if subject.contract.arguments[index].kind not in SCALED or not old.is_floating_point():
        return False
    trials = (
        _run(subject, (*base.inputs[:index], factor * old, *base.inputs[index + 1 :])) for factor in (0.01, 30.0, 1e3)
    )
    return any(trial.ok and trial.finite_value and not _alike(base, trial, index) for trial in trials)


def _bases(subject: Subject) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Batches as they are drawn; and, if no reading was right, with large numbers, of which a threshold keeps some."""
    for seed in range(BASES):
        yield seed, subject.draw(seed)
    if subject.contract.confidence == "unsure":
        yield BASES, enlarged(subject.contract, subject.draw(BASES))


def _run(subject: Subject, inputs: Sequence[Any]) -> Trial:
    """With the gradient of every floating argument, or of the predictions where a target refuses one."""
    floats = [i for i, value in enumerate(inputs) if isinstance(value, Tensor) and value.is_floating_point()]
    trial = subject.run(inputs, wrt=floats)
    return trial if trial.ok else subject.run(inputs)


def _others(subject: Subject, index: int, inputs: Sequence[Any], seed: int) -> Iterator[Tensor]:
    """Other valid values for one argument: drawn anew, and where the user's example is fixed, from its own rows."""
    old = inputs[index]
    for k in range(OTHERS):
        new = subject.draw(1000 + OTHERS * seed + k)[index]
        if not isinstance(new, Tensor) or new.shape != old.shape or torch.equal(new, old):
            new = _rearranged(old, subject.contract.arguments[index].kind, 31 * seed + k)
        if not torch.equal(new, old):
            yield new
    if not old.is_floating_point():
        yield from _other_labels(subject, index, inputs)
    if subject.contract.confidence == "unsure" and old.is_floating_point():  # it may be of another kind than was read
        yield 0.1 + 7.0 * torch.rand(old.shape, generator=generator(seed))
        yield torch.randn(old.shape, generator=generator(seed))


def _other_labels(subject: Subject, index: int, inputs: Sequence[Any]) -> Iterator[Tensor]:
    """The same label for all, as another order of the same ones may have the same sum; and some that are ignored."""
    old = inputs[index]
    if old.dtype != torch.bool and not torch.equal(old, torch.zeros_like(old)):
        yield torch.zeros_like(old)
    label = ignored_label(subject)
    if label is not None and index == subject.contract.target:
        yield with_ignored(subject, tuple(inputs), label, 1)[index]


def _rearranged(old: Tensor, kind: str, seed: int) -> Tensor:
    g = generator(seed)
    rows = torch.randint(len(old), (len(old),), generator=g) if old.ndim else None
    new = old if rows is None else old[rows]
    return new * (0.5 + torch.rand((), generator=g)) if kind in SCALED and new.is_floating_point() else new


def _alike(base: Trial, trial: Trial, index: int) -> bool:
    """Same value, same gradients, and none that flows into this argument."""
    if base.output is None or trial.output is None or not torch.equal(base.output, trial.output):
        return False
    own = [t.grads[index] for t in (base, trial) if t.grads]
    if any(grad is not None and bool(grad.any()) for grad in own):
        return False
    return all(_equal(a, b) for a, b in zip(base.grads, trial.grads, strict=True))


def _equal(a: Tensor | None, b: Tensor | None) -> bool:
    return a is b if a is None or b is None else torch.equal(a, b)


def _told(subject: Subject, index: int, count: int, base: Trial, trial: Trial) -> Finding:
    small = _smaller(subject, index, base, trial)
    base, trial = small or (base, trial)
    names = [argument.name for argument in subject.contract.arguments]
    name = names[index]
    other = [f"other_{name}" if i == index else each for i, each in enumerate(names)]
    rows = evidence_of(subject, subject.run(base.inputs))
    rows |= {f"another {name}": show(trial.inputs[index]), "its value": show(trial.value)}
    ending = [
        f"other_{name} = {literal(trial.inputs[index])}",
        f"print(loss_fn({', '.join(names)}))",
        f"print(loss_fn({', '.join(other)}))",
    ]
    return finding(
        sys.modules[__name__],
        subject,
        message=f"{name} changes neither the value nor the gradient: {count} other values of it gave the same answer",
        evidence=rows,
        fix=f"use {name} in the formula, or take it out of the signature",
        reproducer=reproduce(subject, base.inputs, ending),
    )


def _smaller(subject: Subject, index: int, base: Trial, trial: Trial) -> tuple[Trial, Trial] | None:
    """The first two samples, if the loss takes them and the two arguments differ there."""
    few, fewer = head(subject.contract, base.inputs, 2), head(subject.contract, trial.inputs, 2)
    if torch.equal(few[index], fewer[index]):
        return None
    small = _run(subject, few), _run(subject, fewer)
    return small if all(t.ok for t in small) and _alike(*small, index) else None
