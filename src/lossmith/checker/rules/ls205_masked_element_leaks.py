"""LS205 masked-element-leaks

What it checks
    What a loss is told to leave out (a mask of 0, an ignored label, steps beyond the length) has no part in it: other
    numbers there change neither the value nor any gradient, and its own gradient is 0. An ignored label that is no
    class does not raise. A loss that leaves out targets of NaN has a finite value and gradient beside them. What is
    left out is not counted in the divisor of a mean either, and a mask of 0 and 1 is not used as an index.

Why it matters
    Padding holds whatever was in memory. One term without the mask, a mask on the wrong axis, or a Dice denominator
    over all pixels makes the loss depend on it: the network learns the padding, and the number that is printed depends
    on the longest text of the batch.

Example
    loss = F.cross_entropy(logits, target, ignore_index=-100)
    return loss - 0.1 * logits.log_softmax(-1).mean()      # the smoothing counts the ignored rows too

Write instead
    kept = target != -100
    return loss - 0.1 * logits[kept].log_softmax(-1).mean()

When to allow it
    What is masked has a part in the loss by design: a context that is not predicted, or a background that weighs less.
    (A mask that only weighs, and a loss that uses `1 - mask` too, are not reported; a smoothness of the prediction over
    all pixels beside a masked error is information.)
"""

import sys
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.batch import precise
from lossmith.checker.counted import Diluted, diluted, left_out_classes, looked_up, missing_is
from lossmith.checker.evidence import evidence_of, finding, literal, reproduce, show
from lossmith.checker.finding import Finding, Severity
from lossmith.checker.leaks import Leak, is_a_prior, is_meant, leak_of, replaced
from lossmith.checker.left_out import LeftOut, asks_for_nan, left_out
from lossmith.checker.subject import Subject

CODE, NAME, SINCE = "LS205", "masked-element-leaks", "0.1"
NAN_TARGETS = ("real", "positive", "count", "soft", "binary")


def applies(subject: Subject) -> str:
    if subject.contract.pred.kind in ("embedding", "unit", "boxes", "cxcywh"):
        return "a mask over pairs is not known to leave out samples"
    if any(True for _ in left_out(subject)) or _may_miss(subject) is not None or looked_up(subject) is not None:
        return ""
    if missing_is(subject) or left_out_classes(subject):
        return ""
    return "nothing in the contract can be left out: no mask, no ignored label, no lengths"


def check(subject: Subject) -> Iterator[Finding]:
    for case in left_out(subject):
        if (raised := _stumbles(subject, case)) is not None:
            yield raised
            return
        dtype = precise(subject, case.inputs)
        leak = leak_of(subject, case, dtype)
        if leak is not None and not is_meant(subject, case, leak, dtype):
            yield _told(subject, case, leak, "info" if is_a_prior(subject, case, leak, dtype) else "error")
            return
    if (place := looked_up(subject)) is not None:
        yield _index(subject, *place)
    elif (less := diluted(subject)) is not None:
        yield _divisor(subject, less)
    else:
        yield from _missing(subject)


def _index(subject: Subject, index: int, line: str) -> Finding:
    name = subject.contract.arguments[index].name
    return finding(
        sys.modules[__name__],
        subject,
        message=f"{name}, which is 0 and 1, is used as an index: it takes the first two rows again and again",
        trial=subject.run(subject.draw(1)),
        fix=f"select with a mask, x[{name}.bool()], or multiply by it",
        line=line,
    )


def _divisor(subject: Subject, less: Diluted) -> Finding:
    argument, n = subject.contract.arguments[less.by], less.length
    name, word = argument.name, {"N": "samples", "T": "steps"}.get(less.axis, f"entries along {less.axis}")
    value = f" ({less.out:g})" if argument.role == "target" else ""
    kept = f"({name} != {less.out:g})" if value else name
    return finding(
        sys.modules[__name__],
        subject,
        severity="warning",
        message=f"what {name} leaves out still counts in the divisor: with {less.copies * n} {word} more, all left "
        f"out{value}, {show(less.before.value)} becomes {show(less.after.value)}",
        trial=less.after,
        why=f"that is 1 / {1 + less.copies}: the mean is taken over all {(1 + less.copies) * n} {word}",
        fix=f"divide by what counts: (loss * {kept}).sum() / {kept}.sum().clamp(min=1)",
    )


