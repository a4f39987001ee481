"""From a trial to a finding: the smallest inputs that still show the fault, readable values, a script that runs."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from lossmith.checker.finding import Finding, Grade, Severity
from lossmith.checker.frameworks import ATTRIBUTE, SUM, keras_backend
from lossmith.checker.sample import batched
from lossmith.checker.subject import Subject, Trial

MOST_NUMBERS = 600  # a reproducer with more is no longer read


class Rule(Protocol):
    """What a rule file defines; its module docstring is its documentation."""

    CODE: str
    NAME: str
    SINCE: str

    @staticmethod
    def applies(subject: Subject) -> str:
        """Empty if the rule applies, else why it does not."""
        ...

    @staticmethod
    def check(subject: Subject) -> Any:
        """Yield a `Finding` for each defect."""
        ...


class SkipRule(Exception):
    """Raised by a rule that applies but cannot decide; the text is the reason that is reported."""


def shrink(
    subject: Subject,
    inputs: Sequence[Any],
    still_fails: Callable[[tuple[Any, ...]], bool],
    ordinary: Sequence[Any] | None = None,
) -> tuple[Any, ...]:
    """The smallest part of `inputs` that still fails: one sample, then one column, else the whole.

    With `ordinary` inputs of the same shapes, the same part of those must be fine: else it is the size of the part
    that fails, and not its values.
    """
    best, usual = tuple(inputs), None if ordinary is None else tuple(ordinary)
    for cut in (_rows, _columns):
        parts = cut(subject, best)
        beside = [None] * len(parts) if usual is None else cut(subject, usual)
        for part, other in zip(parts, beside, strict=False):
            if _fails(still_fails, part) and (other is None or not _fails(still_fails, other)):
                best, usual = part, other
                break
    return best


def _fails(still_fails: Callable[[tuple[Any, ...]], bool], part: tuple[Any, ...]) -> bool:
    try:
        return still_fails(part)
    except Exception:  # a part that the loss does not take is no smaller example
        return False


def _rows(subject: Subject, inputs: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    rows = batched(subject.contract, inputs)
    n = len(inputs[subject.contract.preds[0]]) if inputs[subject.contract.preds[0]].ndim else 0
    return [
        tuple(value[i : i + 1] if row else value for value, row in zip(inputs, rows, strict=True)) for i in range(n)
    ]


def _columns(subject: Subject, inputs: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """Single columns, where every argument has the same shape of two axes (so that no class axis is cut)."""
    shapes = {tuple(value.shape) for value in inputs if isinstance(value, Tensor)}
    elementwise = len(shapes) == 1 and all(len(shape) == 2 for shape in shapes)
    whole = {"simplex", "logprob", "boxes", "cxcywh", "embedding", "unit", "onehot", "dist", "labels"}
    if not elementwise or whole & set(subject.contract.kinds()):
        return []
    width = next(iter(shapes))[1]
    return [tuple(value[:, j : j + 1] for value in inputs) for j in range(width)]


def show(value: Any, most: int = 12) -> str:
    """A value as a person reads it: six digits, nested brackets, long ones cut with their shape."""
    if isinstance(value, Tensor):
        if value.numel() > most:
            head = ", ".join(_number(x) for x in value.detach().flatten()[: most // 2].tolist())
            return f"[{head}, ...] of shape {tuple(value.shape)}"
        return _nested(value.detach().tolist())
    return _number(value) if isinstance(value, (int, float)) else str(value)


def _nested(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_nested(item) for item in value)}]"
    return _number(value)


def _number(value: float) -> str:
    if isinstance(value, (bool, int)):
        return str(value)
    text = f"{value:.6g}"
    return text if any(mark in text for mark in ".einf") else f"{text}.0"


def evidence_of(subject: Subject, trial: Trial, **more: Any) -> dict[str, str]:
    """Inputs by the loss's own names, then value and gradients, then whatever the rule adds."""
    rows = {
        argument.name: show(value) for argument, value in zip(subject.contract.arguments, trial.inputs, strict=True)
    }
    if trial.total is not None:
        rows["value"] = show(trial.value)
    if trial.error is not None:
        rows["raises"] = (
            f"{type(trial.error).__name__}: {str(trial.error).splitlines()[0][:160] if str(trial.error) else ''}"
        )
    for argument, grad in zip(subject.contract.arguments, trial.grads, strict=False):
        if grad is not None:
            rows[f"grad {argument.name}"] = show(grad)
    return {**rows, **{name.replace("_", " "): show(value) for name, value in more.items()}}


