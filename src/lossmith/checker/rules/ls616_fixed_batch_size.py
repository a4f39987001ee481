"""LS616 fixed-batch-size

What it checks
    A loss takes batches of other sizes than the first one: smaller and larger ones, by a fresh object and by one that
    has been called before. Where it has a setting for the batch size, the value does not depend on that setting, and no
    batch of another size is viewed as so many rows. A sum over the batch is not divided by a number that its code
    names: a power of two from 8 on, or a constant that is called a batch size.

Why it matters
    The last batch of an epoch is smaller, and a validation batch is larger. A mask or an index that is made for one
    size raises there; a sum that is divided by the size that was hoped for has another scale there, in silence.

Example
    self.mask = ~torch.eye(2 * batch_size, dtype=torch.bool)      # in __init__
    return value.sum() / self.batch_size

Write instead
    mask = ~torch.eye(2 * len(pred), dtype=torch.bool, device=pred.device)
    return value.sum() / len(pred)

When to allow it
    Batches are always full: DataLoader(..., drop_last=True), in validation too.
"""

import inspect
import re
import sys
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from lossmith.checker.accelerators import name_of
from lossmith.checker.batch import near, no_batch, refused, size, splits, take
from lossmith.checker.divisors import SIZE_NAME, divided_by_a_batch_size
from lossmith.checker.evidence import SkipRule, evidence_of, finding, reproduce, show
from lossmith.checker.finding import Finding
from lossmith.checker.options import options
from lossmith.checker.signature import source_of
from lossmith.checker.subject import Subject, Trial
from lossmith.checker.watch import user_line

CODE, NAME, SINCE = "LS616", "fixed-batch-size", "0.1"


def applies(subject: Subject) -> str:
    if reason := no_batch(subject):
        return reason
    return "" if size(subject, subject.draw(0)) > 3 else "the example has fewer than four samples"


def check(subject: Subject) -> Iterator[Finding]:
    inputs = subject.draw(0)
    first = subject.run(inputs)
    if not first.ok or not first.finite_value:
        raise SkipRule("the loss gives no value on ordinary inputs")
    others = [subject.run(each) for each in _other_batches(subject)]
    n = _samples(first)
    refuses = [trial for trial in others if not trial.ok]
    if len(refuses) == len(others) or all(_samples(trial) == 2 * n for trial in others if trial.ok):
        yield _one_size_only(subject, first, refuses, multiples=len(refuses) < len(others))
    elif beyond := _no_further(first, others):
        yield _only_the_first(subject, first, refuses[0], beyond)
    elif broken := _after_another(subject, first, [trial for trial in others if trial.ok]):
        yield _keeps_the_first(subject, first, broken)
    elif found := _divides_by_a_setting(subject, first) or _divides_by_a_number(subject) or _regroups(subject, first):
        yield found


