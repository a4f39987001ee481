"""lossmith: where a loss function is designed, derived, verified, looked at, made fast, and put to work.

Importing this package imports no framework; each name below loads what it needs when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lossmith import formulas as formulas
    from lossmith.checker import Report as Report
    from lossmith.checker import check as check
    from lossmith.checker import contract as contract
    from lossmith.class_weights import balanced_class_weights as balanced_class_weights
    from lossmith.entries import catalogue as catalogue
    from lossmith.errors import LossmithError as LossmithError
    from lossmith.forging import forge as forge
    from lossmith.forging import forge_from as forge_from
    from lossmith.prove.derive import derive as derive
    from lossmith.prove.facts import facts as facts
    from lossmith.spec import formula as formula

__version__ = "0.1.0"

_HOME = {
    "LossmithError": "lossmith.errors",
    "Report": "lossmith.checker",
    "balanced_class_weights": "lossmith.class_weights",
    "catalogue": "lossmith.entries",
    "check": "lossmith.checker",
    "contract": "lossmith.checker",
    "derive": "lossmith.prove.derive",
    "facts": "lossmith.prove.facts",
    "forge": "lossmith.forging",
    "forge_from": "lossmith.forging",
    "formula": "lossmith.spec",
}
__all__ = [
    "LossmithError",
    "Report",
    "__version__",
    "balanced_class_weights",
    "catalogue",
    "check",
    "contract",
    "derive",
    "facts",
    "forge",
    "forge_from",
    "formula",
    "formulas",
]


def __getattr__(name: str) -> Any:
    if name in ("derive", "facts"):
        return _proving(name)
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    if name in ("formulas", "torch", "keras", "ops", "plots", "testing"):
        return import_module(f"lossmith.{name}")
    raise AttributeError(f"module 'lossmith' has no attribute {name!r}")


def _proving(name: str) -> Any:
    """A function that needs the extra `prove`, or the error that says so."""
    try:
        return getattr(import_module(_HOME[name]), name)
    except ModuleNotFoundError as error:
        if error.name not in ("sympy", "mpmath", "flint"):
            raise
        from lossmith.errors import missing_extra

        raise missing_extra(f"lossmith.{name}", error.name, "prove") from None


def __dir__() -> list[str]:
    return sorted(__all__)
