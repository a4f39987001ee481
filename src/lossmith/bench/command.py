"""What the command line asks for, as formulas and options."""

from collections.abc import Sequence

import torch

from lossmith.bench.measure import Options
from lossmith.entries import Entry, find
from lossmith.errors import SettingError, message
from lossmith.spec import FORMULAS, Formula

DTYPES = ("float32", "float64", "bfloat16", "float16")


def wanted(names: Sequence[str]) -> list[Formula]:
    """The formulas of these names; a face stands for its formula.

    Errors    SettingError for a name that is no loss, or a composition that has no formula of its own
    """
    return [_formula(name) for name in names]


def options_of(
    against: Sequence[str] | None, size: int | None, dtype: str, rounds: int, compiled: bool, threads: int | None
) -> Options:
    if dtype not in DTYPES:
        raise SettingError(message(f"--dtype {dtype}: not one of {', '.join(DTYPES)}"))
    if threads is not None:
        torch.set_num_threads(threads)
    return Options(size, getattr(torch, dtype), rounds, against, compiled)


def _formula(name: str) -> Formula:
    found = find(name)
    if isinstance(found, Entry):
        return FORMULAS[found.name]
    raise SettingError(message(f"bench measures formulas, and {name} composes several", fix="lossmith list"))
