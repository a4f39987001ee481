"""LS503 size-dependent-scale

What it checks
    The law by which a total follows the size of its inputs. Over samples it is a sum or a mean, and not a mean divided
    by their number again, or a sum multiplied by it; nor is one of its terms. Over the pixels or time steps of a sample
    it is a mean, or a sum that the loss says; and not a mean that is divided once more. What keras calls returns no sum
    over the batch that nothing says. A divergence is not divided by
    the number of classes.

Why it matters
    A mean divided by the batch size again makes the gradient shrink with the batch, so that a larger batch learns
    slower. A sum over pixels makes the learning rate right for one image size and wrong for the next.

Example
    return F.mse_loss(pred, target) / pred.shape[0]
    return F.l1_loss(pred, target, reduction="none").sum((1, 2, 3)).mean()

Write instead
    return F.mse_loss(pred, target)

When to allow it
    The scale is part of the method: a likelihood that is summed over a sample (then say "sum" in its documentation).
"""

import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.batch import Split, no_batch, precise, size, split
from lossmith.checker.comparing import normalises_a_table
from lossmith.checker.contract import target_first
from lossmith.checker.evidence import SkipRule, evidence_of, finding, reproduce, show
from lossmith.checker.finding import Finding, Severity
from lossmith.checker.guessed import holds_on_points
from lossmith.checker.known import is_shipped
from lossmith.checker.sample import batched
from lossmith.checker.signature import source_of
from lossmith.checker.subject import Subject, Trial

CODE, NAME, SINCE = "LS503", "size-dependent-scale", "0.1"
SEEDS = 3
COPIES = (1, 2, 3, 5)
# A loss that says one of these sums on purpose.
SUMS = re.compile(r"\bsum(s|med|mation)?\b|likelihood|nll|elbo|vae|total.?variation|\btv\b|log_?prob|batchmean", re.I)


def applies(subject: Subject) -> str:
    if reason := no_batch(subject):
        return reason
    return "" if size(subject, subject.draw(0)) > 2 else "the example has fewer than three samples"


