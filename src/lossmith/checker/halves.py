"""What a failure in float16 or bfloat16 says of a loss: that it leaves the range, or that a guard of it is too small.

Nearly every guard that is right in float32 (`+ 1e-8`, `clamp(max=1 - 1e-7)`) is 0 or 1 in half precision, and most
losses are called in float32: under autocast torch itself takes logarithms, powers, exponentials and sums there. So
what vanishes is held against a loss only if it says that it runs in half precision. So is what overflows there; a
product that overflows does so under autocast, too.
"""

import re
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lossmith.checker.faults import Fault
from lossmith.checker.signature import source_of
from lossmith.checker.subject import Subject

NAMED = re.compile(r"(?<![a-z])half(?![a-z])", re.I)
MEANT = re.compile(
    r"\.half\(|torch\.half\b|half[ _-]precision|(?:in|to|with) half\b|b?fp16|b?float16|autocast|(?<![a-z])amp(?![a-z])|"
    r"mixed[ _-]precision|16[ _-]bit",
    re.I,
)


def meant_for_half(subject: Subject) -> bool:
    """True if its name or its code speaks of half precision."""
    return (
        NAMED.search(subject.name) is not None or MEANT.search(f"{subject.name} {source_of(subject.loss)}") is not None
    )


_AT_ZERO = ("log", "div", "true_divide", "reciprocal", "rsqrt", "pow")
# Autocast takes exponentials, powers, logarithms and sums to float32 by itself; these stay in half precision.
_PRODUCTS = ("mul", "square", "mm", "bmm", "addmm", "baddbmm", "matmul", "dot", "add", "sub", "rsub", "scalar_tensor")


class FirstOverflow(TorchDispatchMode):
    """`overflowed` is true if the first result that is not finite came of finite numbers, and not at a 0.

    What mixed precision computes in float32 anyway does not count.
    """

    def __init__(self) -> None:
        super().__init__()
        self.overflowed: bool | None = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        if self.overflowed is None and any(not bool(torch.isfinite(v).all()) for v in _floats(output)):
            given = _floats((args, kwargs))
            finite = all(bool(torch.isfinite(v).all()) for v in given)
            at_zero = func.__name__.startswith(_AT_ZERO) and any(bool((v == 0).any()) for v in given)
            self.overflowed = finite and not at_zero and func.__name__.partition(".")[0].rstrip("_") in _PRODUCTS
        return output


def _floats(values: Any) -> list[Tensor]:
    leaves: list[Any] = tree_leaves(values)
    return [v for v in leaves if isinstance(v, Tensor) and v.is_floating_point() and v.numel()]


def overflows(subject: Subject, fault: Fault) -> bool:
    """True if the value is lost where a product grows beyond the range, under autocast too."""
    if fault.what != "value" or subject.bridged:  # across a bridge nothing is seen of where: a guard of 0 has to do
        return fault.what == "value" and not fault.condition.degenerate
    watch = FirstOverflow()
    subject.run(fault.trial.inputs, grad=False, watch=watch)
    return watch.overflowed is True
