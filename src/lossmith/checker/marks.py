"""What a loss must not leave behind for the next one: patched frameworks, signal handlers, another folder or dtype.

A worker examines the losses of a file one after another. One that leaves such marks is the last of its worker; the
next loss begins in a fresh one.
"""

import builtins
import math
import os
import signal
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

_MODULES = (
    *("torch", "torch.nn", "torch.nn.functional", "torch.autograd", "torch.autograd.functional", "torch.linalg"),
    *("torch.special", "torch.nn.init", "numpy", "keras.ops", "jax.numpy", "random", "time"),
)


def marks() -> dict[Any, Any]:
    """What can be compared before and after: names of frameworks by what they are bound to, and process-wide settings.

    Names that appear later are no mark: frameworks load parts of themselves when they are first used.
    """
    import torch

    found: dict[Any, Any] = {}
    for home, names in _namespaces():
        found |= {(home, name): value for name, value in names.items()}
    found["folder"] = _folder()
    found["handlers"] = [str(signal.getsignal(number)) for number in _SIGNALS]
    found["blocked"] = sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
    found["default dtype"] = torch.get_default_dtype()
    found["gradients"] = torch.is_grad_enabled()
    found["anomaly"] = torch.is_anomaly_enabled()
    found["deterministic"] = torch.are_deterministic_algorithms_enabled()
    found["environment"] = dict(os.environ)
    return found


_SIGNALS = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGCHLD,
    signal.SIGSEGV,
)
_HOMES = ("/torch/", "/numpy/", "/keras/", "/jax/")
_QUIET = ("environment",)  # frameworks set variables of their own; only what was there before counts


def changed(before: dict[Any, Any], after: dict[Any, Any]) -> list[str]:
    """The marks of `before` that are not the same any more, as words."""
    return [_word(key) for key, value in before.items() if _differs(key, value, after.get(key))]


def _differs(key: Any, before: Any, after: Any) -> bool:
    if key in _QUIET:
        return any(after.get(name) != value for name, value in before.items())
    if isinstance(key, tuple):
        return before is not after and not _of_framework(after, key[1])
    return before != after


def _of_framework(value: Any, name: str) -> bool:
    """True if a framework has bound the name anew itself, as torch does when its compiler is loaded."""
    code = getattr(value, "__code__", None)
    if code is not None:
        return any(part in code.co_filename for part in _HOMES)
    return isinstance(value, (type, ModuleType)) or type(value) in (bool, int, str, dict, list)


def _word(key: Any) -> str:
    return ".".join(key) if isinstance(key, tuple) else str(key)


def _namespaces() -> Iterator[tuple[str, dict[str, Any]]]:
    for name in _MODULES:
        if name in sys.modules:
            yield name, vars(sys.modules[name])
    yield "builtins", dict(vars(builtins))
    yield "math", dict(vars(math))
    if "torch" in sys.modules:
        yield "torch.Tensor", dict(vars(sys.modules["torch"].Tensor))
        yield "torch.nn.Module", dict(vars(sys.modules["torch"].nn.Module))


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # the folder itself is gone
        return ""
