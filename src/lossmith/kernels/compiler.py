"""What runs where there is no C++ compiler: the function as it is, after one warning.

It also runs for arguments of one kind (rank, dtype, what needs a gradient) more than torch compiles a function for.
"""

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import torch

T = TypeVar("T")


def compiled(function: Callable[..., T], **options: Any) -> Callable[..., T]:
    """The function as one graph, compiled at its first call. The options are those of `torch.compile`."""
    chosen = torch.compile(function, fullgraph=True, **options)

    def run(*arguments: Any, **named: Any) -> T:
        nonlocal chosen
        try:
            return chosen(*arguments, **named)
        except Exception as error:
            if over_limit(error):
                return function(*arguments, **named)
            if not no_compiler(error):
                raise
            tell(error)
            chosen = function
            return function(*arguments, **named)

    return run


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
    cause = str(error).strip().splitlines()[0]
    warnings.warn(f"no kernel could be compiled, the loss runs as it is: {cause}", stacklevel=4)
