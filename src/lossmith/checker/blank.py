"""Memory that torch hands out as it is: filled with one number, so that a call can be repeated."""

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from lossmith.checker.accelerators import name_of
from lossmith.checker.signature import source_of
from lossmith.checker.watch import user_line

_BLANK = ("empty", "empty_like", "new_empty", "empty_strided")


class Blank(TorchFunctionMode):
    """Every such tensor holds `number`; `name` and `line` say which function was the first to ask for one."""

    def __init__(self, number: float, file: str = "") -> None:
        super().__init__()
        self.number, self.file, self.name, self.line = number, file, "", ""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if name_of(func) in _BLANK and isinstance(result, Tensor):
            with torch.no_grad():
                result.fill_(self.number)
            self.name, self.line = self.name or name_of(func), self.line or user_line(self.file)
        return result


def asks_for_blank(loss: Any) -> bool:
    """True if its code speaks of such memory."""
    return any(f"{name}(" in source_of(loss) for name in _BLANK)
