"""Loops that are written in C++, compiled at their first call by the compiler of `torch.compile`, and kept by it.

    load(source, dtype)    the functions of a source, as `ctypes` finds them; None, after a warning, without a compiler
    pointer(x)             the memory of a tensor

A source includes no header of torch, so that it is compiled in seconds. It is for what torch's compiler makes minutes
of work of, or many passes. Sources name their numbers `real` and their lengths `size`.
"""

import sys
from ctypes import CDLL, c_void_p
from functools import lru_cache

import torch
from torch import Tensor

from lossmith.kernels.compiler import no_compiler, tell

# torch leaves them out, as its own kernels have their vectors written out
FLAGS = ("-ffp-contract=fast", "-ftree-loop-vectorize", "-fno-trapping-math")
MOVED = (ImportError, AttributeError, TypeError)  # the loader is private to torch: another release may have another
NAMES = {torch.float32: "float", torch.float64: "double"}
HEAD = """
#include <cmath>
#include <cstdint>
#include <vector>
typedef {real} real;
typedef int64_t size;
"""


@lru_cache(maxsize=64)
def load(source: str, dtype: torch.dtype) -> CDLL | None:
    if sys.platform == "win32":  # whose compiler keeps the names of a library to itself
        return None
    try:
        return _compiled(HEAD.replace("{real}", NAMES[dtype]) + source)
    except Exception as error:
        if not (no_compiler(error) or isinstance(error, MOVED)):
            raise
        tell(error)
        return None


def _compiled(source: str) -> CDLL:
    from torch._inductor.codecache import CppCodeCache  # imports the whole compiler

    return CppCodeCache.load(source, extra_flags=FLAGS)


class Pointer(c_void_p):
    """The memory of a tensor, which it holds."""

    def __init__(self, x: Tensor) -> None:
        super().__init__(x.data_ptr())
        self.tensor = x


def pointer(x: Tensor) -> Pointer:
    """The memory of a contiguous tensor, or of one whose strides are told."""
    return Pointer(x)
