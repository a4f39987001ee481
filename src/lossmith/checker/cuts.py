"""Where the way from the prediction to the value leaves autograd, found by interfering with it.

Two tests, so that a call is named only if it matters. `Connected` lets the loss run as if detach(), .data and
no_grad() were not there: a gradient that appears then was cut by them. `Tampered` changes what one suspicious call
returned (a number from item(), an index from argmax()): if the value changes, it depends on that call.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from lossmith.checker.accelerators import name_of
from lossmith.checker.subject import Subject, Trial
from lossmith.checker.watch import _inside_function, user_line

QUIET = "no_grad"
DETACHING = ("detach", "detach_", "data")
LEAVING = ("numpy", "__array__", "item", "tolist", "__float__", "__int__", "__bool__", "tensor")
ADDED = ("item", "__float__", "numpy", "tensor", *DETACHING)
FLAT = (
    *("argmax", "argmin", "argsort", "topk", "one_hot", "nonzero", "count_nonzero", "bucketize", "searchsorted"),
    *("round", "sign", "sgn", "floor", "ceil", "trunc", "heaviside", "floor_divide", "__floordiv__", "isclose"),
    *("gt", "lt", "ge", "le", "eq", "ne", "__gt__", "__lt__", "__ge__", "__le__", "__eq__", "__ne__"),
    *("long", "int", "bool"),
)
_COMPARISONS = {"gt": ">", "lt": "<", "ge": ">=", "le": "<=", "eq": "==", "ne": "!="}
_SHOWN = {"__array__": "numpy()", "data": ".data", "__float__": "float()", "__int__": "int()", "__bool__": "bool()",
          "__floordiv__": "//", "tensor": "torch.tensor()", QUIET: "no_grad()"}  # fmt: skip


@dataclass(frozen=True)
class Cut:
    """One call that leaves autograd, or whose derivative is 0, with the user's line."""

    name: str
    line: str

    @property
    def shown(self) -> str:
        bare = self.name.strip("_")
        return _SHOWN.get(self.name) or (f"`{_COMPARISONS[bare]}`" if bare in _COMPARISONS else f"{bare}()")

    @property
    def repair(self) -> str:
        """One line that mends it."""
        bare = self.name.strip("_")
        if self.name in (*DETACHING, QUIET):
            return f"compute this part without {self.shown}, so that autograd sees it"
        if bare in ("argmax", "argmin", "topk", "argsort"):
            return f"use softmax weights in place of {self.shown}: an index has no derivative"
        if bare in _COMPARISONS or bare in ("heaviside", "sign", "sgn", "bucketize", "searchsorted", "isclose"):
            return f"use a smooth step such as sigmoid in place of {self.shown}"
        if bare in ("numpy", "array", "item", "tolist", "float", "int", "bool", "tensor"):
            return f"compute it with torch operations on the prediction itself, without {self.shown}"
        return f"leave {self.shown} out of the way from the prediction to the value: its derivative is 0"


class Connected(TorchFunctionMode):
    """Calls go on as if detach(), .data and no_grad() were not there; `removed` lists what was left out."""

    def __init__(self, file: str = "") -> None:
        super().__init__()
        self.file = file
        self.removed: list[Cut] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = name_of(func)
        if _inside_function():
            return func(*args, **(kwargs or {}))
        if name in DETACHING and args and isinstance(args[0], Tensor):
            self.removed.append(Cut(name, user_line(self.file)))
            return args[0]
        if torch.is_grad_enabled() or name == "_set_grad_enabled":  # how a no_grad block ends
            return func(*args, **(kwargs or {}))
        self.removed.append(Cut(QUIET, user_line(self.file)))
        with torch.enable_grad():
            return func(*args, **(kwargs or {}))


