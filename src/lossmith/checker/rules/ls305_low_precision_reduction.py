"""LS305 low-precision-reduction

What it checks
    A sum over many entries is not carried in float16 or bfloat16 by a loss that is given float32 and narrows it
    itself. Given half precision, its sum does not overflow within a few thousand ordinary entries: for information,
    unless the loss says that it runs there. That a loop over samples stalls there is told for information, too.

Why it matters
    bfloat16 has eight bits: a running sum of ones stops at 256, since 256 + 1 rounds to 256. float16 ends at 65504. A
    loss that adds step by step in such a type is a fraction of what it should be, or inf, and only for large batches.

Example
    error = (pred - target).square().half()
    return error.sum() / error.numel()

Write instead
    return (pred - target).float().square().mean()

When to allow it
    The batch is known to be small. (`sum` and `mean` of torch carry float32 inside: they are not reported for what
    they round, only where their result itself overflows or a loop adds up rounded parts.)
"""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lossmith.checker.evidence import SkipRule, finding, reproduce, show
from lossmith.checker.finding import Finding, Severity
from lossmith.checker.halves import meant_for_half
from lossmith.checker.sample import SIZES, batched, head
from lossmith.checker.slopes import narrowed
from lossmith.checker.subject import Subject, Trial, cast
from lossmith.checker.watch import user_line

CODE, NAME, SINCE = "LS305", "low-precision-reduction", "0.1"
HALVES = (torch.float16, torch.bfloat16)
SAMPLES = 768  # times five classes: a few thousand entries, as in the rows of one small batch
WIDEST = 64  # entries of a sample
LOOP = 200  # operations in one call: a loop over samples, too slow for a larger batch
OWN = 0.03  # what a loss that narrows its own sum may lose; bfloat16 itself rounds by 0.004
LOST = 0.1  # what a sum in half precision may lose before it is called stalled


def applies(subject: Subject) -> str:
    contract = subject.contract
    if subject.bridged:
        return "what is computed across a bridge cannot be seen"
    if contract.pred.domain.axes[:1] != ("N",) or contract.pred.kind in ("embedding", "unit"):
        return "the number of its terms is not the size of the batch"
    if contract.draw is not None:
        return "the example fixes the size of the batch"
    first = subject.draw(0, 1)[contract.preds[0]]
    return "" if first.numel() <= WIDEST else f"a sample has {first.numel()} entries: a batch of {SAMPLES} is too large"


class Widened(TorchDispatchMode):
    """The call goes on in float32 where it asks for half precision; `line` is the first place."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self.file, self.line, self.calls = file, "", 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls += 1
        named = {key: self._wide(value) for key, value in (kwargs or {}).items()}
        return func(*(self._wide(value) for value in args), **named)

    def _wide(self, value: Any) -> Any:
        if not (isinstance(value, torch.dtype) and value in HALVES):
            return value
        self.line = self.line or user_line(self.file)
        return torch.float32


def check(subject: Subject) -> Iterator[Finding]:
    inputs = subject.draw(1, SAMPLES)
    trial = subject.run(inputs, grad=False)
    if not trial.ok:
        raise SkipRule(f"the loss raises {type(trial.error).__name__} on a batch of {SAMPLES}")
    if not _same_twice(subject, trial):
        raise SkipRule("the loss does not give the same answer twice (LS607)")
    if narrow := narrowed(subject, subject.draw(1, SIZES["N"]), torch.float32):
        yield from _narrows(subject, inputs, narrow)
    else:
        yield from _stalls(subject)


def _same_twice(subject: Subject, trial: Trial) -> bool:
    again = subject.run(trial.inputs, grad=False, seed=1)
    return again.total is not None and trial.total is not None and torch.equal(again.total, trial.total)


def _lost(value: float, truth: float) -> float:
    """The part of the truth that is missing, inf where there is no number."""
    if value != value or abs(value) == float("inf"):
        return float("inf")
    return abs(value - truth) / abs(truth) if truth else 0.0


def _narrows(subject: Subject, inputs: tuple[Any, ...], narrow: str) -> Iterator[Finding]:
    """float32 goes in: the same calls, with nothing narrowed, are the truth."""
    for many in (inputs, _repeated(subject, inputs)):
        wide = Widened(subject.file)
        truth = subject.run(many, grad=False, watch=wide)
        trial = subject.run(many, grad=False)
        if truth.ok and truth.finite_value and trial.ok and _lost(trial.value, truth.value) > OWN:
            few = [subject.run(i, grad=False).value for i in [subject.draw(1, 2)]]
            yield _told(
                subject,
                trial,
                truth,
                f"given float32, the loss computes in {narrow} and gets {show(trial.value)} for "
                f"{len(trial.inputs[trial.where])} samples instead of {show(truth.value)}",
                wide.line,
                {"value of 2 samples": show(few[0])},
            )
            return
        if wide.calls > LOOP:
            return


def _repeated(subject: Subject, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Copies of a batch side by side, until float16 can no longer count them."""
    rows = batched(subject.contract, inputs)
    return tuple(v.repeat(32, *[1] * (v.ndim - 1)) if row else v for v, row in zip(inputs, rows, strict=True))


