"""LS105 no-usable-gradient

What it checks
    The prediction gets a gradient: there is one, computing it raises nothing, and it is not 0 on 200 random valid
    samples while the value varies.

Why it matters
    Training runs, the loss is printed, and nothing is learned. argmax, round, comparisons, item(), .data and a detour
    through numpy all end the way back to the prediction; torch says so only if nothing else in the sum has a gradient.

Example
    hits = (pred.argmax(-1) == target).float()
    return 1 - hits.mean()

Write instead
    return 1 - pred.softmax(-1).gather(1, target[:, None]).mean()

When to allow it
    It is a metric, not a loss; or the argument is the output of a network that does not learn here. An argument whose
    name says so (teacher, ema_, frozen) is left out.
"""

import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.cuts import DETACHING, QUIET, Cut, cut_of, detached_at
from lossmith.checker.evidence import SkipRule, evidence_of, finding, reproduce, shrink
from lossmith.checker.finding import Finding
from lossmith.checker.handwritten import HandWritten, surrounding
from lossmith.checker.mirrors import looks_like_target
from lossmith.checker.policies import POLICY, VALUES
from lossmith.checker.sample import batched, enlarged
from lossmith.checker.signature import source_of
from lossmith.checker.subject import Subject, Trial, as_tensor
from lossmith.checker.terms import with_all_terms
from lossmith.checker.watch import shown
from lossmith.checker.writes import in_place_lines, written

CODE, NAME, SINCE = "LS105", "no-usable-gradient", "0.1"
SAMPLES = 200


def applies(subject: Subject) -> str:
    return "" if _learned(subject) else "no argument of the contract is a prediction that learns"


def _learned(subject: Subject) -> list[int]:
    """Predictions that learn here: no network's that is held fast, and no baseline of a policy's loss."""
    arguments, policy = subject.contract.arguments, POLICY.search(subject.name) is not None
    learned = [index for index in subject.contract.preds if not arguments[index].frozen]
    return [i for i in learned if not (policy and i != learned[0] and VALUES.search(arguments[i].name.lower()))]


def check(subject: Subject) -> Iterator[Finding]:
    subject, inputs = with_all_terms(subject), subject.draw(1)
    plain = subject.run(inputs, grad=False)
    if not plain.ok:
        raise SkipRule("the loss raises on valid inputs, with or without a gradient")
    trial = subject.run(inputs)
    if trial.error is not None:
        if written(subject, inputs):
            raise SkipRule("the loss writes into its own arguments, and raises for that (LS605)")
        if _trains(subject, inputs):
            raise SkipRule(
                "backward() works but torch.autograd.grad() does not, and that is how gradients are read here"
            )
        yield _raises(subject, plain, trial)
        return
    first, *others = _learned(subject)
    if trial.grads[first] is None:
        yield _none(subject, trial, first)
    elif not bool((trial.grads[first] != 0).any()):
        yield from _zero(subject, first)
    for index in others:
        if trial.grads[index] is None:
            yield _none(subject, trial, index)


def _trains(subject: Subject, inputs: Sequence[Any]) -> bool:
    """True if a plain `backward()` reaches the prediction: reentrant checkpoints refuse every other way."""
    live = [value.detach().clone() if isinstance(value, Tensor) else value for value in inputs]
    for index in subject.contract.preds:
        live[index].requires_grad_()
    try:
        as_tensor(subject.call(subject.twin(torch.float32), live))[0].sum().backward()
    except Exception:  # what it raises is reported from the trial
        return False
    return all(live[index].grad is not None for index in _learned(subject))


def _raises(subject: Subject, plain: Trial, trial: Trial) -> Finding:
    small = _shrunk(subject, trial.inputs, lambda other: type(other.error) is type(trial.error))
    failed = subject.run(small)
    error = failed.error or trial.error
    numpy, in_place = "numpy()" in str(error), "modified by an inplace operation" in str(error)
    writes = in_place_lines(subject, small) if in_place else []
    return finding(
        sys.modules[__name__],
        subject,
        message=f"the loss raises {type(error).__name__} when the prediction requires a gradient, and only then",
        trial=failed,
        evidence={
            **evidence_of(subject, failed),
            "without a gradient": f"value {subject.run(small, grad=False).value:.6g}",
        },
        why="the value takes a detour through numpy, which autograd cannot follow" if numpy else "",
        fix=_mended(numpy, in_place),
        line=_line(subject, error) or (writes[0] if len(writes) == 1 else ""),
    )


def _mended(numpy: bool, in_place: bool) -> str:
    if numpy:
        return "compute it with torch operations on the prediction itself, without numpy()"
    if in_place:
        return "write out of place what the backward still needs: y = y + 1, not y += 1"
    return "compute this line with operations that have a derivative"


def _line(subject: Subject, error: BaseException | None) -> str:
    """The innermost line of the user's file that the exception passed through; empty in a backward pass."""
    frames = traceback.extract_tb(error.__traceback__) if error is not None else []
    own = [frame for frame in frames if frame.filename == subject.file]
    return f"{shown(own[-1].filename)}:{own[-1].lineno}" if own else ""


