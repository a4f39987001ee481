"""The settings that a loss offers besides those it was built with: other values that its author must have meant.

They are read off the signature of the function or of the constructor, and of `forward`. A value is offered only if
the name, the default and the annotation agree on what kind of thing it is; what the loss refuses is left out later.
"""

import ast
import functools
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from lossmith.checker.ignored import IGNORE_NAME
from lossmith.checker.reductions import STARRED, literals
from lossmith.checker.signature import tree_of
from lossmith.checker.subject import Subject

Kind = Literal["weight", "ignored", "number", "switch", "word"]
# What people call one weight a class; for `alpha` only where the default is None or a list.
CLASS_WEIGHTS = ("weight", "weights", "class_weight", "class_weights", "pos_weight", "ce_weight", "cls_weight", "alpha")
EXPONENTS = ("gamma", "alpha", "beta", "p", "power", "exponent", "q", "focusing", "temperature", "tau", "delta")
MOST = 10  # settings that are varied, so that a loss with thirty of them does not take minutes


@dataclass(frozen=True)
class Option:
    """One setting with another value than it has."""

    name: str
    value: Any
    kind: Kind

    def __str__(self) -> str:
        value = self.value.tolist() if isinstance(self.value, torch.Tensor) else self.value
        return f"{self.name}={value!r}"


def options(subject: Subject) -> list[Option]:
    """Other values for the settings of a loss, `reduction` left out: `reductions.choices` has those."""
    found: list[Option] = []
    for parameter in _parameters(subject)[:MOST]:
        found += _of(subject, parameter)
    return found


def numbers(subject: Subject) -> dict[str, float]:
    """The settings that are numbers, at what they are."""
    now = {p.name: subject.settings.get(p.name, p.default) for p in _parameters(subject)}
    return {name: x for name, x in now.items() if isinstance(x, (int, float)) and not isinstance(x, bool)}


def is_function(loss: Any) -> bool:
    return inspect.isroutine(loss) or isinstance(loss, functools.partial)


def _parameters(subject: Subject) -> list[inspect.Parameter]:
    """The parameters with a default, of a function or of a class that can be built again."""
    if subject.build is None and not is_function(subject.loss):
        return []
    thing = subject.loss if is_function(subject.loss) else subject.build
    taken = {argument.name for argument in subject.contract.arguments} | {"reduction"}
    for eval_str in (True, False):  # annotations of a stranger may name things that do not exist here
        try:
            parameters = list(inspect.signature(thing, eval_str=eval_str).parameters.values())  # type: ignore[arg-type]
        except Exception:
            continue
        return [p for p in parameters if p.name not in taken and p.kind not in STARRED and p.default is not p.empty]
    return []


def _of(subject: Subject, parameter: inspect.Parameter) -> Iterator[Option]:
    name, now = parameter.name, subject.settings.get(parameter.name, parameter.default)
    if listed := literals(parameter.annotation):
        yield from (Option(name, value, "word") for value in sorted(map(str, listed)) if value != now)
    elif IGNORE_NAME.search(name):
        if subject.contract.target_kind() == "index" and now != 1:
            yield Option(name, 1, "ignored")
    elif now is None and name in CLASS_WEIGHTS:
        if (weights := class_weights(subject, name)) is not None:
            yield Option(name, weights, "weight")
    elif isinstance(now, bool):
        yield Option(name, not now, "switch")
    elif isinstance(now, float) or (isinstance(now, int) and name in EXPONENTS):
        yield from (Option(name, value, "number") for value in _numbers(now))
    elif isinstance(now, str):
        words = [word for word in _compared(subject, name) if word != now]
        yield from (Option(name, word, "word") for word in words[:4])


def _numbers(now: float) -> list[float]:
    return [value for value in (now / 2, now * 2, 1.0, 3.0) if value != now][:3] if now else [0.5, 1.0]


def class_weights(subject: Subject, name: str = "weight") -> torch.Tensor | None:
    """Unequal weights, one a class, whose mean is not 1; None for a loss without classes."""
    axes = subject.contract.pred.domain.axes
    if "C" not in axes or (name != "pos_weight" and subject.contract.target_kind() not in ("index", "onehot", "dist")):
        return None
    shape = subject.draw(0)[subject.contract.preds[0]].shape
    count = shape[list(axes).index("C")] if subject.contract.draw is None else shape[min(1, len(shape) - 1)]
    return torch.tensor([0.5, 2.0, 1.0, 3.0, 0.25, 1.5, 4.0])[torch.arange(count) % 7] if count > 1 else None


def _compared(subject: Subject, name: str) -> Sequence[str]:
    """The strings that the code of a loss compares this setting with."""
    loss: Any = subject.loss.func if isinstance(subject.loss, functools.partial) else subject.loss
    tree = tree_of(loss)
    if tree is None:
        return []
    found: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and name in (getattr(node.left, "id", ""), getattr(node.left, "attr", "")):
            for side in node.comparators:
                parts = side.elts if isinstance(side, (ast.Tuple, ast.List, ast.Set)) else [side]
                found |= {p.value: None for p in parts if isinstance(p, ast.Constant) and isinstance(p.value, str)}
    return list(found)
