"""A check that arrays of these shapes and dtypes have passed is not made again.

What `Formula.check` asks depends on shapes, dtypes and words among the settings alone, and costs more than a small
batch does. Only what passed is remembered: a refusal is worded anew for whoever asks.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lossmith.spec import Formula

_PASSED: dict[tuple[object, ...], tuple[str, ...]] = {}
MANY = 1024  # batches of ever new sizes do not fill the memory


def checked(
    formula: Formula, caller: str, arrays: Sequence[Tensor], names: Sequence[str], settings: Mapping[str, Any]
) -> tuple[str, ...]:
    """What each array holds, by `formula.check`, which refuses what does not fit."""
    if torch.compiler.is_compiling():  # which would guard the table, and compile again whenever it grew
        return formula.check(caller, *arrays, names=names, **settings)
    words = [settings[name] for name in formula.deciding]
    key = (formula, *words, *[x.shape for x in arrays], *[x.dtype for x in arrays])
    try:
        found = _PASSED.get(key)
    except TypeError:  # lengths under a trace, which are symbols
        return formula.check(caller, *arrays, names=names, **settings)
    if found is None:
        if len(_PASSED) >= MANY:
            _PASSED.clear()
        found = _PASSED[key] = formula.check(caller, *arrays, names=names, **settings)
    return found
