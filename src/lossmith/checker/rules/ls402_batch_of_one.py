"""LS402 batch-of-one

What it checks
    A batch of one sample gives a finite value and gradient, and means what a larger batch means: where the totals of
    larger batches are sums or means over samples, those of a single sample fit the same sum or mean.

Why it matters
    The last batch of an epoch has one sample whenever the number of samples says so, and a user tries a single one
    first. A bare `squeeze()` then drops the batch axis as well, and `std` of one value is 0/0.

Example
    pred = pred.squeeze()
    return (pred - target).square().sum(-1).mean()

Write instead
    pred = pred.squeeze(-1)

When to allow it
    The loss compares samples and is always fed with several.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from lossmith.checker.batch import Split, near, no_batch, precise, refused, size, split, take, tolerance
from lossmith.checker.comparing import averages_pairs, compares_two_sets
from lossmith.checker.evidence import SkipRule, evidence_of, finding, reproduce, show
from lossmith.checker.finding import Finding
from lossmith.checker.sample import batched
from lossmith.checker.subject import Subject, Trial

CODE, NAME, SINCE = "LS402", "batch-of-one", "0.1"
SEEDS = 3
# Losses that are made of the spread of a batch.
SPREAD = re.compile(
    r"vicreg|barlow|w_?mse|whiten|decorrel|redundanc|deep_?coral|(?:^|_)cca|rewards?$|returns?$|advantages?$|^adv(?:_|$)",
    re.I,
)


def applies(subject: Subject) -> str:
    if reason := no_batch(subject):
        return reason
    return "" if size(subject, subject.draw(0)) > 1 else "the example itself is a batch of one"


def check(subject: Subject) -> Iterator[Finding]:
    inputs = subject.draw(0)
    dtype = precise(subject, inputs)
    _must_work(subject, inputs, dtype)
    singles = [subject.run(take(subject, inputs, (row,)), dtype=dtype) for row in range(size(subject, inputs))]
    broken = [trial for trial in singles if not _works(trial)]
    # One sample that works shows that it is the content of the others, not their number, that breaks the loss.
    if len(broken) == len(singles):
        yield _broken(subject, broken[0], dtype)
    elif not broken and (odd := _another_meaning(subject, dtype)):
        yield _changed(subject, odd)


def _must_work(subject: Subject, inputs: Sequence[Any], dtype: torch.dtype) -> None:
    n = size(subject, inputs)
    if n > 2 and not any(subject.run(take(subject, inputs, range(m)), dtype=dtype).ok for m in (2, n - 1, n - 2)):
        raise SkipRule("it takes no smaller batch at all (LS616)")
    takes = {m: subject.run(take(subject, inputs, range(m)), dtype=dtype).ok for m in (1, 2, 3)} if n > 3 else {}
    if takes == {1: False, 2: True, 3: False}:
        raise SkipRule("it takes only even numbers of samples, such as two views of each")
    if takes and not takes[1] and not takes[2]:
        raise SkipRule("it takes no two samples either: several views of each, or a series of some length")
    several = [inputs] if n == 2 else [inputs, take(subject, inputs, (0, 1))]
    if not any(_works(subject.run(part, dtype=dtype)) for part in several):
        raise SkipRule("its gradient is not finite for larger batches either")


def _works(trial: Trial) -> bool:
    return trial.ok and trial.finite_value and trial.finite_grad


def _another_meaning(subject: Subject, dtype: torch.dtype) -> Split | None:
    """A batch cut after its first sample that the sum or mean of all larger parts does not explain."""
    drawn = [subject.draw(seed) for seed in range(SEEDS)]
    n = size(subject, drawn[0])
    if n < 4:
        return None
    larger = [split(subject, inputs, cut, dtype) for inputs in drawn for cut in sorted({2, n // 2})]
    alone = [split(subject, inputs, 1, dtype) for inputs in drawn]
    if not all(part.ok for part in (*larger, *alone)):
        return None
    for weights in ("sum", "mean"):
        if all(_follows(part, weights) for part in larger):
            return None if any(_follows(part, weights) for part in alone) else _small(subject, drawn[0], dtype, alone)
    return None


def _follows(part: Split, law: str) -> bool:
    return part.fits((1.0, 1.0) if law == "sum" else part.shares)


def _small(subject: Subject, inputs: Sequence[Any], dtype: torch.dtype, alone: Sequence[Split]) -> Split:
    """Three samples, one and two, if the fault shows there."""
    few = split(subject, take(subject, inputs, (0, 1, 2)), 1, dtype)
    return few if few.ok and not few.plain() else alone[0]


def _broken(subject: Subject, trial: Trial, dtype: torch.dtype) -> Finding:
    on_purpose = refused(trial)
    rows = evidence_of(subject, trial)
    if trial.error is not None:
        what = f"raises {type(trial.error).__name__}"
    else:
        what = f"gives {show(trial.value)}" if not trial.finite_value else "gives a gradient that is not finite"
    why, fix = ("the loss refuses it on purpose", "") if on_purpose else _cause(subject, trial, dtype)
    return finding(
        sys.modules[__name__],
        subject,
        severity="info" if _compares(subject, trial) else "warning" if on_purpose else "error",
        message=f"a batch of one {what}, whichever sample it holds; larger batches work",
        evidence=rows,
        why=why,
        fix=fix or "give it a value for one sample, or leave such a batch out: DataLoader(..., drop_last=True)",
        reproducer=reproduce(subject, tuple(_single(value) for value in trial.inputs)),
    )


def _compares(subject: Subject, trial: Trial) -> bool:
    """True for two views of a batch, without labels, that have a value but no number: their spread is what counts.

    Two views look like regression where their distance is most of it; then the name of the loss is believed. Returns
    that are standardised over a batch are such a spread as well. A mean over pairs of samples has none to go over.
    Two sets without partners have a spread each, and one sample has none.
    """
    if averages_pairs(subject, trial) or compares_two_sets(subject, trial):
        return True
    kinds = {subject.contract.arguments[index].kind for index in subject.contract.preds}
    views = kinds == {"embedding"} and len(subject.contract.preds) == 2 and subject.contract.target is None
    named = [subject.name, *(argument.name for argument in subject.contract.arguments)]
    return (views or any(SPREAD.search(name) for name in named)) and trial.error is None


class _Mend(TorchFunctionMode):
    """Runs a loss with one suspect replaced: `squeeze()` keeps the batch axis, or the spread of one value is 0."""

    def __init__(self, suspect: str) -> None:
        super().__init__()
        self.suspect = suspect

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if self.suspect == "squeeze" and name == "squeeze" and len(args) == 1 and not kwargs:
            return _keeping_batch(args[0])
        if self.suspect == "spread" and name in ("std", "var"):
            dim = kwargs.get("dim", args[1] if len(args) > 1 and not isinstance(args[1], bool) else None)
            return func(args[0], dim=dim, correction=0, keepdim=kwargs.get("keepdim", False))
        return func(*args, **kwargs)


def _keeping_batch(value: Tensor) -> Tensor:
    return value.reshape([length for axis, length in enumerate(value.shape) if axis == 0 or length != 1])


_CAUSES = {
    "squeeze": (
        "squeeze() drops the batch axis too when it has length 1; with an axis kept there, the fault is gone",
        "squeeze(-1) instead of squeeze()",
    ),
    "spread": (
        "std and var divide by n - 1, which is 0 here; divided by n, the fault is gone",
        "std(correction=0) or var(correction=0)",
    ),
}


def _cause(subject: Subject, trial: Trial, dtype: torch.dtype) -> tuple[str, str]:
    for suspect, (why, fix) in _CAUSES.items():
        mended = subject.run(trial.inputs, dtype=dtype, watch=_Mend(suspect))
        # The value is the witness: the slope of the root at a spread of 0 is another fault.
        if not subject.bridged and mended.ok and mended.finite_value:
            return why, fix
    return "", ""


def _changed(subject: Subject, part: Split) -> Finding:
    n, law = part.n, "sum" if _law_of_rest(subject, part) == "sum" else "mean"
    scale = (1.0, 1.0) if law == "sum" else (n, n - 1)
    expected = scale[0] * part.whole.value - scale[1] * part.second.value
    rows = {name: text for name, text in evidence_of(subject, part.whole).items() if not name.startswith("grad ")}
    rows["value"] = f"{rows['value']} for all {n}"
    rows["the last"] = f"{show(part.second.value)} for {n - 1}"
    rows["the first"] = f"{show(part.first.value)} alone, {show(expected)} by the {law} of the others"
    same_value = near(expected, part.first.value, tolerance(part.whole, part.first, part.second))
    if same_value:
        rows["grad alone"] = show(part.first.grad)
    why, fix = _cause_of_change(subject, part)
    what = "has another gradient" if same_value else "has another scale or meaning"
    return finding(
        sys.modules[__name__],
        subject,
        message=f"a batch of one {what} than in the {law} that all larger batches are",
        evidence=rows,
        why=why,
        fix=fix or "name the axis in every squeeze and every reduction",
        reproducer=_script(subject, part),
    )


def _law_of_rest(subject: Subject, part: Split) -> str:
    dtype = part.whole.inputs[part.whole.where].dtype
    return split(subject, subject.draw(0), 2, dtype).plain()


def _cause_of_change(subject: Subject, part: Split) -> tuple[str, str]:
    if subject.bridged:
        return "", ""
    dtype = part.whole.inputs[part.whole.where].dtype
    mended = subject.run(part.first.inputs, dtype=dtype, watch=_Mend("squeeze"))
    again = Split(part.whole, mended, part.second, part.cut, part.n)
    return _CAUSES["squeeze"] if again.ok and again.plain() else ("", "")


def _script(subject: Subject, part: Split) -> str:
    names = [argument.name for argument in subject.contract.arguments]
    rows = batched(subject.contract, part.whole.inputs)

    def call(index: str) -> str:
        return f"loss_fn({', '.join(f'{n}[{index}]' if row else n for n, row in zip(names, rows, strict=True))}).sum()"

    inputs = tuple(_single(value) for value in part.whole.inputs)
    return reproduce(subject, inputs, [f"print({call(index)})" for index in (":", ":1", "1:")])


def _single(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.dtype == torch.float64 else value
