"""A loss computed in log space: log(softmax(x)), log(sigmoid(x)), log(1 + exp(x)), log(sum(exp(x))), log(cosh(x)).

Each tensor that is known as an exponential carries its logarithm with it (a softmax carries log_softmax, a sum of
exponentials carries logsumexp), through indexing, reshaping, where, and small constants that guard it. When `log`
meets such a tensor, its companion is the answer: the same mathematics, without the rounding of the detour.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from lossmith.checker.cuts import name_of
from lossmith.checker.watch import user_line

GUARD = 1e-2  # a constant below this is there for the logarithm, not for the formula
_MOVES = frozenset(
    "gather index_select __getitem__ squeeze unsqueeze view reshape permute transpose movedim flatten float double "
    "contiguous take_along_dim t clone select expand expand_as mT T".split()
)
_CLAMPS = ("clamp", "clamp_", "clamp_min", "clamp_max", "clip")
_DIVIDES = ("div", "__truediv__", "true_divide", "divide")
_PLUS = ("add", "__add__", "__radd__", "__iadd__", "add_")
_MINUS = ("rsub", "__rsub__")


@dataclass(frozen=True)
class Log:
    """`log` of a tensor; `other` is the log of 1 minus it, if that is known. `of` says what it is, as source."""

    log: Tensor
    other: Tensor | None
    of: str
    guarded: bool = False


@dataclass(frozen=True)
class Rewrite:
    """One logarithm that was answered by its companion."""

    source: str
    line: str
    guarded: bool


class Stable(TorchFunctionMode):
    """Runs a loss in log space; `rewrites` lists what was replaced."""

    def __init__(self, file: str = "") -> None:
        super().__init__()
        self.file = file
        self.rewrites: list[Rewrite] = []
        self._known: dict[int, tuple[Tensor, Log]] = {}  # the tensor is kept, so that its id is not given again

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = name_of(func)
        if name in ("log", "log_") and args and (known := self._log_of(args[0])) is not None:
            self.rewrites.append(Rewrite(f"log({known.of})", user_line(self.file), known.guarded))
            return known.log
        result = func(*args, **kwargs)
        if isinstance(result, Tensor) and result.is_floating_point():
            log = self._companion(name, func, args, kwargs)
            if log is not None and log.log.shape == result.shape:
                self._known[id(result)] = (result, log)
        return result

    def _log_of(self, value: Any) -> Log | None:
        entry = self._known.get(id(value))
        return entry[1] if entry is not None else None

    def _companion(self, name: str, func: Any, args: Sequence[Any], kwargs: Any) -> Log | None:
        first = args[0] if args else kwargs.get("input")
        if not isinstance(first, Tensor):
            return self._of_two(name, first, args)
        maker = _MAKERS.get(name)
        if maker is not None:
            return maker(first, args, kwargs)
        if name == "where" and len(args) == 3:
            return self._where(args)
        if name in _DIVIDES:
            return self._quotient(args)
        known = self._log_of(first)
        if known is None:
            return self._of_two(name, first, args)
        if name in _MOVES:
            other = None if known.other is None else func(known.other, *args[1:], **kwargs)
            return Log(func(known.log, *args[1:], **kwargs), other, known.of, known.guarded)
        if name in _CLAMPS:
            return Log(known.log, known.other, known.of, True)
        if name == "sum" and known.of.startswith("exp("):
            axis = kwargs.get("dim", args[1] if len(args) > 1 else None)
            keep = kwargs.get("keepdim", args[2] if len(args) > 2 else False)
            if axis is not None:
                return Log(torch.logsumexp(known.log, axis, keep), None, f"sum({known.of})")
            return None
        return self._of_two(name, first, args)

    def _of_two(self, name: str, first: Any, args: Sequence[Any]) -> Log | None:
        """A number and a known tensor: 1 + exp(x), p + 1e-8, 1 - p."""
        if len(args) < 2:
            return None
        pair = [(args[0], args[1]), (args[1], args[0])]
        for tensor, number in pair:
            known = self._log_of(tensor)
            if known is None or not isinstance(number, (int, float)):
                continue
            if name in _PLUS and 0 < number < GUARD:
                return Log(known.log, known.other, known.of, True)
            if name in _PLUS and number == 1 and known.of.startswith("exp("):
                return Log(torch.logaddexp(known.log, torch.zeros_like(known.log)), None, f"1 + {known.of}")
            reversed_ = name in _MINUS or (name in ("sub", "__sub__") and tensor is args[1])
            if reversed_ and number == 1 and known.other is not None:
                return Log(known.other, known.log, f"1 - {known.of}", known.guarded)
            if name in ("sub", "__sub__") and tensor is args[0] and 0 < number < GUARD:
                return Log(known.log, known.other, known.of, True)
        return None

    def _quotient(self, args: Sequence[Any]) -> Log | None:
        top, bottom = (self._log_of(value) for value in args[:2])
        if top is None or bottom is None:
            return None
        return Log(top.log - bottom.log, None, f"{top.of} / {bottom.of}", top.guarded or bottom.guarded)

    def _where(self, args: Sequence[Any]) -> Log | None:
        yes, no = self._log_of(args[1]), self._log_of(args[2])
        if yes is None or no is None:
            return None
        others = yes.other, no.other
        other = None if others[0] is None or others[1] is None else torch.where(args[0], others[0], others[1])
        return Log(torch.where(args[0], yes.log, no.log), other, yes.of, yes.guarded or no.guarded)


def _softmax(x: Tensor, args: Sequence[Any], kwargs: Any) -> Log | None:
    axis = kwargs.get("dim", args[1] if len(args) > 1 else None)
    if axis is None:
        return None
    log = torch.log_softmax(x, axis)
    # log(1 - p) is the log of the sum of the others; 1 - p itself would cancel
    rest = torch.log1p(-log.exp().clamp(max=1 - torch.finfo(log.dtype).eps))
    return Log(log, rest, "softmax(x)")


def _sigmoid(x: Tensor, args: Sequence[Any], kwargs: Any) -> Log:
    return Log(F.logsigmoid(x), F.logsigmoid(-x), "sigmoid(x)")


def _exp(x: Tensor, args: Sequence[Any], kwargs: Any) -> Log:
    return Log(x, None, "exp(x)")


def _cosh(x: Tensor, args: Sequence[Any], kwargs: Any) -> Log:
    return Log(x.abs() + F.softplus(-2 * x.abs()) - math.log(2), None, "cosh(x)")


_MAKERS: dict[str, Callable[[Tensor, Sequence[Any], Any], Log | None]] = {
    "softmax": _softmax,
    "sigmoid": _sigmoid,
    "exp": _exp,
    "cosh": _cosh,
}
