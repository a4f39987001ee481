"""Every torch face with data that it takes, one family a file; SAME lists the losses that torch.nn has too."""

import importlib
import pkgutil
from typing import Any

import torch

from lossmith.kernels import compiles, stays, written_of
from torch_cases.data import Case

FAMILIES = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
CASES: list[Case] = [case for family in FAMILIES for case in getattr(family, "CASES", [])]
# those whose face, compiled, is one kernel on a CPU: tests/kernels/test_one_pass.py compiles one of each formula
ONE_PASS = [
    case
    for case in CASES
    for formula in (case.make().formula,)
    if (compiles(formula) and not stays(formula, torch.device("cpu"))) or written_of(formula)
]
SAME: list[tuple[Any, ...]] = [row for family in FAMILIES for row in getattr(family, "SAME", [])]