def check(subject: Subject) -> Iterator[Finding]:
    usual = subject.run(subject.draw(0), grad=False)
    if any("batchmean" in text for text in usual.warned) and not is_shipped(subject):
        yield _of_a_divergence(subject, usual)
        return
    dtype = precise(subject, subject.draw(0))
    drawn = [subject.draw(seed) for seed in range(SEEDS)]
    n = size(subject, drawn[0])
    parts = [split(subject, inputs, cut, dtype) for inputs in drawn for cut in sorted({1, n // 2, n - 1})]
    if not all(part.ok for part in parts) or any(part.whole.value == 0 for part in parts):
        return
    if all(_squared(part) for part in parts):
        yield _of_batch(subject, parts[0], "is a mean that is divided by the number of samples once more", 2)
    elif all(_multiplied(part) for part in parts):
        yield _of_batch(subject, parts[0], "is a sum that is multiplied by the number of samples", 0)
    elif all(part.fits(part.shares) for part in parts):
        for found in _inside(subject, drawn, dtype):
            if holds_on_points(subject, _keeps_its_scale):
                raise SkipRule("it holds on sets of points, and that it takes images was guessed")
            yield found
    elif _sums_for_keras(subject) and all(part.fits((1.0, 1.0)) for part in parts):
        yield _of_keras(subject, parts[0])
    elif (values := _part_fades(subject, drawn, dtype)) is not None:
        table = abs(values[-1] * COPIES[-1] - values[0]) < 1e-6 * abs(values[0]) and normalises_a_table(subject)
        yield _of_a_part(subject, drawn[0], values, "info" if table else "warning")


def _sums_for_keras(subject: Subject) -> bool:
    """One number for a loss that keras calls: it averages values of samples, and what is summed stays summed."""
    names = subject.parameters[:2]
    if subject.framework not in ("keras", "tensorflow") or len(names) < 2 or not target_first(*names):
        return False
    chosen = getattr(subject.loss, "reduction", "") == "sum" or is_shipped(subject)
    output = subject.run(subject.draw(0), grad=False).output
    return not chosen and not _says_sum(subject) and output is not None and output.numel() == 1


def _of_keras(subject: Subject, part: Split) -> Finding:
    return finding(
        sys.modules[__name__],
        subject,
        severity="warning",
        message="it is one number, a sum over the batch: twice the samples double it, and keras cannot average it",
        trial=part.whole,
        why="keras takes the mean of what a loss returns: of one value a sample, and not of their sum",
        fix="return one value a sample: sum or average over the last axes alone, axis=-1",
    )


def _keeps_its_scale(subject: Subject) -> bool:
    drawn = [subject.draw(seed) for seed in range(SEEDS)]
    return next(_inside(subject, drawn, precise(subject, drawn[0])), None) is None


def _part_fades(subject: Subject, drawn: Sequence[tuple[Any, ...]], dtype: torch.dtype) -> list[float] | None:
    """The values of copies of a batch side by side, if they are a + b / copies: a mean, and a term that fades."""
    found: list[list[float]] = []
    for inputs in drawn:
        rows = batched(subject.contract, inputs)
        values: list[float] = []
        for copies in COPIES:
            many = [torch.cat([value] * copies) if row else value for value, row in zip(inputs, rows, strict=True)]
            values.append(subject.run(many, dtype=dtype, grad=False).value)
        shares = [1 - 1 / copies for copies in COPIES[1:]]
        fading = [(values[0] - value) / share for value, share in zip(values[1:], shares, strict=True)]  # b, from each
        if not abs(fading[0]) > 1e-3 * abs(values[0]):
            return None
        if not all(abs(b - fading[0]) < 1e-6 * abs(fading[0]) for b in fading):
            return None
        found.append(values)
    return found[0]


def _of_a_part(subject: Subject, inputs: Sequence[Any], values: Sequence[float], severity: Severity) -> Finding:
    names = [argument.name for argument in subject.contract.arguments]
    rows = batched(subject.contract, inputs)
    twice = ", ".join(f"torch.cat([{n}, {n}])" if row else n for n, row in zip(names, rows, strict=True))
    return finding(
        sys.modules[__name__],
        subject,
        severity=severity,
        message="one term of the total is a mean that is divided by the number of samples once more",
        evidence={f"value of {k} copies of a batch": show(value) for k, value in zip(COPIES, values, strict=True)},
        why="copies of a batch change no mean: the values are a + b / copies, exactly",
        fix="divide each term by the number of samples once",
        reproducer=reproduce(subject, inputs, [f"print(loss_fn({', '.join(names)}).sum(), loss_fn({twice}).sum())"]),
    )


def _of_a_divergence(subject: Subject, trial: Trial) -> Finding:
    return finding(
        sys.modules[__name__],
        subject,
        severity="warning",
        message="the divergence is divided by the number of classes too: torch's mean of kl_div is none of divergences",
        trial=trial,
        why="torch itself warns of it: 'batchmean' divides by the batch size alone, and aligns with the definition",
        fix='kl_div(..., reduction="batchmean")',
    )


def _squared(part: Split) -> bool:
    return not part.plain() and part.fits((part.shares[0] ** 2, part.shares[1] ** 2))


def _multiplied(part: Split) -> bool:
    return not part.plain() and part.fits((1 / part.shares[0], 1 / part.shares[1]))


def _of_batch(subject: Subject, part: Split, what: str, power: int) -> Finding:
    rows = {k: v for k, v in evidence_of(subject, part.whole).items() if not k.startswith("grad ")}
    first, second = part.cut, part.n - part.cut
    rows |= {
        f"value of the first {first}": show(part.first.value),
        f"value of the last {second}": show(part.second.value),
    }
    law = f"({first}/{part.n})^2 and ({second}/{part.n})^2" if power else f"{part.n}/{first} and {part.n}/{second}"
    rows["weights that fit"] = law
    return finding(
        sys.modules[__name__],
        subject,
        severity="error",
        message=f"the total {what}: its scale depends on the batch size",
        evidence=rows,
        why="these weights of the two parts explain value and gradient of the whole, for every cut that was tried",
        fix="divide by the number of samples once" if power else "do not multiply by the number of samples",
        reproducer=_script(subject, part),
    )


def _script(subject: Subject, part: Split) -> str:
    names = [argument.name for argument in subject.contract.arguments]
    twice = ", ".join(
        f"torch.cat([{n}, {n}])" if isinstance(a, Tensor) and a.shape != b.shape else n
        for n, a, b in zip(names, part.whole.inputs, part.first.inputs, strict=True)
    )
    inputs = tuple(v.float() if isinstance(v, Tensor) and v.is_floating_point() else v for v in part.whole.inputs)
    return reproduce(subject, inputs, [f"print(loss_fn({', '.join(names)}).sum(), loss_fn({twice}).sum())"])


def _inside(subject: Subject, drawn: Sequence[tuple[Any, ...]], dtype: torch.dtype) -> Iterator[Finding]:
    """A mean over samples, every sample of which is scaled by its own size."""
    for axis in _axes(subject):
        ratios: list[float] = []
        for inputs in drawn:
            before, after = subject.run(inputs, dtype=dtype), subject.run(_tiled(subject, inputs, axis), dtype=dtype)
            if not before.ok or not after.finite_value or before.value == 0:
                break
            ratios.append(after.value / before.value)
        if len(ratios) < SEEDS:
            continue
        for factor, what in ((0.5, "is divided once more"), (2.0, "grows")):
            if all(abs(ratio - factor) < 1e-6 * factor for ratio in ratios) and not (factor > 1 and _says_sum(subject)):
                yield _of_axis(subject, drawn[0], axis, what, ratios[0], dtype)
                return
        grown = not _says_sum(subject) and all(_grows(subject, inputs, axis, dtype) for inputs in drawn)
        if grown and not all(abs(ratio - 1) < 0.1 for ratio in ratios):
            yield _of_axis(subject, drawn[0], axis, "grows", sum(ratios) / len(ratios), dtype)
            return


def _grows(subject: Subject, inputs: tuple[Any, ...], axis: str, dtype: torch.dtype) -> bool:
    """True if it follows the length on a straight line: a sum, of which the border (a filter, a difference) is left."""
    sizes = [inputs]
    for _ in range(3):
        sizes.append(_tiled(subject, sizes[-1], axis))
    values = [subject.run(each, dtype=dtype, grad=False).value for each in sizes]
    steps = [after - before for before, after in pairwise(values)]
    straight = all(abs(after - 2 * before) < 1e-6 * abs(after) for before, after in pairwise(steps))
    return straight and steps[0] > 0.5 * abs(values[0])


def _axes(subject: Subject) -> list[str]:
    return [name for name in subject.contract.pred.domain.axes if name in ("H", "W", "T")]


def _tiled(subject: Subject, inputs: Sequence[Any], axis: str) -> tuple[Any, ...]:
    """Every argument that has the axis twice as long, with the same numbers again."""
    arguments = zip(subject.contract.arguments, inputs, strict=True)
    return tuple(
        torch.cat([value, value], list(a.domain.axes).index(axis)) if axis in a.domain.axes else value
        for a, value in arguments
    )


def _says_sum(subject: Subject) -> bool:
    """True if its name, documentation, comments or settings speak of a sum; a call of sum() in the code does not."""
    loss: Any = subject.loss
    thing = loss if inspect.isroutine(loss) else type(loss)
    if subject.settings.get("reduction", getattr(loss, "reduction", "")) in ("sum", "batchmean"):
        return True
    comments = " ".join(re.findall(r"#[^\n]*", source_of(thing)))
    documented = f"{inspect.getdoc(thing) or ''} {inspect.getdoc(getattr(thing, 'forward', None)) or ''}"
    return SUMS.search(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", f"{subject.name} {comments} {documented}")) is not None


def _of_axis(
    subject: Subject, inputs: Sequence[Any], axis: str, what: str, ratio: float, dtype: torch.dtype
) -> Finding:
    before, after = subject.run(inputs, dtype=dtype), subject.run(_tiled(subject, inputs, axis), dtype=dtype)
    place = list(subject.contract.pred.domain.axes).index(axis)
    length = before.inputs[before.where].shape[place]
    called = {"H": "height", "W": "width", "T": "number of steps"}[axis]
    return finding(
        sys.modules[__name__],
        subject,
        severity="warning",
        message=f"the total is a mean over samples, but {what} inside each: by {ratio:g} for twice the {called}",
        evidence={
            f"shape of {subject.contract.pred.name}": str(tuple(before.inputs[before.where].shape)),
            f"value for {called} {length}": show(before.value),
            f"value for {called} {2 * length}, the same twice": show(after.value),
        },
        fix=f"take the mean over the {called} too, once; or say in the documentation that a sample is summed",
        reproducer=_axis_script(subject, inputs, axis),
    )


def _axis_script(subject: Subject, inputs: Sequence[Any], axis: str) -> str:
    names = [argument.name for argument in subject.contract.arguments]
    twice = ", ".join(
        f"torch.cat([{a.name}, {a.name}], {list(a.domain.axes).index(axis)})" if axis in a.domain.axes else a.name
        for a in subject.contract.arguments
    )
    return reproduce(subject, inputs, [f"print(loss_fn({', '.join(names)}).sum(), loss_fn({twice}).sum())"])
