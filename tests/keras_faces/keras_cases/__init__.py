"""Every keras face with data that it takes; one family a file, each with its CASES."""

import importlib
import pkgutil

from keras_cases.data import Case

FAMILIES = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
CASES: list[Case] = [case for family in FAMILIES for case in getattr(family, "CASES", [])]

_STEPS = ("__call__", "_arrays", "_evaluated", "_keywords", "_mask_laid_out", "_set_up", "_smoothed", "_weight_of")
_SETTINGS = ("apply_class_balancing", "axis", "from_logits", "ignore_class", "label_smoothing")


def traits(case: Case) -> set[object]:
    """What decides which way a case goes through the code of the faces: its methods, arguments, settings and data."""
    loss = case.make()
    formula, config = loss.formula, loss.get_config()
    return {
        *(getattr(type(loss), step) for step in _STEPS),
        *((name, str(config[name])) for name in _SETTINGS if name in config),
        ("labels", loss.labels),
        ("coupled", formula.coupled, formula.shapes.elementwise),
        ("arguments", formula.arguments, *loss.declaration.held),
        ("data", *((array.ndim, array.dtype.kind) for array in case.arrays())),
    }


def telling() -> list[Case]:
    """The cases that bring a trait which none before them has: together they go every way."""
    seen: set[object] = set()
    chosen = []
    for case in CASES:
        if not seen.issuperset(own := traits(case)):
            chosen.append(case)
            seen |= own
    return chosen


def named(name: str) -> Case:
    return next(case for case in CASES if case.name == name)
