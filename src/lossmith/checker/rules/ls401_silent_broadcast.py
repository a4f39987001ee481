"""LS401 silent-broadcast

What it checks
    Predictions of shape (N, 1) with targets of shape (N,), and the like, are refused or aligned. A loss that accepts
    such a pair must give the value of the aligned one. Its own code must not pair every prediction with every target.

    An error where the loss does so on the shapes that it takes: its code pairs all with all, or its own contract or
    example has an axis of one against none, and the value is the same for targets in any order. A warning where it
    only accepts such a pair from a caller: most elementwise losses do, and many are never given one.

Why it matters
    (N, 1) - (N,) is an N x N matrix of differences between unrelated samples. Its mean has its minimum where every
    prediction is the mean of all targets: the model learns to ignore its input while the loss goes down as usual.

Example
    return (pred - target).square().mean()

Write instead
    if pred.shape != target.shape:
        raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} must have one shape")
    return (pred - target).square().mean()

When to allow it
    All callers go through one place that compares the shapes.
"""

import sys
from collections.abc import Iterator

from lossmith.checker.batch import no_batch, precise, size
from lossmith.checker.evidence import finding, reproduce, show
from lossmith.checker.finding import Finding, Severity
from lossmith.checker.pairing import Meeting, Mismatch, beside, every_pair, mismatches, stray_axis
from lossmith.checker.subject import Subject

CODE, NAME, SINCE = "LS401", "silent-broadcast", "0.1"


def applies(subject: Subject) -> str:
    if subject.contract.target is None and not beside(subject):
        return "it takes no target"
    if reason := no_batch(subject):
        return reason
    return "" if size(subject, subject.draw(0)) > 1 else "the example is a batch of one"


def check(subject: Subject) -> Iterator[Finding]:
    precise(subject, subject.draw(0))
    if meeting := every_pair(subject):
        yield _own_code(subject, meeting)
    elif subject.contract.target is None:
        return
    elif stray := stray_axis(subject):
        yield _mixed(subject, [stray], "error")
    elif found := mismatches(subject):
        yield _mixed(subject, found, "warning")


def _own_code(subject: Subject, meeting: Meeting) -> Finding:
    contract = subject.contract
    rows = {a.name: show(v) for a, v in zip(contract.arguments, meeting.trial.inputs, strict=True)}
    far = [contract.arguments[i].name for i in meeting.far]
    shown = [
        (contract.arguments[i].name, tuple(meeting.trial.inputs[i].shape)) for i in (*contract.preds, *meeting.far)
    ]
    rows["shapes"] = ", ".join(f"{name} {shape}" for name, shape in shown)
    rows |= {"value": show(meeting.trial.value), "over all pairs": show(meeting.all_pairs)}
    rows["over matching pairs"] = show(meeting.matching)
    if meeting.shape:
        rows["largest result"] = f"shape {meeting.shape}"
    of_target = meeting.far == (contract.target,)
    said = (
        "every target: the total is the same for targets"
        if of_target
        else (f"{_listed(far)} of every sample: the total is the same for them")
    )
    return finding(
        sys.modules[__name__],
        subject,
        message=f"every prediction meets {said} in any order",
        evidence=rows,
        why=f"the total equals that of all {meeting.n} x {meeting.n} pairs, each called alone",
        fix=f"give {far[0]} the shape of {contract.pred.name} before they meet"
        if of_target
        else f"a column of shape (N, 1) meets a row of shape (N,): squeeze {contract.pred.name} before they meet",
        line=meeting.line,
        reproducer=reproduce(
            subject,
            meeting.trial.inputs,
            [f"print({_call(subject, '')})", f"print({_call(subject, '.flip(0)', meeting.far)})"],
        ),
    )


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _call(subject: Subject, suffix: str, far: tuple[int, ...] | None = None) -> str:
    """The call with something done to the target, or to those arguments."""
    contract = subject.contract
    changed = (contract.target,) if far is None else far
    names = [a.name + (suffix if i in changed else "") for i, a in enumerate(contract.arguments)]
    return f"loss_fn({', '.join(names)})"


def _name(subject: Subject) -> str:
    return subject.contract.arguments[subject.contract.target or 0].name


def _mixed(subject: Subject, found: list[Mismatch], severity: Severity) -> Finding:
    worst = min(found, key=lambda each: (bool(each.single), bool(each.warned)))
    pred, target = subject.contract.pred.name, _name(subject)
    shapes = tuple(worst.trial.inputs[worst.trial.where].shape), tuple(worst.target.shape)
    rows = {a.name: show(v) for a, v in zip(subject.contract.arguments, worst.trial.inputs, strict=True)}
    rows |= {"shapes": f"{pred} {shapes[0]}, {target} {shapes[1]}", "value": show(worst.trial.value)}
    rows["value aligned"] = show(worst.aligned.value)
    if worst.broadcast:
        rows["broadcast to"] = str(worst.broadcast)
    others = [f"{pred} {each.shapes[0]} with {target} {each.shapes[1]}" for each in found if each is not worst]
    if others:
        rows["also accepted"] = "; ".join(others)
    if worst.warned:
        rows["warns"] = worst.warned.splitlines()[0][:160]
    how = "is accepted with a warning" if worst.warned else "is accepted in silence"
    return finding(
        sys.modules[__name__],
        subject,
        severity=severity,
        message=f"{pred} of shape {shapes[0]} with {target} of shape {shapes[1]} {how}: {show(worst.trial.value)} "
        f"instead of {show(worst.aligned.value)}",
        evidence=rows,
        why=_why(subject, worst),
        fix=_fix(subject, worst),
        line=worst.line,
        reproducer=reproduce(
            subject,
            worst.trial.inputs,
            [f"print({_call(subject, '')})", f"print({_call(subject, worst.repair)})"] if worst.repair else None,
        ),
    )


def _why(subject: Subject, worst: Mismatch) -> str:
    """What the mismatch does; keras aligns what it wraps itself."""
    if worst.single:
        return worst.single
    why = f"the shapes broadcast to {worst.broadcast}: unrelated samples are paired" if worst.broadcast else ""
    if subject.framework == "keras" and not worst.warned and not hasattr(subject.loss, "call"):
        aligns = "compile(loss=function) aligns the ranks first, a direct call does not"
        return f"{why}; {aligns}" if why else aligns
    return why


def _fix(subject: Subject, worst: Mismatch) -> str:
    pred, target = subject.contract.pred.name, _name(subject)
    if worst.by_label:
        return f"if {target}.shape != {pred}.shape[:1]: raise ValueError(f'one label a sample: {{{target}.shape}}')"
    return f"if {pred}.shape != {target}.shape: raise ValueError(f'{{{pred}.shape}} and {{{target}.shape}} differ')"
