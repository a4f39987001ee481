"""What a loss says in its code: which function computes, what it takes, and its source."""

import ast
import functools
import inspect
import textwrap
from itertools import takewhile
from typing import Any

import torch
from torch import nn

from lossmith.checker.contract import TARGET_NAMES


def called(loss: Any) -> Any:
    """The function that computes: forward of a module, call of a Keras loss, the loss itself."""
    if (isinstance(loss, type) and issubclass(loss, torch.autograd.Function)) or isinstance(loss, nn.Module):
        return loss.forward
    if not inspect.isroutine(loss) and hasattr(loss, "call") and not isinstance(loss, functools.partial):
        return loss.call
    return loss


def source_of(loss: Any) -> str:
    """The code of a function or of a class; empty where there is none to read."""
    return _source(loss if inspect.isroutine(loss) or isinstance(loss, type) else type(loss))


@functools.lru_cache(maxsize=256)  # for a class, Python parses the whole file each time
def _source(thing: Any) -> str:
    try:
        return textwrap.dedent(inspect.getsource(thing))
    except (OSError, TypeError):
        return ""


def tree_of(function: Any) -> ast.Module | None:
    """The same, parsed; None where there is none to read."""
    try:
        return ast.parse(source_of(function)) if source_of(function) else None
    except (SyntaxError, ValueError):  # a lambda inside of a call
        return None


def required_parameters(loss: Any) -> tuple[str, ...]:
    """Names of the positional parameters without a default; the first two if all have one.

    A target that may be left out (`targets=None`) belongs to a prediction all the same.
    """
    try:
        parameters = list(inspect.signature(called(loss)).parameters.values())
    except (TypeError, ValueError):  # builtins without a signature
        return ("pred", "target")
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if isinstance(loss, type) and positional and positional[0].name in ("ctx", "self"):
        positional = positional[1:]
    required = [p.name for p in positional if p.default is p.empty]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters) and len(required) < 2:
        return ("pred", "target")
    if len(required) == 1 and len(positional) > 1 and _may_be_left_out(positional[1]):
        required.append(positional[1].name)
    return tuple(required or [p.name for p in positional[:2]])


def optional_parameters(loss: Any) -> tuple[str, ...]:
    """Names of the positional parameters that come right after the required ones and are None by default."""
    required = required_parameters(loss)
    try:
        parameters = [p for p in inspect.signature(called(loss)).parameters.values() if p.name not in ("ctx", "self")]
    except (TypeError, ValueError):
        return ()
    if tuple(p.name for p in parameters[: len(required)]) != required:
        return ()
    rest = parameters[len(required) :]
    unset = (p.kind is p.POSITIONAL_OR_KEYWORD and p.default is None for p in rest)
    return tuple(p.name for p, _ in zip(rest, takewhile(bool, unset), strict=False))


def _may_be_left_out(parameter: inspect.Parameter) -> bool:
    return parameter.default is None and parameter.name.lower() in TARGET_NAMES
