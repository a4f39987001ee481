"""LS608 superlinear-memory

What it checks
    How the peak memory of a call, with what is saved for the backward, grows with the batch size: as a polynomial in
    bytes, measured at five small sizes; and whether a batch of up to 2048 still lies on it, unless the loss loops over
    its samples.

Why it matters
    A loss without any relation between samples needs memory in proportion to them; a table of all pairs behind it is
    waste, and mostly a broadcast that nobody meant. A loss that compares samples needs its table of pairs, and then it
    is good to know that the table has 20 bytes for each pair: 21 GB at 32768 samples.

Example
    similar = a @ b.T
    return 1 - similar.diagonal().mean()

Write instead
    return 1 - (a * b).sum(1).mean()

When to allow it
    Batches stay small. Where samples are compared it is an info, and chunks or checkpointing help.
"""

import sys
from collections.abc import Iterator

from lossmith.checker.batch import no_batch, precise, split
from lossmith.checker.evidence import SkipRule, finding
from lossmith.checker.finding import Finding
from lossmith.checker.growth import Growth, growth, readable
from lossmith.checker.subject import Subject
from lossmith.checker.terms import with_all_terms

CODE, NAME, SINCE = "LS608", "superlinear-memory", "0.1"
LARGE = 32768


def applies(subject: Subject) -> str:
    if subject.bridged:
        return "the memory of another framework is not seen"
    if subject.contract.draw is not None:
        return "the example has one batch size"
    return no_batch(subject)


def check(subject: Subject) -> Iterator[Finding]:
    found = growth(subject)
    if found is None:
        raise SkipRule("it does not take other batch sizes, or its memory follows no polynomial")
    if found.order < 2 or found.bounded:
        return
    yield _told(subject, found, _by_sample(with_all_terms(subject)))


def _by_sample(subject: Subject) -> bool:
    """True if the samples have nothing to do with each other: every cut of the batch fits a sum or a mean."""
    inputs = [subject.draw(seed) for seed in range(2)]
    dtype = precise(subject, inputs[0])
    parts = [split(subject, each, cut, dtype) for each in inputs for cut in (2, 3)]
    return all(part.ok and part.plain() for part in parts)


def _told(subject: Subject, found: Growth, by_sample: bool) -> Finding:
    terms = [
        f"{c:.3g} B{f' N^{k}' if k > 1 else ' N' if k else ''}" for k, c in enumerate(found.coefficients) if c >= 0.5
    ]
    rows = {
        "peak": " + ".join(reversed(terms)),
        f"at N = {LARGE}": readable(found.at(LARGE)),
        "largest tensor": f"{found.operation}, of shape {found.shape} at N = 60",
    }
    meaning = "samples that have nothing to do with each other" if by_sample else "samples that are compared"
    return finding(
        sys.modules[__name__],
        subject,
        severity="warning" if by_sample else "info",
        message=f"memory grows with N^{found.order}, for {meaning}: {readable(found.at(LARGE))} at N = {LARGE}",
        evidence=rows,
        fix="compute each sample's own value only: (a * b).sum(1) in place of (a @ b.T).diagonal()"
        if by_sample
        else "compare a chunk of rows at a time, with torch.utils.checkpoint around each",
        line=found.line,
    )
