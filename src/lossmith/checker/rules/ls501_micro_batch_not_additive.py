"""LS501 micro-batch-not-additive

What it checks
    A batch is cut in two. If the total and the gradient of the whole are a weighted mean of those of the parts, the
    weights are the shares of the samples, and not of something that depends on the data.

Why it matters
    Gradient accumulation, data parallel training and a last batch that is not full all average over parts. A mean over
    the tokens that count, the positive pixels or the class weights of each part is another loss than the same mean
    over the whole: rare classes and short texts weigh more, and the result changes with the number of devices.

Example
    return (loss * mask).sum() / mask.sum()

Write instead
    return (loss * mask).sum(), mask.sum()      # add both over the parts, then divide once

When to allow it
    The loss is never averaged over parts, or their counts are about equal. A mean over what counts (the entries of a
    mask, valid labels, weights, positives) is a definition, and often the right one: it is information. A scale that
    comes from the predictions themselves is a warning.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from lossmith.checker.batch import Split, near, no_batch, orders, precise, size, split, take
from lossmith.checker.evidence import SkipRule, evidence_of, finding, reproduce, show
from lossmith.checker.finding import Finding
from lossmith.checker.ignored import ignored_label, with_ignored
from lossmith.checker.said import remembered
from lossmith.checker.subject import Subject

CODE, NAME, SINCE = "LS501", "micro-batch-not-additive", "0.1"


def applies(subject: Subject) -> str:
    if reason := no_batch(subject):
        return reason
    return "" if size(subject, subject.draw(0)) > 1 else "the example has a batch of one"


def check(subject: Subject) -> Iterator[Finding]:
    if held := remembered(subject, subject.draw(0)):
        raise SkipRule(f"its scale changes with what it remembers of earlier calls ({', '.join(held)}; LS607)")
    found: list[tuple[Split, tuple[float, float]]] = []
    for inputs in _batches(subject):
        dtype = precise(subject, inputs)
        for cut in _cuts(size(subject, inputs)):
            part = split(subject, inputs, cut, dtype)
            if not part.ok or part.plain():
                continue
            weights = part.weights()
            if weights is None:
                return  # samples interact: no weights explain the batch, and none are missing
            found.append((part, weights))
    if _varies(found):
        yield _told(subject, found)


def _batches(subject: Subject) -> Iterator[tuple[Any, ...]]:
    """Different data in different orders, with ignored labels where the loss speaks of them."""
    label = ignored_label(subject)
    for seed in range(3):
        inputs = subject.draw(seed)
        if label is not None:
            holed = with_ignored(subject, inputs, label, seed)
            inputs = holed if subject.run(holed).finite_value else inputs
        yield inputs
        for order in orders(size(subject, inputs), 2, seed):
            yield take(subject, inputs, order)


def _cuts(n: int) -> list[int]:
    return sorted({max(1, n // 3), n // 2})


def _varies(found: Sequence[tuple[Split, tuple[float, float]]]) -> bool:
    """True if parts of one size weigh differently with other data: then it is the data that they depend on."""
    by_cut: dict[int, list[float]] = {}
    for part, (weight, _) in found:
        by_cut.setdefault(part.cut, []).append(weight)
    return any(not near(max(weights), min(weights), 1e-4) for weights in by_cut.values())


def _told(subject: Subject, found: Sequence[tuple[Split, tuple[float, float]]]) -> Finding:
    part, (w, rest) = max(found, key=lambda pair: abs(pair[1][0] - pair[0].shares[0]))
    first, second = part.cut, part.n - part.cut
    rows = evidence_of(subject, part.whole)
    rows = {name: text for name, text in rows.items() if not name.startswith("grad ")}
    rows |= {
        f"value of the first {first}": show(part.first.value),
        f"value of the last {second}": show(part.second.value),
        "weights found": f"{w:.4g} and {rest:.4g}",
        "weights of a mean": f"{part.shares[0]:.4g} and {part.shares[1]:.4g}",
    }
    counts = _counts(subject, part, w)
    said = "it is a mean over what counts" if counts else "the parts of a batch weigh by their predictions"
    return finding(
        sys.modules[__name__],
        subject,
        severity="info" if counts else "warning",
        message=f"{said} and not over samples: of {part.n}, the first {first} and the last {second} weigh "
        f"{w:.3g} and {rest:.3g}, not {part.shares[0]:.3g} and {part.shares[1]:.3g}",
        evidence=rows,
        why=_cause(subject, found),
        fix="return the sum and the count, add both over the micro-batches, and divide once"
        if counts
        else "divide outside the loss, once for the whole batch",
        reproducer=_script(subject, part),
    )


def _counts(subject: Subject, part: Split, weight: float) -> bool:
    """True if other predictions leave the weight as it is: then it counts something in the other arguments."""
    pred = part.whole.where
    other = subject.draw(977)[pred]
    whole = part.whole.inputs
    if other.shape != whole[pred].shape:
        return False
    again = split(subject, (*whole[:pred], other, *whole[pred + 1 :]), part.cut, whole[pred].dtype)
    weights = again.weights() if again.ok else None
    return weights is not None and near(weights[0], weight, 1e-4)


def _cause(subject: Subject, found: Sequence[tuple[Split, tuple[float, float]]]) -> str:
    """What is counted, if its share is the weight in every case that was tried."""
    counts: tuple[tuple[str, Callable[[Tensor], Tensor]], ...] = (
        ("the entries of {} that are not 0", lambda value: (value != 0).sum()),
        ("the entries of {} above 0", lambda value: (value > 0).sum()),
        ("the entries of {} that are not negative", lambda value: (value >= 0).sum()),
        ("the entries of {} that are 0", lambda value: (value == 0).sum()),
        ("the sum of {}", lambda value: value.double().sum()),
    )
    for index, argument in enumerate(subject.contract.arguments):
        for text, count in counts:
            if index not in subject.contract.preds and all(_is_share(p, w[0], index, count) for p, w in found):
                return f"in all {len(found)} cases tried, each part weighs by {text.format(argument.name)}"
    return ""


def _is_share(part: Split, weight: float, index: int, count: Callable[[Tensor], Tensor]) -> bool:
    whole, first = part.whole.inputs[index], part.first.inputs[index]
    if not isinstance(whole, Tensor) or len(first) == len(whole):
        return False
    total = float(count(whole))
    return total != 0 and near(float(count(first)) / total, weight, 1e-4)


def _script(subject: Subject, part: Split) -> str:
    names = [argument.name for argument in subject.contract.arguments]
    pairs = list(zip(names, part.whole.inputs, part.first.inputs, strict=True))

    def call(rows: str) -> str:
        whole = [n if not isinstance(a, Tensor) or a.shape == b.shape else f"{n}[{rows}]" for n, a, b in pairs]
        return f"loss_fn({', '.join(whole)}).sum()"

    share = f"{part.cut} / {part.n}"
    mean = f"{share} * {call(f':{part.cut}')} + (1 - {share}) * {call(f'{part.cut}:')}"
    inputs = tuple(_single(value) for value in part.whole.inputs)
    return reproduce(subject, inputs, [f"print(loss_fn({', '.join(names)}).sum())", f"print({mean})"])


def _single(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.dtype == torch.float64 else value