def _stumbles(subject: Subject, case: LeftOut) -> Finding | None:
    """A label that is to be ignored, and is no class, used as an index: it raises, where ordinary labels do not."""
    trial = subject.run(case.inputs)
    if case.label is None or not isinstance(trial.error, (IndexError, RuntimeError)):
        return None
    if not subject.run(subject.draw(1)).ok:
        return None
    name = subject.contract.arguments[case.by].name
    return finding(
        sys.modules[__name__],
        subject,
        message=f"it raises {type(trial.error).__name__} {case.name}, the label that it is to ignore",
        trial=trial,
        why=f"{str(trial.error).splitlines()[0][:120]}: gather and one_hot take every label for a class",
        fix=f"look up a class that exists, then leave it out: kept = {name} != {case.label}; "
        f"safe = {name}.masked_fill(~kept, 0)",
    )


def _told(subject: Subject, case: LeftOut, leak: Leak, severity: Severity) -> Finding:
    names = [argument.name for argument in subject.contract.arguments]
    name = names[leak.argument]
    rows = evidence_of(subject, leak.before)
    inputs = tuple(_single(value) for value in leak.before.inputs)
    if leak.after is None:
        grad = leak.before.grads[leak.argument]
        there = float(grad[leak.where].abs().max()) if grad is not None else 0.0
        said = f"{name} gets a gradient {case.name}: up to {there:.4g}"
        ending = None
    else:
        rows |= {f"another {name}": show(leak.after.inputs[leak.argument]), "value then": show(leak.after.value)}
        said = f"other numbers in {name} {case.name} change the value: {show(leak.before.value)} becomes "
        said += show(leak.after.value)
        other = [f"other_{each}" if i == leak.argument else each for i, each in enumerate(names)]
        ending = [
            f"other_{name} = {literal(_single(leak.after.inputs[leak.argument]))}",
            f"print(loss_fn({', '.join(names)}).sum())",
            f"print(loss_fn({', '.join(other)}).sum())",
        ]
    return finding(
        sys.modules[__name__],
        subject,
        severity=severity,
        message=said,
        evidence=rows,
        fix="take what counts before anything is summed (x[kept], or where(kept, x, 0)), in every term and every count",
        reproducer=reproduce(subject, inputs, ending),
    )


def _single(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.dtype == torch.float64 else value


def _may_miss(subject: Subject) -> tuple[Any, ...] | None:
    """Inputs with some targets of NaN, if the loss has a target that can hold one and asks where it does."""
    index = subject.contract.target
    if index is None or subject.contract.target_kind() not in NAN_TARGETS or len(subject.contract.arguments) != 2:
        return None
    inputs = subject.draw(1)
    target = inputs[index]
    if not isinstance(target, Tensor) or not target.is_floating_point() or target.numel() < 3:
        return None
    if not asks_for_nan(subject, subject.contract.arguments[index].name):
        return None
    turn = (torch.arange(target.numel()) % 3 == 1).reshape(target.shape)
    given = replaced(inputs, index, target.masked_fill(turn, float("nan")))
    return given if subject.run(given, grad=False).ok else None


def _missing(subject: Subject) -> Iterator[Finding]:
    given = _may_miss(subject)
    if given is None:
        return
    trial = subject.run(given)
    plain = subject.run(subject.draw(1))
    broken = not (trial.finite_value and trial.finite_grad)
    if trial.ok and broken and plain.ok and plain.finite_value and plain.finite_grad:
        name = subject.contract.arguments[subject.contract.target or 0].name
        yield finding(
            sys.modules[__name__],
            subject,
            message=f"{name} may be NaN where it is not known: "
            + ("the value is finite then, and the gradient is not" if trial.finite_value else "the value is NaN then"),
            trial=trial,
            why="0 * NaN is NaN: what is left out after it was computed still has its derivative",
            fix=f"replace NaN before it is used: known = ~{name}.isnan(); safe = where(known, {name}, 0)",
        )
