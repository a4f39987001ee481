"""A check that arrays of these shapes and dtypes have passed is not made again.

What `Formula.check` asks depends on shapes, dtypes and words among the settings alone, and costs more than a small
batch does. Only what passed is remembered: a refusal is worded anew for whoever asks.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lossmith.kernels import InBlocks, body_for
from lossmith.spec import Formula

_PASSED: dict[tuple[object, ...], InBlocks | None] = {}
MANY = 1024  # batches of ever new sizes do not fill the memory


def checked(
    formula: Formula, caller: str, arrays: Sequence[Tensor], names: Sequence[str], settings: Mapping[str, Any]
) -> InBlocks | None:
    """Refuse what `formula.check` refuses; gives the body that can add up the values of such arrays (`body_for`)."""
    if torch.compiler.is_compiling():  # which would guard the table, and compile again whenever it grew
        formula.check(caller, *arrays, names=names, **settings)
        return None
    words = [settings[name] for name in formula.deciding]
    key = (formula, arrays[0].device.type, *words, *[x.shape for x in arrays], *[x.dtype for x in arrays])
    try:
        return _PASSED[key]
    except KeyError:
        kinds = formula.check(caller, *arrays, names=names, **settings)
    except TypeError:  # lengths under a trace, which are symbols
        formula.check(caller, *arrays, names=names, **settings)
        return None
    if len(_PASSED) >= MANY:
        _PASSED.clear()
    _PASSED[key] = body_for(formula, arrays, kinds)
    return _PASSED[key]
