"""Which tensors of a call hold probabilities or their logarithms, and who is handed the wrong one of them.

`Activations` watches the functions that a loss calls. What comes out of softmax or sigmoid is a probability, and stays
one through indexing, reshaping and a clamp; its logarithm is known as such. Arithmetic ends what is known, so that
weights, temperatures and mixtures are never judged.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from lossmith.checker.accelerators import name_of
from lossmith.checker.contract import Argument, Contract
from lossmith.checker.subject import Subject
from lossmith.checker.watch import user_line

Holds = Literal["a probability", "a log-probability"]
GUARD = 1e-2  # a constant below this guards a logarithm
_GIVES: dict[str, Holds] = {
    "softmax": "a probability",
    "sigmoid": "a probability",
    "expit": "a probability",
    "log_softmax": "a log-probability",
    "logsigmoid": "a log-probability",
    "log_sigmoid": "a log-probability",
}
# Functions that take logits: a probability in their place is squashed twice.
LOGITS = (
    "softmax",
    "log_softmax",
    "sigmoid",
    "expit",
    "logsigmoid",
    "cross_entropy",
    "binary_cross_entropy_with_logits",
)
LOGARITHMS = ("nll_loss", "kl_div", "ctc_loss")
LOG = re.compile(r"log_?(?:p|prob|pred|softmax)")
MOVES = frozenset(
    "view reshape permute transpose movedim flatten unsqueeze squeeze contiguous float double clone detach clamp clip "
    "clamp_ clamp_min clamp_max __getitem__ gather index_select select take_along_dim expand t to unbind".split()
)
_ADDS = ("add", "__add__", "__radd__", "add_", "__iadd__", "sub", "__sub__")
_ONE_MINUS = ("rsub", "__rsub__")


@dataclass(frozen=True)
class Known:
    """What a tensor holds, the function that made it, and along which axis (counted from the front)."""

    holds: Holds
    made_by: str
    axis: int | None = None


@dataclass(frozen=True)
class Mistaken:
    """A function that was handed what it does not take. `twice`: it squashes what already is a probability."""

    function: str
    argument: str
    given: Known
    line: str

    @property
    def twice(self) -> bool:
        return self.function in LOGITS


class Activations(TorchFunctionMode):
    """`mistaken` lists what went wrong; `axes` along which axes a softmax of a tensor of so many axes ran."""

    def __init__(self, file: str = "", named: Sequence[tuple[Tensor, Holds]] = ()) -> None:
        super().__init__()
        self.file = file
        self.named = named  # arguments whose names say what they hold
        self.mistaken: list[Mistaken] = []
        self.crossed: list[tuple[int, str]] = []  # axes of a log_softmax whose classes are looked for elsewhere
        self.axes: list[tuple[int, int]] = []
        self.fed: list[Tensor] = []  # what each softmax of `axes` was given
        self._known: dict[int, tuple[Tensor, Known]] = {}  # the tensor is kept, so that its id is not given again

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = name_of(func)
        self._judge(name, args, kwargs)
        result = func(*args, **kwargs)
        if isinstance(result, Tensor) and (known := self._of_result(name, args, kwargs)) is not None:
            self._known[id(result)] = (result, known)
        return result

    def _of(self, value: Any) -> Known | None:
        if not isinstance(value, Tensor):
            return None
        entry = self._known.get(id(value))
        if entry is not None:
            return entry[1]
        now = value.detach()
        for named, holds in self.named:
            if named.shape == now.shape and torch.equal(now, named.to(now)):
                return Known(holds, "")
        return None

    def _of_result(self, name: str, args: Sequence[Any], kwargs: Any) -> Known | None:
        first = args[0] if args else kwargs.get("input")
        if name in _GIVES and isinstance(first, Tensor):
            axis = kwargs.get("dim", args[1] if len(args) > 1 else None) if name.endswith("softmax") else None
            axis = axis % first.ndim if isinstance(axis, int) and first.ndim else None
            return Known(_GIVES[name], name, axis)
        if name in ("stack", "cat", "concat") and isinstance(first, (list, tuple)):
            parts = [self._of(part) for part in first]
            return parts[0] if parts and all(part is not None and part == parts[0] for part in parts) else None
        if name in _ONE_MINUS or (name == "sub" and isinstance(first, (int, float)) and first == 1):
            return self._one_minus(args)
        known = self._of(first)
        if known is None:
            return None
        if name == "log":
            return Known("a log-probability", known.made_by, known.axis) if known.holds == "a probability" else None
        if name == "exp":
            return Known("a probability", known.made_by, known.axis) if known.holds != "a probability" else None
        guards = name in _ADDS and len(args) > 1 and isinstance(args[1], float) and abs(args[1]) < GUARD
        if name in MOVES and not name.startswith(("float", "double", "contiguous", "clone", "detach", "clamp", "clip")):
            known = replace(known, axis=None)  # axes may have changed places
        return known if name in MOVES or guards else None

    def _one_minus(self, args: Sequence[Any]) -> Known | None:
        known = next((found for value in args if (found := self._of(value)) is not None), None)
        ones = any(isinstance(value, (int, float)) and value == 1 for value in args)
        return known if ones and known is not None and known.holds == "a probability" else None

    def _judge(self, name: str, args: Sequence[Any], kwargs: Any) -> None:
        first = args[0] if args else kwargs.get("input")
        if name.endswith("softmax") or name == "cross_entropy":
            self._note_axis(name, first, args, kwargs)
        if name in LOGITS or name in LOGARITHMS:
            self._refuse(name, "input", first, "a probability")
        known = self._of(first) if name == "nll_loss" else None
        if known is not None and known.axis not in (None, 1 if first.ndim > 1 else 0):
            self.crossed.append((known.axis or 0, user_line(self.file)))
        if name == "kl_div":
            said = bool(kwargs.get("log_target", False))
            target = args[1] if len(args) > 1 else kwargs.get("target")
            self._refuse(name, "target", target, "a probability" if said else "a log-probability")
            axes = [known.axis for value in (first, target) if (known := self._of(value)) and known.axis is not None]
            if len(set(axes)) > 1:
                self.crossed.append((axes[0], user_line(self.file)))

    def _note_axis(self, name: str, first: Any, args: Sequence[Any], kwargs: Any) -> None:
        axis = kwargs.get("dim", args[1] if len(args) > 1 else None)
        if not isinstance(first, Tensor) or not first.ndim:
            return
        if name == "cross_entropy":
            axis = 1 if first.ndim > 1 else 0
        if isinstance(axis, int):
            self.axes.append((axis % first.ndim, first.ndim))
            self.fed.append(first.detach())

    def _refuse(self, name: str, argument: str, value: Any, wrong: Holds) -> None:
        known = self._of(value)
        if known is not None and known.holds == wrong:
            self.mistaken.append(Mistaken(name, argument, known, user_line(self.file)))


def mistakes(subject: Subject) -> list[Mistaken]:
    """What the functions that a loss calls on ordinary inputs are wrongly handed; empty where that is not seen."""
    if subject.bridged:
        return []
    inputs = subject.draw(1)
    named: list[tuple[Tensor, Holds]] = []
    for i, argument in enumerate(subject.contract.arguments):
        if i in subject.contract.preds and _called_probability(subject.contract, i):
            named.append((inputs[i], "a probability"))
        elif isinstance(inputs[i], Tensor) and inputs[i].is_floating_point() and LOG.search(argument.name.lower()):
            named.append((inputs[i], "a log-probability"))
    watch = Activations(subject.file, named)
    trial = subject.run(inputs, grad=False, watch=watch)
    return watch.mistaken if trial.ok else []


def _called_probability(contract: Contract, index: int) -> bool:
    """Its name says so, or its user does: a kind that was only inferred is no reason."""
    argument: Argument = contract.arguments[index]
    if argument.kind not in ("prob", "simplex"):
        return False
    said = contract.origin not in ("inferred", "example()")
    return said or re.search(r"(?<!log)_?prob", argument.name.lower()) is not None