def _stalls(subject: Subject) -> Iterator[Finding]:
    """Half precision goes in: float64 on the same numbers is the truth, for few samples and for many."""
    for dtype in (torch.bfloat16, torch.float16):
        few, many = (_pair(subject, subject.draw(1, n), dtype) for n in (8, SAMPLES))
        if few is None or many is None or _lost(few[0].value, few[1].value) > OWN:
            continue
        trial, truth = many
        if abs(truth.value) < 0.25 * torch.finfo(dtype).max and _lost(trial.value, truth.value) > LOST:
            short = str(dtype).removeprefix("torch.")
            yield _told(
                subject,
                trial,
                truth,
                f"in {short} the loss of {SAMPLES} samples is {show(trial.value)}, and {show(truth.value)} in float64 "
                f"on the same numbers",
                "",
                {"of 8 samples": f"{show(few[0].value)} and {show(few[1].value)}"},
                "warning" if not trial.finite_value and meant_for_half(subject) else "info",
            )
            return


def _pair(subject: Subject, inputs: Sequence[Any], dtype: torch.dtype) -> tuple[Trial, Trial] | None:
    given = tuple(cast(value, dtype) for value in inputs)
    trial, truth = subject.run(given, grad=False), subject.run(given, dtype=torch.float64, grad=False)
    return (trial, truth) if trial.ok and truth.ok and truth.finite_value else None


def _told(
    subject: Subject,
    trial: Trial,
    truth: Trial,
    said: str,
    line: str,
    more: dict[str, str],
    severity: Severity = "warning",
) -> Finding:
    rows = {a.name: show(value) for a, value in zip(subject.contract.arguments, trial.inputs, strict=True)}
    return finding(
        sys.modules[__name__],
        subject,
        severity=severity,
        message=said,
        evidence=rows | {"value": show(trial.value), "value in float32 or more": show(truth.value), **more},
        fix="take the sum in float32: x.float().sum(), x.mean(dtype=torch.float32), a running total of float32",
        line=line,
        reproducer=_script(subject, trial),
    )


def _script(subject: Subject, trial: Trial) -> str:
    """Two samples, repeated as often as it takes."""
    n, few = len(trial.inputs[trial.where]), head(subject.contract, trial.inputs, 2)
    names = [argument.name for argument in subject.contract.arguments]
    rows = batched(subject.contract, trial.inputs)
    lines = [
        f"{name} = {name}.repeat({n // 2}, *[1] * ({name}.ndim - 1))"
        for name, row in zip(names, rows, strict=True)
        if row
    ]
    call = f"loss_fn({', '.join(names)})"
    once = f"print('of 2 samples', {call})"
    return reproduce(subject, few, [once, *lines, f"print('of {n} samples', {call})"])
