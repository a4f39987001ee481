"""What a face declares: its settings, held against the keywords of its formula.

A face is a class whose annotated attributes are its settings:

    class HuberLoss(Loss, formula=formulas.huber):
        delta: float = 1.0

Each setting is either one that the base class reads itself (`reduction`, `ignore_index`, ...) or a keyword of the
formula with the formula's own default. What differs on purpose is written in the class line: `renamed` where the
framework has another word for a keyword, `fixed` where the face settles one, `differs` where the framework's own
default is another, `own` for settings that the face reads itself, `held` for arguments of the formula that the face
holds (class counts, the weights of a layer): argument -> setting. Anything else is refused when the class is made, so
that face and formula cannot drift apart. A setting without a default must be given, by position too.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from inspect import Parameter, Signature, get_annotations
from typing import Any, ClassVar, Literal, get_origin

from lossmith.errors import SettingError, message

_MISSING = object()


@dataclass(frozen=True)
class _Leading:
    """The default of a setting that may also be given by position."""

    default: object


def leading(*, default: Any, kw_only: Literal[False] = False) -> Any:
    """A setting that may also be given by position, as in `CrossEntropyLoss(class_weights)`; see PEP 681."""
    return default if kw_only else _Leading(default)


@dataclass(frozen=True)
class Declaration:
    """The settings of one face. `keywords` maps a setting to the formula's keyword; the others are the base's."""

    caller: str
    defaults: Mapping[str, Any]
    notes: Mapping[str, Any]
    keywords: Mapping[str, str]
    fixed: Mapping[str, Any]
    held: Mapping[str, str]
    leading: tuple[str, ...]
    required: tuple[str, ...]

    def fill(self, positional: tuple[object, ...], given: Mapping[str, Any]) -> dict[str, Any]:
        """Every setting with the value given or its default.

        Raises
            SettingError for a setting that the face does not have, or that was given twice or by position.
        """
        if len(positional) > len(self.leading):
            raise SettingError(
                message(
                    f"{self.caller} takes its settings by name",
                    {"given": ", ".join(map(repr, positional)), "settings": ", ".join(self.defaults)},
                )
            )
        named = dict(zip(self.leading, positional, strict=False))
        if twice := sorted(named.keys() & given.keys()):
            raise SettingError(f"{self.caller}: {twice[0]} was given by position and by name")
        if unknown := [name for name in given if name not in self.defaults]:
            raise SettingError(
                message(f"{self.caller} has no setting {unknown[0]!r}", {"settings": ", ".join(self.defaults)})
            )
        if missing := [name for name in self.required if name not in named and name not in given]:
            raise SettingError(message(f"{self.caller} needs {missing[0]}", {"settings": ", ".join(self.defaults)}))
        return {**self.defaults, **named, **given}

    def signature(self) -> Signature:
        """What `inspect.signature` shows: leading settings first, then the others by name only."""
        ordered = sorted(self.defaults, key=lambda name: name not in self.leading)
        return Signature(
            [
                Parameter(
                    name,
                    Parameter.POSITIONAL_OR_KEYWORD if name in self.leading else Parameter.KEYWORD_ONLY,
                    default=Parameter.empty if name in self.required else self.defaults[name],
                )
                for name in ordered
            ]
        )


def declare(
    face: type,
    root: type,
    keywords: Mapping[str, Any],
    *,
    own: Collection[str],
    renamed: Mapping[str, str],
    fixed: Mapping[str, Any],
    differs: Collection[str] = (),
    held: Mapping[str, str] | None = None,
    further: Mapping[str, Any] | None = None,
) -> Declaration:
    """Read the settings of `face` from its annotations, those of its bases up to `root` included.

    `keywords` are the formula's, with their defaults; `own` are the settings that the base class reads itself;
    `further` are settings with their defaults that cannot be class attributes.

    Raises
        SettingError when a setting is no keyword, a keyword is no setting, or a default is not the formula's.
    """
    notes = _annotations(face, root)
    declared = {name: getattr(face, name) for name in notes if hasattr(face, name)} | dict(further or {})
    required = tuple(name for name in notes if name not in declared)
    given_first = tuple(name for name, default in declared.items() if isinstance(default, _Leading))
    defaults = {name: default.default if name in given_first else default for name, default in declared.items()}
    defaults = dict.fromkeys(required) | defaults
    aside = {*own, *(held or {}).values()}
    mapped = {name: renamed.get(name, name) for name in defaults if name not in aside or name in renamed}
    for name, keyword in mapped.items():
        _require_default(face, name, defaults[name], keywords.get(keyword, _MISSING), name in differs)
    _require_cover(face, set(keywords), {*mapped.values(), *fixed})
    first = (*required, *given_first)
    return Declaration(face.__name__, defaults, notes, mapped, dict(fixed), dict(held or {}), first, required)


def _annotations(face: type, root: type) -> dict[str, Any]:
    """Annotated names, the face's own first; what is marked ClassVar is no setting."""
    notes: dict[str, Any] = {}
    for base in face.__mro__:
        if issubclass(base, root):
            notes = {**notes, **{name: note for name, note in get_annotations(base).items() if name not in notes}}
    return {name: note for name, note in notes.items() if ClassVar not in (note, get_origin(note))}


def _require_cover(face: type, keywords: set[str], settled: set[str]) -> None:
    if missing := keywords - settled:
        raise SettingError(f"{face.__name__} lacks a setting for the keyword {', '.join(sorted(missing))}")
    if unknown := settled - keywords:
        raise SettingError(f"{face.__name__} fixes {', '.join(sorted(unknown))}, which is no keyword of its formula")


def _require_default(face: type, name: str, here: Any, formula: Any, differs: bool) -> None:
    if formula is _MISSING:
        raise SettingError(f"{face.__name__}.{name} is no keyword of its formula")
    if (here == formula) is differs:
        headline = f"{face.__name__}.{name} must {'differ from' if differs else 'have'} its formula's default"
        raise SettingError(message(headline, {"face": repr(here), "formula": repr(formula)}))
