"""LS502 batch-coupled

What it checks
    A batch is cut in two. Here no weights explain the total and the gradient of the whole by those of its parts: what
    one sample contributes depends on which others are in its batch.

Why it matters
    A Dice over the batch, a contrastive loss, a ranking or a root of a mean is another loss for another batch size.
    Gradient accumulation over K small batches does not give the gradient of one large batch, however it is scaled, and
    data parallel training compares each device's samples with its own only.

Example
    p, t = pred.sigmoid(), target
    return 1 - 2 * (p * t).sum() / (p.sum() + t.sum())

Write instead
    dims = tuple(range(1, p.ndim))
    return (1 - 2 * (p * t).sum(dims) / (p.sum(dims) + t.sum(dims))).mean()

When to allow it
    Samples are compared on purpose. It is information, but where a slip shows how it came about: pred[:, index], which
    takes the entry of each sample from all of them; a softmax along the batch, where each sample stands alone as soon
    as it runs along the classes. Losses of embeddings are not asked.
"""

import sys
from collections.abc import Iterator

from lossmith.checker.batch import Split, interact, no_batch, size, splits
from lossmith.checker.counted import picked_for_all
from lossmith.checker.evidence import evidence_of, finding, reproduce, show
from lossmith.checker.finding import Finding
from lossmith.checker.sample import batched
from lossmith.checker.subject import Subject
from lossmith.checker.turned import Along, along_the_batch

CODE, NAME, SINCE = "LS502", "batch-coupled", "0.1"
SEEDS = 3


def applies(subject: Subject) -> str:
    if reason := no_batch(subject):
        return reason
    if subject.contract.pred.kind in ("embedding", "unit"):
        return "its samples are compared with each other: that is what it takes"
    return "" if size(subject, subject.draw(0)) > 3 else "the example has fewer than four samples"


def check(subject: Subject) -> Iterator[Finding]:
    parts = splits(subject, SEEDS)
    if interact(parts):  # one draw without an explanation is no proof of a law
        yield _told(subject, max(parts, key=_bias), picked_for_all(subject), along_the_batch(subject))


def _bias(part: Split) -> float:
    """How far the mean over two parts lies from the whole, relative to it."""
    whole = part.whole.value
    return min(abs(_mean(part) - whole), abs(part.first.value + part.second.value - whole)) / (abs(whole) + 1e-12)


def _mean(part: Split) -> float:
    return part.shares[0] * part.first.value + part.shares[1] * part.second.value


def _told(subject: Subject, part: Split, picked: tuple[int, str] | None, along: Along | None) -> Finding:
    rows = {name: text for name, text in evidence_of(subject, part.whole).items() if not name.startswith("grad ")}
    rows |= {
        f"value of the first {part.cut}": show(part.first.value),
        f"value of the last {part.n - part.cut}": show(part.second.value),
        "their mean": show(_mean(part)),
    }
    names = [argument.name for argument in subject.contract.arguments]
    has = batched(subject.contract, part.whole.inputs)

    def call(rows: str) -> str:
        given = [f"{name}[{rows}]" if row else name for name, row in zip(names, has, strict=True)]
        return f"print(loss_fn({', '.join(given)}).sum())"

    message = "samples of a batch interact: accumulated over micro-batches it is another loss, "
    message += f"here {_bias(part):.1%} off for two"
    fix = "reduce over each sample first, then average; or keep the batch whole"
    if picked is not None:
        name, pred = names[picked[0]], subject.contract.pred.name
        message = f"each entry of {name} is taken from every sample: {pred}[:, {name}] has a column for each sample"
        fix = f"{pred}[torch.arange(len({name})), {name}], or {pred}.gather(1, {name}[:, None])"
    elif along is not None:
        message = f"{along.name} runs along the batch: what a sample costs depends on the others"
        fix = f"{along.name} along the last axis, dim=-1: then no sample depends on another"
    return finding(
        sys.modules[__name__],
        subject,
        severity="info" if picked is None and along is None else "warning",
        message=message,
        evidence=rows,
        why=f"no weights for the parts explain the value and the gradient of the whole, in {2 * SEEDS} cuts",
        fix=fix,
        line=picked[1] if picked else along.line if along else "",
        reproducer=reproduce(subject, part.whole.inputs, [call(":"), call(f":{part.cut}"), call(f"{part.cut}:")]),
    )
