"""Every keras face with data that it takes; one family a file, each with its CASES."""

import importlib
import pkgutil

from keras_cases.data import Case

FAMILIES = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
CASES: list[Case] = [case for family in FAMILIES for case in getattr(family, "CASES", [])]


def named(name: str) -> Case:
    return next(case for case in CASES if case.name == name)