def finding(
    rule: Any,
    subject: Subject,
    *,
    message: str,
    severity: Severity = "error",
    grade: Grade = "measured",
    trial: Trial | None = None,
    evidence: Mapping[str, str] | None = None,
    why: str = "",
    fix: str = "",
    line: str = "",
    reproducer: str | None = None,
) -> Finding:
    """A finding of this rule. With a trial, evidence and reproducer come from it unless they are given."""
    shown = dict(evidence) if evidence is not None else evidence_of(subject, trial) if trial else {}
    script = reproducer if reproducer is not None else reproduce(subject, trial.inputs) if trial else ""
    return Finding(rule.CODE, rule.NAME, severity, grade, message, shown, why, fix, line or subject.location, script)


def literal(value: Any) -> str:
    """A tensor as Python source that makes the same tensor."""
    if not isinstance(value, Tensor):
        return repr(value)
    dtype = "" if value.dtype in (torch.float32, torch.int64, torch.bool) else f", dtype={value.dtype}"
    if value.numel() == 0:
        return f"torch.empty({tuple(value.shape)}, dtype={value.dtype})"
    return f"torch.tensor({_source(value.detach().tolist())}{dtype})"


def _source(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_source(item) for item in value)}]"
    if isinstance(value, float):
        if math.isnan(value) or math.isinf(value):
            return f"float('{value}')"
        return repr(round(value, 9)) if abs(value) > 1e-3 else repr(value)
    return repr(value)


def _in_tensorflow(subject: Subject, inputs: Sequence[Any]) -> str:
    """The same script for a loss that computes with TensorFlow."""
    if keras_backend() != "tensorflow":
        return ""
    names = [argument.name for argument in subject.contract.arguments]
    lines = [
        'import os\nos.environ["KERAS_BACKEND"] = "tensorflow"',
        "import tensorflow as tf",
        *subject.recipe,
        *_wrapped(subject),
    ]
    for name, value in zip(names, inputs, strict=True):
        dtype = str(value.dtype).removeprefix("torch.")
        lines.append(
            f"{name} = tf.constant({_source(value.detach().tolist())}, shape={tuple(value.shape)}, dtype='{dtype}')"
        )
    preds = [names[i] for i in subject.contract.preds if inputs[i].is_floating_point()]
    watched = [f"    tape.watch({name})" for name in preds]
    lines += ["with tf.GradientTape(persistent=True) as tape:", *watched, f"    loss = loss_fn({', '.join(names)})"]
    return "\n".join([*lines, "print(loss)", *(f"print(tape.gradient(loss, {name}))" for name in preds)])


def _seeded(subject: Subject) -> list[str]:
    """The lines that build the loss; one with parameters is built with the same ones."""
    drawn = subject.module is not None and any(True for _ in subject.module.parameters())
    seed = ["torch.manual_seed(0)"] if drawn else []
    built = next(i for i, line in enumerate(subject.recipe) if line.startswith("loss_fn = "))
    return [*subject.recipe[:built], *seed, *subject.recipe[built:]]


def _wrapped(subject: Subject) -> list[str]:
    """The lines that let a loss take arrays in a row and return one: from dictionaries, to the total."""
    fold, path = subject.contract.fold, subject.cache.get("path", ())
    if fold is None and not path:
        return []
    takes, hands_on = (", ".join(fold.leaves), fold.source()) if fold else ("*inputs", "*inputs")
    imports = ["import types"] if "types." in hands_on else []
    part = "".join(step if step == ATTRIBUTE else f"[{step!r}]" for step in path if step != SUM)
    made = f"given({hands_on}){part}"
    made = f"sum(value for key, value in {made}.items() if 'loss' in key)" if SUM in path else made
    return [*imports, "given = loss_fn", f"loss_fn = lambda {takes}: {made}"]


def reproduce(subject: Subject, inputs: Sequence[Any], ending: Sequence[str] | None = None) -> str:
    """A script that shows the fault without lossmith; empty if the loss cannot be imported from anywhere."""
    numbers = sum(value.numel() for value in inputs if isinstance(value, Tensor))
    if not subject.recipe or numbers > MOST_NUMBERS:
        return ""
    asked = any("loss_fn." in line for line in ending or ())  # the object itself is asked for something
    if asked and subject.contract.fold is not None:
        return ""
    if subject.bridged:
        return _in_tensorflow(subject, inputs) if ending is None and subject.framework != "jax" else ""
    names = [argument.name for argument in subject.contract.arguments]
    lines = ['import os\nos.environ["KERAS_BACKEND"] = "torch"'] if subject.framework == "keras" else []
    lines += ["import torch", *_seeded(subject), *(() if asked else _wrapped(subject))]
    lines += [f"{name} = {literal(value)}" for name, value in zip(names, inputs, strict=True)]
    preds = [names[i] for i in subject.contract.preds if inputs[i].is_floating_point()]
    if ending is None:
        lines += [f"{name}.requires_grad_()" for name in preds]
        lines += [f"loss = loss_fn({', '.join(names)})"]
        ending = ["print(loss)", "loss.sum().backward()", *(f"print({name}.grad)" for name in preds)]
    return "\n".join([*lines, *ending])