@dataclass
class Tampered(TorchFunctionMode):
    """Lists the suspicious calls; changes the result of the one at position `which`."""

    file: str = ""
    which: int = -1
    calls: list[Cut] = field(default_factory=list[Cut])

    def __post_init__(self) -> None:
        super().__init__()

    def __hash__(self) -> int:
        return id(self)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = name_of(func)
        term = name in DETACHING and isinstance(result, Tensor) and result.ndim == 0  # of a sum, and no array of values
        if not (term or name in LEAVING + FLAT) or _inside_function() or not (line := user_line(self.file)):
            return result
        if name == "tensor" and not _holds_tensor(args):
            return result
        self.calls.append(Cut(name, line))
        return changed(result) if len(self.calls) == self.which + 1 else result


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_holds_tensor(item) for item in value)
    return isinstance(value, Tensor)


def changed(value: Any) -> Any:
    """Another value of the same type, shape and range."""
    if isinstance(value, Tensor):
        if value.dtype == torch.bool:
            return ~value
        if value.is_floating_point():
            return value * 1.25 + 0.5
        flipped = value.amax() - value if value.numel() else value
        return flipped if not torch.equal(flipped, value) else torch.where(value > 0, 0, 1).to(value.dtype)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float) or (isinstance(value, np.ndarray) and value.dtype.kind == "f"):
        return value * 1.25 + 0.5
    if isinstance(value, list):
        return [changed(item) for item in value]
    return value


def detached_at(subject: Subject, inputs: Sequence[Any], dtype: torch.dtype | None = None) -> tuple[Trial, list[Cut]]:
    """The same call as if nothing were detached, and what was left out for that."""
    watch = Connected(subject.file)
    return subject.run(inputs, dtype=dtype, watch=watch), watch.removed


def cut_of(subject: Subject, inputs: Sequence[Any], argument: int) -> Cut | None:
    """The call that takes the gradient of this argument away, None if no single call can be shown to."""
    if subject.bridged:
        return None
    for given in (inputs, *(subject.draw(seed) for seed in (2, 3, 4))):  # a clamp may hide it in one of them
        trial, removed = detached_at(subject, given)
        grad = trial.grads[argument] if trial.grads else None
        if removed and grad is not None and bool((grad != 0).any()):
            return removed[0]
        if not removed:
            break
    return depends_on(subject, inputs, LEAVING + FLAT)


def depends_on(subject: Subject, inputs: Sequence[Any], names: Sequence[str]) -> Cut | None:
    """The first call of one of these names that the value depends on, found by changing what it returns."""
    if subject.bridged:
        return None
    found: dict[int, Cut] = {}
    for given in (inputs, *(subject.draw(seed) for seed in (2, 3, 4))):  # where one hides a change, another shows it
        listed = Tampered(subject.file)
        plain = subject.run(given, grad=False, watch=listed)
        for position, call in enumerate(listed.calls[:20]):
            if call.name in names and _moves(subject, given, plain, position):
                found.setdefault(position, call)
    return found[min(found)] if found else None


def _moves(subject: Subject, inputs: Sequence[Any], plain: Trial, position: int) -> bool:
    with suppress(Exception):  # a result that the loss refuses proves nothing
        other = subject.run(inputs, grad=False, watch=Tampered(subject.file, position))
        return plain.ok and other.ok and other.value != plain.value
    return False


def lost_term(subject: Subject, inputs: Sequence[Any]) -> Cut | None:
    """A call that leaves autograd and whose result is added: the value moves with it, and the gradient does not.

    A number that weighs something (a balance of two losses, a norm to divide by) moves both, and is meant.
    """
    if subject.bridged:
        return None
    listed = Tampered(subject.file)
    plain = subject.run(inputs, watch=listed)
    for position, call in enumerate(listed.calls[:20]):
        if call.name in ADDED and _moves(subject, inputs, plain, position):
            other = subject.run(inputs, watch=Tampered(subject.file, position))
            grads = zip(plain.grads, other.grads, strict=True)
            if other.ok and all(a is b or (a is not None and b is not None and torch.equal(a, b)) for a, b in grads):
                return call
    return None