def _other_batches(subject: Subject) -> list[tuple[Any, ...]]:
    """Smaller ones, odd and even; larger ones where inputs can be drawn for them."""
    inputs = subject.draw(0)
    n = size(subject, inputs)
    smaller = [take(subject, inputs, range(m)) for m in dict.fromkeys((n - 1, n - 2, n // 2, 2))]
    return smaller if subject.contract.draw is not None else [*smaller, subject.draw(0, n + 1), subject.draw(0, 2 * n)]


def _samples(trial: Trial) -> int:
    return len(trial.inputs[trial.where])


def _one_size_only(subject: Subject, first: Trial, others: list[Trial], multiples: bool) -> Finding:
    on_purpose = all(refused(trial) for trial in others)
    shown, what = others[0], "multiples" if multiples else "batches"
    rows = {"batches that work": str(_samples(first))}
    rows |= {f"a batch of {_samples(trial)}": _raised(trial) for trial in others}
    return finding(
        sys.modules[__name__],
        subject,
        severity="warning" if on_purpose or multiples else "error",
        message=f"only {what} of {_samples(first)} are accepted: the last batch of an epoch is smaller",
        evidence=rows,
        why="the loss refuses them on purpose" if on_purpose else "",
        fix="take the number of samples from the arguments, len(pred), each time",
        reproducer=reproduce(subject, shown.inputs),
    )


def _no_further(first: Trial, others: list[Trial]) -> Trial | None:
    """A larger batch of which no sample beyond the size of the first one counts, where no smaller one is accepted."""
    n = _samples(first)
    smaller, larger = ([t for t in others if (_samples(t) < n) is less] for less in (True, False))
    if any(trial.ok for trial in smaller) or not larger or not all(trial.ok for trial in larger):
        return None
    grads = [trial.grad for trial in larger if trial.grad is not None]
    idle = [not bool((grad[n:] != 0).any()) and bool((grad[:n] != 0).any()) for grad in grads]
    return larger[-1] if idle and all(idle) else None


def _only_the_first(subject: Subject, first: Trial, smaller: Trial, larger: Trial) -> Finding:
    n = _samples(first)
    return finding(
        sys.modules[__name__],
        subject,
        message=f"it is made for batches of {n}: of a larger one the first {n} samples count, and smaller ones fail",
        evidence={f"a batch of {_samples(smaller)}": _raised(smaller), f"a batch of {_samples(larger)}": "has no "
                  f"gradient beyond sample {n}"},
        fix="take the number of samples from the arguments, len(pred), each time",
        reproducer=reproduce(subject, smaller.inputs),
    )  # fmt: skip


def _raised(trial: Trial) -> str:
    lines = str(trial.error).splitlines()
    return f"{type(trial.error).__name__}: {lines[0][:140] if lines else ''}"


def _after_another(subject: Subject, first: Trial, others: list[Trial]) -> Trial | None:
    """A batch that a fresh loss takes, and one that has seen the first batch does not."""
    if subject.twin(torch.float32) is subject.loss and not inspect.isroutine(subject.loss):
        return None  # it cannot be copied: what it keeps would stay
    for trial in others:
        used = subject.twin(torch.float32)
        subject.run(first.inputs, loss=used)
        again = subject.run(trial.inputs, loss=used)
        if not again.ok and not refused(again):
            return again
    return None


def _keeps_the_first(subject: Subject, first: Trial, broken: Trial) -> Finding:
    names = [argument.name for argument in subject.contract.arguments]
    n, m = _samples(first), _samples(broken)
    parts = [
        f"{name}[:{m}]" if isinstance(value, torch.Tensor) and value.ndim and len(value) == n else name
        for name, value in zip(names, first.inputs, strict=True)
    ]
    ending = [f"print(loss_fn({', '.join(names)}))", f"print(loss_fn({', '.join(parts)}))  # raises"]
    return finding(
        sys.modules[__name__],
        subject,
        message=f"after a batch of {n}, a batch of {m} raises: the loss keeps something of the size of its first batch",
        evidence={f"a batch of {m} first": "works", f"a batch of {m} after {n}": _raised(broken)},
        why="a fresh loss takes the same batch",
        fix="make it anew in each call, or when the size has changed",
        reproducer=reproduce(subject, first.inputs, ending) if m < n else "",
    )


def _divides_by_a_setting(subject: Subject, first: Trial) -> Finding | None:
    """The value is halved by twice the batch size in the settings, whatever batch is given."""
    held = {**_numbers(subject), **{name: value for name, value in subject.settings.items() if type(value) is int}}
    for name, value in held.items():
        if not SIZE_NAME.search(name.lower()):
            continue
        doubled = subject.with_settings(**{name: 2 * value})
        other = doubled.run(first.inputs) if doubled is not None else None
        if other is not None and other.ok and first.value and near(2 * other.value, first.value, 1e-5):
            rows = evidence_of(subject, first)
            rows = {"value": rows["value"], f"value with {name}={2 * value}": f"{other.value:.6g}"}
            return finding(
                sys.modules[__name__],
                subject,
                severity="warning",
                message=f"the value is divided by the setting {name}, not by the number of samples it is given",
                evidence=rows,
                why=f"twice the {name} halves the value of the same batch of {_samples(first)}",
                fix="divide by len(pred)",
                reproducer=reproduce(subject, first.inputs),
            )
    return None


def _divides_by_a_number(subject: Subject) -> Finding | None:
    """A sum over the batch, divided by a number in the code that is a batch size."""
    divisor = divided_by_a_batch_size(subject.loss)
    if not divisor or not (parts := splits(subject)) or not all(part.ok and part.plain() == "sum" for part in parts):
        return None
    part = parts[0]
    rows = {name: text for name, text in evidence_of(subject, part.whole).items() if not name.startswith("grad ")}
    rows |= {f"value of the first {part.cut}": show(part.first.value), "of the others": show(part.second.value)}
    return finding(
        sys.modules[__name__],
        subject,
        severity="warning",
        message=f"a sum over the batch is divided by {divisor}, whatever batch is given",
        evidence=rows,
        why=f"a batch of {part.n} costs the sum of its parts: the smaller last batch of an epoch counts less",
        fix="divide by len(pred)",
        reproducer=reproduce(subject, part.whole.inputs),
    )


class _Rows(TorchFunctionMode):
    """The first view of a batch of n as a fixed number of rows, other than n and none of its own shape."""

    def __init__(self, file: str, n: int, fixed: Collection[int]) -> None:
        super().__init__()
        self.file, self.n, self.fixed, self.rows, self.line = file, n, fixed, 0, ""

    def __torch_function__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if name_of(func) in ("view", "reshape") and isinstance(result, torch.Tensor) and result.ndim and not self.rows:
            before, rows = args[0].shape[:1], len(result)
            if before == (self.n,) and result.ndim > 1 and rows in self.fixed and rows not in (1, self.n):
                self.rows, self.line = rows, user_line(self.file)
        return result


def _regroups(subject: Subject, first: Trial) -> Finding | None:
    """A batch is viewed as a number of rows that the loss or its code fixes: a row holds parts of several samples."""
    if subject.bridged:
        return None
    written = _written(subject)
    watch = _Rows(subject.file, _samples(first), {*_numbers(subject).values(), *written})
    subject.run(first.inputs, grad=False, watch=watch)
    if not watch.rows or _samples(first) * 2 == watch.rows:
        return None
    return finding(
        sys.modules[__name__],
        subject,
        severity="warning",
        message=f"a batch of {_samples(first)} is viewed as {watch.rows} rows: parts of different samples share one",
        trial=first,
        why="the number of rows is fixed, and the batch happens to hold enough numbers for it",
        fix="flatten(1), or view(len(pred), -1)",
        line=watch.line,
    )


def _written(subject: Subject) -> set[int]:
    """Whole numbers in the code that stand as the first length of a view."""
    return {int(number) for number in re.findall(r"(?:view|reshape)\(\s*(\d+)\s*,", source_of(subject.loss))}


def _numbers(subject: Subject) -> dict[str, int]:
    """Whole numbers that the loss is built with by default."""
    try:
        held = vars(subject.loss)
    except TypeError:
        held = {}
    named = {option.name: option.value for option in options(subject) if type(option.value) is int}
    return named | {name: value for name, value in held.items() if type(value) is int}
