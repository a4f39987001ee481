"""LS506 order-dependent

What it checks
    Putting the samples of a batch in another order, all arguments alike, leaves the total as it is and puts the
    gradient in the same order. It is asked only of arguments whose first axis is declared or inferred as the batch N,
    and not of a sum that runs along rows which the caller has sorted: it takes no time to sort by.

Why it matters
    The order of a batch is an accident of the data loader. A loss that depends on it rewards some places of the batch
    more than others, and mostly means an index that is off: a target read from the neighbour, a row used as a
    reference, a state that is carried from one row to the next.

Example
    return (pred - target).square().cumsum(0).mean()

Write instead
    return (pred - target).square().mean()

When to allow it
    The first axis is time and not the batch; then say so: --pred 'real[T]'. A batch of several views of the same
    samples, one after another, is not reported, nor a series that the loss also takes a batch of.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from lossmith.checker.batch import near_tensors, no_batch, orders, precise, same, size, take, tolerance
from lossmith.checker.evidence import SkipRule, evidence_of, finding, reproduce, show
from lossmith.checker.finding import Finding
from lossmith.checker.guessed import holds_on_images
from lossmith.checker.places import is_a_series, views
from lossmith.checker.said import own_generators, said_to_draw
from lossmith.checker.signature import source_of
from lossmith.checker.subject import Subject, Trial

CODE, NAME, SINCE = "LS506", "order-dependent", "0.1"
NEIGHBOURS = re.compile(r"\.roll\(|\broll\(|\[::-1\]|\.flip\(0\)")
DRAWS = re.compile(r"rand|PRNGKey|random\.|normal\(|default_rng|Generator\(")
TIMES = re.compile(r"time|duration|surv|^t$")


def applies(subject: Subject) -> str:
    if len(subject.contract.arguments) == 1 and subject.contract.origin == "inferred":
        return "it takes one array, and nothing says that its first axis is a batch"
    if reason := no_batch(subject):
        return reason
    if _is_ordered(subject):
        return "it runs along rows that its caller has sorted, or pairs each with its neighbour"
    return "" if size(subject, subject.draw(0)) > 1 else "the example has a batch of one"


def _is_ordered(subject: Subject) -> bool:
    """The name says so; or its code runs along the batch, and nothing that it takes could be sorted by: no time."""
    source = source_of(subject.loss)
    if NEIGHBOURS.search(source) and subject.contract.pred.kind in ("embedding", "unit"):
        return True
    along = re.search(r"logcumsumexp|sorted", f"{subject.name} {source}") is not None
    return along and not any(TIMES.search(argument.name.lower()) for argument in subject.contract.arguments)


def check(subject: Subject) -> Iterator[Finding]:
    for seed in range(2):
        inputs = subject.draw(seed)
        dtype = precise(subject, inputs)
        if drawn := own_generators(subject, inputs):
            raise SkipRule(
                f"it draws from a generator of its own ({', '.join(drawn)}), for each place in the batch (LS607)"
            )
        for order in orders(size(subject, inputs), 3, seed):
            if what := _differs(subject, inputs, order, dtype):
                if holds_on_images(subject, _follows_any_order):
                    raise SkipRule("it holds on images, and that the loss takes anything else was guessed")
                if parts := views(subject, dtype):
                    raise SkipRule(f"a batch holds {parts} views of its samples, one after another")
                if is_a_series(subject):
                    raise SkipRule("it takes a batch of such rows, so what was guessed to be a batch is one sample")
                yield _told(subject, inputs, order, dtype, what)
                return


def _differs(subject: Subject, inputs: Sequence[Any], order: Sequence[int], dtype: torch.dtype) -> str:
    """Which does not follow the new order, the `total` or a `gradient`; empty if both do."""
    before, after = _both(subject, inputs, order, dtype)
    if not before.ok or not after.ok or not before.finite_value or not before.finite_grad:
        return ""
    if not same(before, after):
        return "total"
    pairs = [(a, b) for a, b in zip(before.grads, after.grads, strict=True) if a is not None and b is not None]
    relative = tolerance(before, after)
    return "" if all(near_tensors(a[list(order)], b, relative) for a, b in pairs) else "gradient"


def _follows_any_order(subject: Subject) -> bool:
    inputs = subject.draw(0)
    dtype = precise(subject, inputs)
    return not any(_differs(subject, inputs, order, dtype) for order in orders(size(subject, inputs), 2, 0))


def _both(subject: Subject, inputs: Sequence[Any], order: Sequence[int], dtype: torch.dtype) -> tuple[Trial, Trial]:
    return subject.run(inputs, dtype=dtype), subject.run(take(subject, inputs, order), dtype=dtype)


def _told(subject: Subject, inputs: Sequence[Any], order: Sequence[int], dtype: torch.dtype, what: str) -> Finding:
    pair = [1, 0]
    few = take(subject, inputs, (order[0], order[-1]))
    if size(subject, inputs) > 2 and _differs(subject, few, pair, dtype) == what:
        inputs, order = few, pair
    before, after = _both(subject, inputs, order, dtype)
    name = subject.contract.arguments[before.where].name
    rows = evidence_of(subject, before) | {"new order": str(list(order)), "value then": show(after.value)}
    if what == "total":
        change = f"the total depends on the order of the samples: {show(before.value)} becomes {show(after.value)}"
    else:
        change = "the gradient does not follow its sample when the batch is put in another order"
        rows[f"grad {name} then"] = show(after.grad)
    return finding(
        sys.modules[__name__],
        subject,
        severity="info" if DRAWS.search(source_of(subject.loss)) and said_to_draw(subject) else "error",
        message=change,
        evidence=rows,
        fix="treat all rows alike: no single row as a reference, no sum or state that runs along the batch",
        reproducer=_script(subject, inputs, order, what),
    )


def _script(subject: Subject, inputs: Sequence[Any], order: Sequence[int], what: str) -> str:
    names = [argument.name for argument in subject.contract.arguments]
    whole = take(subject, inputs, order)
    moved = [f"{n}[order]" if a is not b else n for n, a, b in zip(names, inputs, whole, strict=True)]
    calls = [f"loss_fn({', '.join(names)})", f"loss_fn({', '.join(moved)})"]
    lines = [f"order = {list(order)}"]
    if what == "total":
        return reproduce(subject, inputs, [*lines, *(f"print({call}.sum())" for call in calls)])
    pred = subject.contract.pred.name
    lines.append(f"{pred}.requires_grad_()")
    lines += [f"print(torch.autograd.grad({calls[0]}.sum(), {pred})[0][order])"]
    shuffled = calls[1].replace(f"{pred}[order]", f"{pred}_then", 1)
    lines += [f"{pred}_then = {pred}[order].detach().requires_grad_()"]
    return reproduce(subject, inputs, [*lines, f"print(torch.autograd.grad({shuffled}.sum(), {pred}_then)[0])"])