def _none(subject: Subject, trial: Trial, index: int) -> Finding:
    name = subject.contract.arguments[index].name
    small = _shrunk(subject, trial.inputs, lambda other: other.ok and other.grads[index] is None)
    smallest = subject.run(small)
    cut = cut_of(subject, small, index) or cut_of(subject, trial.inputs, index)
    function = None if cut else _backward_without(subject, trial)
    stopped = cut is not None and _stopped_on_purpose(subject, trial, index, cut)
    native = trial.returned != "Tensor" and not subject.bridged
    message = (
        f"the loss returns a {trial.returned}, outside autograd: {name} gets no gradient"
        if native
        else f"{name} gets no gradient"
    )
    return finding(
        sys.modules[__name__],
        subject,
        severity="info" if stopped else "error" if index == _learned(subject)[0] else "warning",
        message=message,
        trial=smallest,
        evidence={**evidence_of(subject, smallest), f"grad {name}": "None"},
        why=f"{function.name}.backward returns None for it" if function else _why(cut),
        fix=f"return the derivative with respect to {name} from {function.name}.backward"
        if function
        else cut.repair
        if cut
        else f"compute the value from {name} with operations that have a derivative",
        line=cut.line if cut else function.line if function else "",
        reproducer=reproduce(subject, small, _ending(subject, index)),
    )


def _stopped_on_purpose(subject: Subject, trial: Trial, index: int, cut: Cut) -> bool:
    """True if one of several views is detached in so many words, and another one learns from it: BYOL, SimSiam, MoCo.

    Of views that are called alike (z1 and z2), one with a gradient and one without is no such thing; of a student and
    its teacher (f_s and f_t) it is. What learns may also be what was read as the target, unless it is called so (logits
    of a weak and of a strong view), or a network inside the loss, for a penalty on its slope.
    """
    contract = subject.contract
    in_words = cut.name in (*DETACHING, QUIET) or bool(detached_at(subject, trial.inputs)[1])  # argmax under no_grad()
    if not in_words:
        return False
    learns = subject.module is not None and next(subject.module.parameters(), None) is not None
    if learns and "autograd.grad(" in source_of(subject.loss):
        return True
    if contract.target is not None and not looks_like_target(contract.arguments[contract.target].name):
        goal, given = contract.target, (trial.inputs, enlarged(contract, trial.inputs))
        slopes = [run.grads[goal] for each in given if (run := subject.run(each, wrt=(goal,))).grads]
        return any(slope is not None and bool(slope.any()) for slope in slopes)
    embedded = not {contract.arguments[i].kind for i in contract.preds} - {"embedding", "unit"}
    if not embedded and index == _learned(subject)[0]:
        return False
    names = [contract.arguments[i].name.lower() for i in contract.preds if trial.grads[i] is not None]
    name = contract.arguments[index].name.lower()
    return bool(names) and (_stem(name) not in map(_stem, names) or _is_the_teacher(name, names))


def _is_the_teacher(name: str, others: Sequence[str]) -> bool:
    """True for f_t beside f_s, and t_map beside s_map."""
    return re.sub(r"(^|_)t(?=_|$)", r"\1s", name) in {*others} - {name}


def _stem(name: str) -> str:
    return re.sub(r"_?[a-z0-9]$", "", name) if len(name) > 1 else name


def _why(cut: Cut | None) -> str:
    if cut is None:
        return ""
    if cut.repair.startswith("compute this part without"):
        return f"without {cut.shown} the gradient is there"
    return f"the value depends on what {cut.shown} returns, which has no derivative"


def _backward_without(subject: Subject, trial: Trial) -> HandWritten | None:
    """The hand-written Function that is the only way to the prediction, if there is just one."""
    functions = surrounding(subject, trial)
    return functions[0] if len(functions) == 1 else None


def _zero(subject: Subject, index: int) -> Iterator[Finding]:
    """The gradient is 0 at the first draw: look at 200 samples before saying so."""
    name = subject.contract.arguments[index].name
    base = subject.draw(1)
    rows = max(len(base[index]) if base[index].ndim and batched(subject.contract, base)[index] else 1, 1)
    values: set[float] = set()
    count = 0
    for seed in range(1, 1 + -(-SAMPLES // rows)):
        inputs = [subject.draw(seed)[i] if i == index else value for i, value in enumerate(base)]
        trial = subject.run(inputs)
        if not trial.ok:
            continue
        grad = trial.grads[index]
        if grad is not None and bool((grad != 0).any()):
            return
        values.add(trial.value)
        count += rows
    if len(values) < 2:
        raise SkipRule(f"the value does not change with {name} (LS106)")
    yield _flat(subject, index, min(values), max(values), count)


def _flat(subject: Subject, index: int, low: float, high: float, count: int) -> Finding:
    name = subject.contract.arguments[index].name
    trial = subject.run(_shrunk(subject, subject.draw(1), lambda other: other.ok))
    cut = cut_of(subject, subject.draw(1), index)
    return finding(
        sys.modules[__name__],
        subject,
        message=f"the gradient of {name} is 0 on {count} random samples, while the value varies",
        trial=trial,
        evidence={**evidence_of(subject, trial), "values seen": f"from {low:.6g} to {high:.6g}"},
        why=f"the value depends on what {cut.shown} returns, whose derivative is 0" if cut else "",
        fix=cut.repair if cut else f"compute the value from {name} with operations that have a derivative",
        line=cut.line if cut else "",
    )


def _shrunk(subject: Subject, inputs: Sequence[Any], still: Any) -> tuple[Any, ...]:
    return shrink(subject, inputs, lambda part: bool(still(subject.run(part))))


def _ending(subject: Subject, index: int) -> list[str]:
    """`backward()` itself may raise here: the gradient is asked for in a way that answers None."""
    names = [argument.name for argument in subject.contract.arguments]
    return [
        f"{names[index]}.requires_grad_()",
        f"loss = loss_fn({', '.join(names)})",
        "print(loss, getattr(loss, 'grad_fn', 'is no tensor'))",
        "if isinstance(loss, torch.Tensor) and loss.requires_grad:",
        f"    print(torch.autograd.grad(loss.sum(), {names[index]}, allow_unused=True))",
    ]
