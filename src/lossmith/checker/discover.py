"""Which things in a module are losses.

`nn.Module` and Keras `Loss` classes, `autograd.Function`s that nothing else in the file wraps, functions, and
module-level objects that are losses.
"""

import difflib
import functools
import inspect
import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import torch
from torch import nn

from lossmith.checker.contract import PRED_NAMES, TARGET_NAMES
from lossmith.checker.frameworks import framework_of, names_in
from lossmith.checker.place import Place
from lossmith.checker.sample import SIZES
from lossmith.checker.signature import required_parameters
from lossmith.errors import TargetError, message

LOSS_WORD = re.compile(
    r"loss|criterion|entropy|diverg|dice|iou|jaccard|tversky|focal|huber|hinge|pinball|quantile|triplet|contrast|"
    r"distill|distance|similarity|info_?nce|ntxent|barlow|vicreg|silog|ssim|^kl(?:[A-Z]|$)|nll|bce|"
    r"perceptual|score_?matching|smoothness|regulari[sz]|elbo|(?:^|_)w?gan(?:_?gp)?(?:_|$)|"
    r"(?:^|_)(?:ce|kl|kld|mse|mae|rmse|msle|mape|l1|l2)(?:_|$)|error|objective|penalty|regret",
    re.IGNORECASE,
)
# Sizes that a constructor asks for, by the names that people give them.
SIZE_NAMES = {
    **dict.fromkeys(
        ("out_features", "num_classes", "n_classes", "classes", "nb_classes", "num_labels", "n_class", "C"), SIZES["C"]
    ),
    **dict.fromkeys(("batch_size", "batchsize", "bs"), SIZES["N"]),
    **dict.fromkeys(
        ("dim", "feat_dim", "feature_dim", "embedding_dim", "embedding_size", "in_features", "embed_dim", "D"),
        SIZES["D"],
    ),
}


def find(place: Place, module: ModuleType) -> dict[str, Any]:
    """The losses of a target by name: the one that is named, or all that the module defines."""
    if place.name:
        return {place.name: _attribute(place, module)}
    found = {name: value for name, value in vars(module).items() if _is_loss(name, value, module)}
    wrapped = _mentioned(found, module)
    found = {name: value for name, value in found.items() if name not in wrapped or not _is_part(name, value)}
    for name, value in list(found.items()):
        instances = [other for other in found.values() if type(other) is value]
        if isinstance(value, type) and instances and not _fills_itself(value):
            del found[name]  # `loss = MyLoss(0.3)` stands for a class that cannot be built without settings
    if not found:
        raise TargetError(
            message(
                f"{place.text}: no loss found in it",
                {"looked for": "nn.Module and keras Loss classes, functions and objects that look like a loss"},
                fix=f"name one: {place.source}:my_function",
            )
        )
    return found


def _attribute(place: Place, module: ModuleType) -> Any:
    value: Any = module
    for part in place.name.split("."):
        if not hasattr(value, part):
            try:
                names = list(find(Place(place.source, place.source), module))
            except TargetError:
                names = [name for name in vars(module) if not name.startswith("_")]
            close = difflib.get_close_matches(place.name, names, 1, 0.5)
            raise TargetError(
                message(
                    f"{place.source} has no {place.name!r}",
                    {"it has": ", ".join(names[:20]) or "no losses"},
                    fix=f"did you mean {place.source}:{close[0]}?" if close else None,
                )
            )
        value = getattr(value, part)
    if not callable(value):
        raise TargetError(message(f"{place.text} is a {type(value).__name__}, not a loss: it cannot be called"))
    return value


