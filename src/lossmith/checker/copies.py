"""A loss is copied before every call: what is dear to copy, torch's modules and Keras's models, and how it is not."""

import copy
import copyreg
import functools
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

from torch import nn

_SHARED = frozenset((type(None), bool, int, float, complex, str, bytes, type))
_TABLES = frozenset((dict, OrderedDict, set, list))
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


def module_copy(module: nn.Module, memo: dict[int, Any]) -> nn.Module:
    """What `copy.deepcopy` gives, in a third of the time: numbers, names and empty tables are most of a module."""
    if not _plain(type(module)):
        return copy.deepcopy(module, memo)
    if id(module) not in memo:
        twin = memo[id(module)] = object.__new__(type(module))
        held = {name: value for name, value in vars(module).items() if name != "_compiled_call_impl"}
        vars(twin).update({name: _copied(value, memo) for name, value in held.items()})
    return memo[id(module)]


@functools.cache
def _plain(kind: type[nn.Module]) -> bool:
    """True if it is copied as every module is: by its table of attributes."""
    own = {"__deepcopy__", "__reduce__", "__reduce_ex__", "__getstate__", "__new__", "__slots__"}
    if any(own & vars(each).keys() for each in kind.__mro__ if each not in (nn.Module, object)):
        return False
    return getattr(kind, "__setstate__", None) is nn.Module.__setstate__ and kind not in copyreg.dispatch_table


def _copied(value: Any, memo: dict[int, Any]) -> Any:
    kind = type(value)
    if kind in _SHARED:
        return value
    if kind in _TABLES and id(value) not in memo and (kind in (dict, OrderedDict) or not value):
        twin: Any = kind()
        memo[id(value)] = twin
        for key in value:
            twin[_copied(key, memo)] = _copied(value[key], memo)
        return twin
    return module_copy(value, memo) if isinstance(value, nn.Module) else copy.deepcopy(value, memo)
