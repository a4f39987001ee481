"""A pretended accelerator: which tensors would be on it, which on the CPU, where the two meet, where the CPU waits.

Everything is computed on the CPU with its real values; what is pretended is only where each tensor lives. The inputs
and what is registered live on the device; what is computed from a tensor there stays there; what is made without a
device is on the CPU until `to`, `type_as` or a `device=` brings it over. No driver, no private back end of torch and
no process of its own is needed, and data-dependent code runs to its end.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from lossmith.checker.accelerators import hard_coded, name_of, redirected
from lossmith.checker.hidden import hidden
from lossmith.checker.subject import Subject
from lossmith.checker.watch import user_line

READS = {
    "item": "item()", "tolist": "tolist()", "numpy": "numpy()", "__array__": "numpy()", "cpu": "cpu()",
    "__float__": "float()", "__int__": "int()", "__index__": "int()", "__bool__": "a condition on a tensor",
    "__format__": "formatting", "equal": "equal()", "allclose": "allclose()", "nonzero": "nonzero()",
    "unique": "unique()", "masked_select": "masked_select()", "bincount": "bincount()",
}  # fmt: skip
MOVES = ("to", "type", "type_as", "cuda", "set_", "data", "copy_", "new_tensor", "expand_as", "view_as", "reshape_as")
# On the CPU the same place under another name: code that moves only what is elsewhere finds it elsewhere.
THERE = torch.device("cpu", 0)
INDEXING = ("__getitem__", "__setitem__", "index_select", "take", "index_put_", "index_put")


@dataclass(frozen=True)
class Event:
    """`what` was done at this line of the user: a hard-coded device, two devices that meet, or a read by the CPU."""

    kind: str  # "hard-coded", "mixed" or "read"
    what: str
    line: str


class Pretended(TorchFunctionMode):
    """Follows every tensor of one call; accelerators that the code names lead to the CPU that stands in for them."""

    def __init__(self, file: str, on_device: Sequence[Any] = ()) -> None:
        super().__init__()
        self.file = file
        self.kept: dict[int, Tensor] = {}  # held, so that no id is used twice
        self.events: list[Event] = []
        for value in tree_leaves(list(on_device)):
            self._put(value)

    def _put(self, value: Any) -> None:
        if isinstance(value, Tensor):
            self.kept[id(value)] = value

    def _on(self, value: Any) -> bool:
        return isinstance(value, Tensor) and id(value) in self.kept

    def _say(self, kind: str, what: str) -> None:
        if line := user_line(self.file):
            self.events.append(Event(kind, what, line))

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, kwargs = name_of(func), dict(kwargs or {})
        if name == "device" and self._on(args[0]):
            return THERE
        leaves = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        there = any(self._on(value) for value in leaves)
        if what := hard_coded(name, args, kwargs):
            self._say("hard-coded", what)
            result = redirected(func, args, kwargs)
            for value in tree_leaves(result):
                self._put(value)
            return result
        if there:
            self._look(name, args, kwargs, leaves)
        result = func(*args, **kwargs)
        explicit = kwargs.get("device") is not None or (name == "to" and _is_device(args[1:2]))
        if name != "cpu" and (there or explicit or name in ("type", "cuda")):
            for value in tree_leaves(result):
                self._put(value)
        return result

    def _look(self, name: str, args: Any, kwargs: Mapping[str, Any], leaves: Sequence[Tensor]) -> None:
        if name in READS:
            self._say("read", READS[name])
        elif name in INDEXING and len(args) > 1:
            index = [value for value in tree_leaves(args[1]) if isinstance(value, Tensor)]
            if any(value.dtype == torch.bool for value in index) and name == "__getitem__":
                self._say("read", "indexing with a mask")
            elif any(value.ndim == 0 for value in index) and name == "__getitem__":
                self._say("read", "an index that is a tensor of one number")
        elif name == "one_hot" and kwargs.get("num_classes", args[1] if len(args) > 1 else -1) == -1:
            self._say("read", "one_hot() without num_classes")
        elif name == "repeat_interleave" and len(leaves) > 1 and kwargs.get("output_size") is None:
            self._say("read", "repeat_interleave() without output_size")
        elif name not in MOVES and not name.startswith("new_"):
            strangers = [value for value in leaves if not self._on(value) and value.ndim]
            if strangers:
                self._say("mixed", f"{name.strip('_')} meets a tensor of shape {tuple(strangers[0].shape)} on the CPU")


def _is_device(given: Sequence[Any]) -> bool:
    return bool(given) and isinstance(given[0], (str, torch.device, Tensor))


def watched(subject: Subject, inputs: Sequence[Any], seed: int = 0) -> tuple[list[Event], Exception | None]:
    """One call with everything that a user would move on the device; the events of it, and what it raised."""
    loss = subject.twin(torch.float32)
    live = tuple(
        value.detach().clone().requires_grad_(i in subject.contract.preds and value.is_floating_point())
        if isinstance(value, Tensor)
        else value
        for i, value in enumerate(inputs)
    )
    mode = Pretended(subject.file, [live, _belongings(loss)])
    trial = subject.run(live, grad=False, loss=_Given(loss, subject, live), watch=mode, seed=seed)
    return mode.events, trial.error


class _Given:
    """Calls a loss on tensors that are known already, in place of the copies that `run` would make."""

    def __init__(self, loss: Any, subject: Subject, live: Sequence[Any]) -> None:
        self.loss, self.subject, self.live = loss, subject, live

    def __call__(self, *copies: Any) -> Any:
        return self.subject.call(self.loss, self.live)


def _belongings(loss: Any) -> list[Tensor]:
    """Parameters, buffers, and what LS604 speaks of; tensors bound to a function by whoever made it."""
    while isinstance(loss, functools.partial):
        bound = [*loss.args, *loss.keywords.values()]
        return [*(v for v in bound if isinstance(v, Tensor)), *_belongings(loss.func)]
    if isinstance(loss, nn.Module):
        plain = [tensor for entry in hidden(loss) for tensor in entry.tensors]
        return [*loss.parameters(), *loss.buffers(), *plain]
    defaults = [*(getattr(loss, "__defaults__", None) or ()), *(getattr(loss, "__kwdefaults__", None) or {}).values()]
    return [value for value in defaults if isinstance(value, Tensor)]
