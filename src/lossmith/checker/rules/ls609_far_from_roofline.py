"""LS609 far-from-roofline

What it checks
    How many bytes forward and backward read and write, operation by operation, against the least that any code must:
    every argument read once, every gradient written once. Asked with --deep.

Why it matters
    A loss does little arithmetic on much data: memory is what it waits for. A Huber of ten operations moves fifteen
    times the bytes that one fused kernel moves, and costs as much more on large maps and vocabularies.

Example
    e = (pred - target).abs()
    return torch.where(e < d, 0.5 * e ** 2, d * (e - 0.5 * d)).mean()

Write instead
    loss_fn = torch.compile(loss_fn)      # or F.huber_loss, one kernel

When to allow it
    The loss is a small part of a step. It is information.
"""

import sys
from collections.abc import Iterator
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lossmith.checker.batch import no_batch
from lossmith.checker.evidence import SkipRule, finding
from lossmith.checker.finding import Finding
from lossmith.checker.growth import readable
from lossmith.checker.subject import Subject

CODE, NAME, SINCE = "LS609", "far-from-roofline", "0.1"
SAMPLES = 256
FAR, KERNELS = 8.0, 10


class Traffic(TorchDispatchMode):
    """Bytes that operations read and write; views move nothing, and an index reads what it picks."""

    def __init__(self) -> None:
        super().__init__()
        self.moved, self.kernels = 0, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        made = [value for value in tree_leaves(output) if isinstance(value, Tensor)]
        read = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        own = {value.untyped_storage().data_ptr() for value in read}
        if any(value.untyped_storage().data_ptr() not in own for value in made) or func._schema.is_mutable:
            written = sum(_size(value) for value in made)
            picks = any(word in func.__name__ for word in ("gather", "index", "nll_loss", "scatter"))
            self.moved += written + (written if picks else sum(_size(value) for value in read))
            self.kernels += 1
        return output


def _size(value: Tensor) -> int:
    """An axis that is only expanded is read once."""
    count = 1
    for length, stride in zip(value.shape, value.stride(), strict=True):
        count *= length if stride else 1
    return count * value.element_size()


def applies(subject: Subject) -> str:
    if subject.bridged:
        return "the operations of another framework are not seen"
    if subject.contract.draw is not None:
        return "the example has one batch size"
    if subject.contract.pred.kind in ("embedding", "unit"):
        return "its samples are compared: arithmetic, and not memory, may be what it waits for"
    return no_batch(subject) if subject.deep else "asked with --deep only"


def check(subject: Subject) -> Iterator[Finding]:
    inputs = subject.draw(1, SAMPLES)
    watch = Traffic()
    with watch:
        trial = subject.run(inputs)
    if not trial.ok:
        raise SkipRule("it does not take other batch sizes")
    least = sum(_size(value) for value in inputs if isinstance(value, Tensor))
    least += sum(_size(grad) for grad in trial.grads if grad is not None)
    if watch.moved <= FAR * least or watch.kernels <= KERNELS:
        return
    yield finding(
        sys.modules[__name__],
        subject,
        severity="info",
        message=f"forward and backward move {watch.moved / least:.0f} times the bytes that they must",
        evidence={
            "operations": str(watch.kernels),
            "moved": f"{readable(watch.moved)} for {SAMPLES} samples",
            "least": f"{readable(least)}: each argument once, each gradient once",
        },
        fix="torch.compile, or a fused function of torch",
    )
