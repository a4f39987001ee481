"""Keras's models in a loss, which is copied before every call: Keras copies a model through a file."""

from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

_FIRST: WeakKeyDictionary[Any, list[Any]] = WeakKeyDictionary()


def kept_models(held: Iterable[Any]) -> dict[int, Any]:
    """The memo of a deep copy in which models of Keras's own layers stand for themselves, as they were at first.

    Such a layer keeps its state in variables; what a call changes in them is taken back here.
    """
    return {id(value): _as_at_first(value) for value in held if _is_all_of_keras(value)}


def _is_all_of_keras(value: Any) -> bool:
    if not hasattr(value, "_flatten_layers"):
        return False
    return all(type(layer).__module__.startswith("keras.") for layer in value._flatten_layers())


def _as_at_first(model: Any) -> Any:
    if model not in _FIRST:
        _FIRST[model] = [variable.numpy().copy() for variable in model.variables]
    for variable, first in zip(model.variables, _FIRST[model], strict=True):
        variable.assign(first)
    return model
