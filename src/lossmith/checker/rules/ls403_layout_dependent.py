"""LS403 layout-dependent

What it checks
    Arguments with the same numbers in another order of memory (transposed, channels last) give the same value and the
    same gradient.

Why it matters
    A model ends in permute(), transpose() or a channels-last convolution, and what comes out is not contiguous. A loss
    that calls view() raises then, on the first batch of somebody else's model; torch says so, and it is only an info
    here. One that reads the memory itself gives another value without a word.

Example
    pred = pred.view(len(pred), -1)

Write instead
    pred = pred.reshape(len(pred), -1)

When to allow it
    The loss asks for contiguous inputs in its documentation.
"""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from lossmith.checker.batch import near_tensors, precise, same, tolerance
from lossmith.checker.evidence import evidence_of, finding, reproduce, show
from lossmith.checker.finding import Finding
from lossmith.checker.subject import Subject, Trial

CODE, NAME, SINCE = "LS403", "layout-dependent", "0.1"


def applies(subject: Subject) -> str:
    if subject.bridged:
        return "the bridge hands its framework an array of its own"
    if not any(_transposable(value) for value in subject.draw(0)):
        return "no argument has two axes longer than 1"
    return ""


def _transposable(value: Any) -> bool:
    return isinstance(value, Tensor) and sum(length > 1 for length in value.shape) > 1


def check(subject: Subject) -> Iterator[Finding]:
    inputs = subject.draw(0)
    dtype = precise(subject, inputs)
    before = subject.run(inputs, dtype=dtype)
    if not before.ok or not before.finite_grad:
        return
    arguments = [i for i, value in enumerate(inputs) if _transposable(value)]
    for chosen in [[i] for i in arguments] + [arguments] * (len(arguments) > 1):
        for given in _laid_out(inputs, chosen):
            after = subject.run(given, dtype=dtype)
            if what := _differs(before, after):
                yield _told(subject, chosen, before, after, what)
                return


def _laid_out(inputs: Sequence[Any], chosen: Sequence[int]) -> Iterator[tuple[Any, ...]]:
    """The same numbers with the first two axes swapped in memory, and with the second axis last."""
    yield tuple(_swapped(v, 0, 1) if i in chosen else v for i, v in enumerate(inputs))
    if any(inputs[i].ndim > 2 for i in chosen):
        yield tuple(_last(v) if i in chosen and v.ndim > 2 else v for i, v in enumerate(inputs))


def _swapped(value: Tensor, a: int, b: int) -> Tensor:
    return value.transpose(a, b).contiguous().transpose(a, b)


def _last(value: Tensor) -> Tensor:
    return value.movedim(1, -1).contiguous().movedim(-1, 1)


def _differs(before: Trial, after: Trial) -> str:
    if after.error is not None:
        return "raises"
    if not same(before, after):
        return "value"
    pairs = [(a, b) for a, b in zip(before.grads, after.grads, strict=True) if a is not None and b is not None]
    return "" if all(near_tensors(a, b, tolerance(before, after)) for a, b in pairs) else "gradient"


def _told(subject: Subject, chosen: Sequence[int], before: Trial, after: Trial, what: str) -> Finding:
    names = [subject.contract.arguments[i].name for i in chosen]
    shown = " and ".join(names)
    rows = {f"shape of {name}": str(tuple(after.inputs[i].shape)) for name, i in zip(names, chosen, strict=True)}
    rows |= {f"strides of {name}": str(after.inputs[i].stride()) for name, i in zip(names, chosen, strict=True)}
    rows["value when contiguous"] = show(before.value)
    if what == "raises":
        rows["raises"] = evidence_of(subject, after)["raises"]
        message = f"the loss raises {type(after.error).__name__} if {shown} is not contiguous in memory"
    else:
        rows[f"{what} otherwise"] = show(after.value if what == "value" else after.grad)
        message = f"the {what} changes if {shown} is not contiguous in memory, with the same numbers in it"
    return finding(
        sys.modules[__name__],
        subject,
        severity="info" if what == "raises" else "error",
        message=message,
        evidence=rows,
        fix="reshape() in place of view(), and no reading of storage, strides or data_ptr()",
        reproducer=_script(subject, chosen, after),
    )


def _script(subject: Subject, chosen: Sequence[int], after: Trial) -> str:
    names = [argument.name for argument in subject.contract.arguments]
    values = [v.float() if isinstance(v, Tensor) and v.is_floating_point() else v for v in after.inputs]
    lines: list[str] = []
    for i in chosen:
        order = sorted(range(values[i].ndim), key=lambda axis, i=i: -after.inputs[i].stride(axis))
        back = [order.index(axis) for axis in range(len(order))]
        lines.append(f"{names[i]} = {names[i]}.permute({order}).contiguous().permute({back})")
    call = f"loss_fn({', '.join(names)})"
    contiguous = tuple(v.contiguous() if isinstance(v, Tensor) else v for v in values)
    return reproduce(subject, contiguous, [f"print({call})", *lines, f"print({call})"])
