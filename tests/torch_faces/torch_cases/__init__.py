"""Every torch face with data that it takes, one family a file; SAME lists the losses that torch.nn has too."""

import importlib
import pkgutil
from typing import Any

from torch_cases.data import Case

FAMILIES = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
CASES: list[Case] = [case for family in FAMILIES for case in getattr(family, "CASES", [])]
SAME: list[tuple[Any, ...]] = [row for family in FAMILIES for row in getattr(family, "SAME", [])]
