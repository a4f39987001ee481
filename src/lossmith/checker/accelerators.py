"""Accelerators that a loss names on a machine without one: the CPU stands in, so that the loss can be checked."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

NAMES = ("cuda", "mps", "xpu", "npu", "hpu")
_MISSING = (
    *("Torch not compiled with CUDA", "Torch not compiled with XPU", "not linked with support for mps"),
    *("Found no NVIDIA driver", "No CUDA GPUs are available"),
)


def name_of(func: Any) -> str:
    """The name of a torch function; of a property, the name of the property."""
    name = getattr(func, "__name__", "")
    if name == "__get__":
        return str(getattr(getattr(func, "__self__", None), "__name__", ""))
    return str(name)


def is_missing(error: BaseException) -> bool:
    """True if torch says that this machine has no such accelerator."""
    return any(sign in str(error) for sign in _MISSING)


def hard_coded(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """How a call names an accelerator, empty if it does not."""
    if name in NAMES and args and isinstance(args[0], (Tensor, nn.Module)):
        return f".{name}()"
    if _named(kwargs.get("device")):
        return f"device={str(kwargs['device'])!r}"
    if name == "to" and len(args) > 1 and _named(args[1]):
        return f".to({str(args[1])!r})"
    return ""


def _named(device: Any) -> bool:
    return isinstance(device, (str, torch.device)) and str(device).partition(":")[0] in NAMES


def redirected(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """The same call on the CPU."""
    name = name_of(func)
    if name in NAMES:
        return args[0]
    if name == "to" and len(args) > 1 and _named(args[1]):
        return func(args[0], "cpu", *args[2:], **kwargs)
    return func(*args, **{**kwargs, "device": "cpu"})


class OnCpu(TorchFunctionMode):
    """Within it, every accelerator that is named is the CPU."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if hard_coded(name_of(func), args, kwargs or {}):
            return redirected(func, args, kwargs or {})
        return func(*args, **(kwargs or {}))