def _is_loss(name: str, value: Any, module: ModuleType) -> bool:
    if name.startswith(("_", "example", "test_")) or name in ("main", "test"):
        return False
    if callable(value) and (f"example_{name}" in vars(module) or hasattr(value, "__lossmith_contract__")):
        return True
    if isinstance(value, type):
        return value.__module__ == module.__name__ and _is_loss_class(value)
    if isinstance(value, nn.Module):
        return bool(LOSS_WORD.search(type(value).__name__) or LOSS_WORD.search(name)) or _pairs(value)
    if framework_of(value) == "keras" and hasattr(value, "call") and hasattr(value, "reduction"):
        return True
    if isinstance(value, functools.partial):
        return bool(LOSS_WORD.search(name)) or _pairs(value)
    if not inspect.isfunction(value) or value.__module__ != module.__name__:
        return False
    return len(required_parameters(value)) >= 1 and bool(LOSS_WORD.search(name) or _pairs(value))


def _is_loss_class(cls: type) -> bool:
    if inspect.isabstract(cls):
        return False
    if issubclass(cls, torch.autograd.Function):
        return True
    is_keras = any(base.__module__.startswith("keras.") and base.__name__ == "Loss" for base in cls.__mro__)
    if is_keras:
        return True
    if not issubclass(cls, nn.Module) or cls.forward is nn.Module.forward:
        return False
    return bool(LOSS_WORD.search(cls.__name__)) or _pairs(cls)


_GOAL = re.compile(r"(?:^|_)(?:gt|true|truth|targets?|labels?|teacher|relevance|masks?|reference)(?:_|$)")
_GUESS = re.compile(r"(?:^|_)(?:preds?|est|hat|logits?|scores?|student|outputs?|probs?|emb\w*)(?:_|$)")


def _pairs(value: Any) -> bool:
    """True if the parameters are called like a prediction and a target, or like two of a kind (z1, z2)."""
    try:
        function: Any = getattr(value, "forward", value)
        names = [p.name.lower() for p in inspect.signature(function).parameters.values() if p.name != "self"][:3]
    except (TypeError, ValueError):
        return False
    guess = bool(PRED_NAMES & set(names)) or any(_GUESS.search(name) for name in names)
    goal = bool(TARGET_NAMES & set(names)) or any(_GOAL.search(name) for name in names)
    stems = [re.sub(r"_?[a-z0-9]$", "", name) for name in names[:2]]
    twins = len(stems) == 2 and stems[0] == stems[1] != ""
    return len(names) >= 2 and ((guess and goal) or twins)


def left_out(place: Place, module: ModuleType, found: Mapping[str, Any]) -> list[str]:
    """What takes two arguments or more and was not taken for a loss: the user may name it."""
    if place.name:
        return []
    own = {
        name: value
        for name, value in vars(module).items()
        if getattr(value, "__module__", "") == module.__name__
        and not name.startswith(("_", "example", "test"))
        and (inspect.isfunction(value) or (isinstance(value, type) and issubclass(value, nn.Module)))
    }
    used = _mentioned({**own, **found}, module)
    return [
        name
        for name, value in own.items()
        if name not in found and name not in used and len(required_parameters(getattr(value, "forward", value))) >= 2
    ]


def _mentioned(found: Mapping[str, Any], module: ModuleType) -> set[str]:
    """Names of found losses that another one uses in its own code."""
    used: set[str] = set()
    for name, value in found.items():
        members = list(vars(value).values()) if isinstance(value, type) else [value]
        functions = [getattr(member, "__func__", member) for member in members]  # a staticmethod wraps its function
        for function in functions:
            if inspect.isfunction(function):
                used |= names_in(function.__code__) - {name}
    return used & set(vars(module))


def _is_part(name: str, value: Any) -> bool:
    """An `autograd.Function`, or a helper not called a loss, that another loss of the file already covers."""
    if isinstance(value, type) and issubclass(value, torch.autograd.Function):
        return True
    return inspect.isfunction(value) and "loss" not in name.lower()


def _fills_itself(cls: type) -> bool:
    return not [name for name in required_settings(cls) if name not in SIZE_NAMES]


def required_settings(cls: type) -> list[str]:
    try:
        parameters = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
