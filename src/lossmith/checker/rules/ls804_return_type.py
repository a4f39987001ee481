"""LS804 return-type

What it checks
    A loss returns a floating-point tensor that carries its gradient: no Python float, no NumPy number, no tensor made
    anew from the number. A tuple or a dictionary with the total first, or under "loss", is fine. For Keras the answer
    has one value a sample; one number for the whole batch is information.

Why it matters
    A float has no `.backward()`. A tensor made anew with `requires_grad=True` has one, and it does nothing: training
    runs, and no parameter moves. A Keras loss that returns one number weighs nothing by `sample_weight`.

Example
    return torch.tensor(loss.item(), requires_grad=True)

Write instead
    return loss

When to allow it
    It is a metric. A name that says so (score, accuracy, coefficient) is not reported.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from lossmith.checker.evidence import SkipRule, finding
from lossmith.checker.finding import Finding, Severity
from lossmith.checker.frameworks import first_of
from lossmith.checker.known import is_shipped
from lossmith.checker.mirrors import is_metric
from lossmith.checker.sample import head
from lossmith.checker.subject import Subject, Trial, cast

CODE, NAME, SINCE = "LS804", "return-type", "0.1"


def applies(subject: Subject) -> str:
    if subject.bridged and subject.framework != "keras":
        return "a bridge gives back a tensor, whatever the loss returned"
    return "it is named as a metric" if is_metric(subject) else ""


def check(subject: Subject) -> Iterator[Finding]:
    inputs = subject.draw(1) if subject.contract.draw else head(subject.contract, subject.draw(1), 3)
    trial = subject.run(inputs)
    if not trial.ok or trial.output is None:
        raise SkipRule("the loss raises on ordinary inputs")
    if subject.framework == "keras":
        if not is_shipped(subject) and _one_number(subject, trial):
            said = "it returns one number for the batch, where keras takes one a sample: sample_weight weighs no sample"
            yield _told(subject, trial, said, "take the mean over the last axis alone, axis=-1", "info")
    elif trial.returned != "Tensor":
        said = f"it returns a {trial.returned}, which has no backward()"
        yield _told(subject, trial, said, "return the tensor itself, without item(), float() or numpy()")
    elif not trial.output.is_floating_point():
        kind = str(trial.output.dtype).removeprefix("torch.")
        yield _told(subject, trial, f"it returns {kind}, which has no gradient", "compute in floating point")
    elif _made_anew(subject, trial):
        said = "it returns a tensor made anew: backward() works, and no gradient reaches anything"
        yield _told(subject, trial, said, "return what was computed, without torch.tensor() or requires_grad")


def _one_number(subject: Subject, trial: Trial) -> bool:
    """What a function returns, or the `call` of a Loss: its own call is reduced already."""
    if not hasattr(subject.loss, "call"):
        return trial.output is not None and trial.output.ndim == 0
    made = replace(subject, loss=subject.loss.call, _twins={}, cache={}).run(trial.inputs, grad=False)
    return made.output is not None and made.output.ndim == 0


def _told(subject: Subject, trial: Trial, said: str, fix: str, severity: Severity = "error") -> Finding:
    return finding(sys.modules[__name__], subject, severity=severity, message=said, trial=trial, fix=fix)


def _made_anew(subject: Subject, trial: Trial) -> bool:
    """True for a leaf that wants a gradient and is none of the arguments and parameters."""
    live = [cast(value, torch.float32).clone() if isinstance(value, Tensor) else value for value in trial.inputs]
    for index in subject.contract.preds:
        if isinstance(live[index], Tensor) and live[index].is_floating_point():
            live[index].requires_grad_()
    output = first_of(subject.call(subject.twin(torch.float32), live))
    return isinstance(output, Tensor) and output.is_leaf and output.requires_grad
