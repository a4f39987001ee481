"""What runs where torch cannot compile: the function as it is, after a warning.

There is no C++ compiler; or the arguments are of one kind (rank, dtype, what needs a gradient) more than torch compiles
a function for. It counts by code, whichever function has it: each function that is compiled has a code of its own here.
"""

import warnings
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any, TypeVar

import torch

T = TypeVar("T")


def compiled(function: Callable[..., T], **options: Any) -> Callable[..., T]:
    """The function as one graph, compiled at its first call. The options are those of `torch.compile`."""
    chosen = torch.compile(apart(function), fullgraph=True, **options)

    def run(*arguments: Any, **named: Any) -> T:
        nonlocal chosen
        try:
            return chosen(*arguments, **named)
        except Exception as error:
            if not (no_compiler(error) or over_limit(error)):
                raise
            tell(error)
            chosen = function if no_compiler(error) else chosen
            return function(*arguments, **named)

    return run


def apart(function: Any) -> Any:
    """The same function or method, with a code object of its own."""
    if isinstance(function, MethodType):
        return MethodType(apart(function.__func__), function.__self__)
    if not isinstance(function, FunctionType):
        return function
    code = function.__code__.replace()
    made = FunctionType(code, function.__globals__, function.__name__, function.__defaults__, function.__closure__)
    made.__kwdefaults__ = function.__kwdefaults__
    return made


def over_limit(error: BaseException) -> bool:
    """Whether these arguments are of one kind more than torch compiles one function for."""
    return type(error).__name__ == "FailOnRecompileLimitHit"


def no_compiler(error: BaseException | None) -> bool:
    """Whether it was the C++ compiler that failed, or that is not there, and not the loss."""
    while error is not None:
        if type(error).__name__ in ("InvalidCxxCompiler", "CppCompileError"):
            return True
        inner = getattr(error, "inner_exception", None)
        error = inner if inner is not None else error.__cause__ or error.__context__
    return False


def tell(error: BaseException) -> None:
    limit = "torch compiles no more kinds of arguments for it (torch._dynamo.config.recompile_limit)"
    cause = limit if over_limit(error) else str(error).strip().splitlines()[0]
    warnings.warn(f"no kernel could be compiled, the loss runs as it is: {cause}", stacklevel=4)
