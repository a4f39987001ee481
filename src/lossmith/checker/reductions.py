"""The setting `reduction` of a loss, wherever it lives: its constructor, its keyword, or an attribute."""

import copy
import functools
import inspect
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lossmith.checker.subject import Subject

WORDS: Mapping[str, Mapping[str, Any]] = {
    "torch": {"none": "none", "sum": "sum", "mean": "mean"},
    "keras": {"none": None, "sum": "sum", "mean": "sum_over_batch_size"},
}


STARRED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True)
class Choices:
    """The loss under each reduction that it takes, by the names none, sum and mean.

    `offered`: whoever builds or calls the loss can choose; an attribute alone may be left from a base class.
    `how`: the keyword of a call ("call"), of the constructor ("build"), or an attribute ("attribute").
    """

    subjects: Mapping[str, Subject]
    offered: bool
    how: str
    words: Mapping[str, Any]

    def word(self, name: str) -> str:
        return repr(self.words[name])

    def script(self, subject: Subject) -> list[str]:
        """Lines that print the loss under each reduction."""
        names = ", ".join(argument.name for argument in subject.contract.arguments)
        given = ", ".join(repr(self.words[name]) for name in self.subjects)
        settings = "".join(f"{key}={value!r}, " for key, value in subject.settings.items() if key != "reduction")
        lines = [f"for reduction in ({given}):"]
        if self.how == "call":
            return [*lines, f"    print(reduction, {subject.name}({names}, {settings}reduction=reduction))"]
        if self.how == "build":
            return [*lines, f"    print(reduction, type(loss_fn)({settings}reduction=reduction)({names}))"]
        return [*lines, "    loss_fn.reduction = reduction", f"    print(reduction, loss_fn({names}))"]


def choices(subject: Subject) -> Choices | None:
    """The loss under each of none, sum and mean, as far as it can be built and called so; None without the setting."""
    words = dict(WORDS["keras" if subject.framework == "keras" and hasattr(subject.loss, "call") else "torch"])
    parameter = _parameter(subject)
    if parameter is not None:
        words = {name: word for name, word in words.items() if _allowed(parameter, word)}
        built = {name: _built(subject, word) for name, word in words.items()}
        return Choices(_working(built), True, "call" if _is_function(subject.loss) else "build", words)
    if not hasattr(subject.loss, "reduction") or isinstance(subject.loss, type):
        return None
    return Choices(_working({n: _with_attribute(subject, w) for n, w in words.items()}), False, "attribute", words)


def _is_function(loss: Any) -> bool:
    return inspect.isroutine(loss) or isinstance(loss, functools.partial)


def _parameter(subject: Subject) -> inspect.Parameter | None:
    """`reduction` in the signature of the function, or of the class if it can be built again."""
    thing = subject.loss if _is_function(subject.loss) else subject.build or type(subject.loss)
    for eval_str in (True, False):  # annotations of a stranger may name things that do not exist here
        try:
            parameters = inspect.signature(thing, eval_str=eval_str).parameters
        except Exception:
            continue
        known = {"reduction", *subject.settings}
        needed = [p for p in parameters.values() if p.default is p.empty and p.kind not in STARRED]
        if not _is_function(subject.loss) and any(p.name not in known for p in needed):
            return None
        return parameters.get("reduction")
    return None


def _built(subject: Subject, word: Any) -> Subject | None:
    if subject.build is not None:
        return subject.with_settings(reduction=word)
    make = functools.partial(functools.partial, subject.loss) if _is_function(subject.loss) else type(subject.loss)
    return replace(subject, build=make).with_settings(reduction=word)


def _allowed(parameter: inspect.Parameter, word: Any) -> bool:
    """False only if the annotation lists the choices and this is none of them."""
    listed = literals(parameter.annotation)
    return not listed or word in listed or (word is None and "none" in listed)


def literals(annotation: Any) -> set[Any]:
    if typing.get_origin(annotation) is typing.Literal:
        return set(typing.get_args(annotation))
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        parts = [literals(part) for part in typing.get_args(annotation)]
        none = {None} if type(None) in typing.get_args(annotation) else set[Any]()
        return set[Any]().union(*parts) | none if any(parts) else set()
    return set()


def _with_attribute(subject: Subject, word: Any) -> Subject | None:
    try:
        loss = copy.deepcopy(subject.loss)
        loss.reduction = word
    except Exception:  # an object that cannot be copied or changed offers no choice
        return None
    return replace(subject, loss=loss, _twins={}, cache={})


def _working(subjects: Mapping[str, Subject | None]) -> dict[str, Subject]:
    """Those that the loss accepts when it is built and when it is called."""
    return {n: each for n, each in subjects.items() if each is not None and each.run(each.draw(0), grad=False).ok}
