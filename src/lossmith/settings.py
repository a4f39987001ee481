"""What a keyword may be: declared once in the annotation, checked for every formula and face.

    delta: Positive = 1.0                        a number above 0
    reduction: Literal["none", "sum", "mean"]    one of these words; the check reads the Literal

An array in place of a number passes unread: under a trace its value is not known, and a gradient with respect to
it may be wanted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from lossmith.errors import SettingError, message


@dataclass(frozen=True)
class Interval:
    """The numbers that a keyword may be; `open_low` and `open_high` leave the ends out, `whole` what lies between."""

    meaning: str
    low: float = -inf
    high: float = inf
    open_low: bool = False
    open_high: bool = False
    whole: bool = False

    def __contains__(self, value: float) -> bool:
        if self.whole and value != int(value):
            return False
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return above and below


Positive = Annotated[float, Interval("a finite number above 0", low=0.0, high=inf, open_low=True, open_high=True)]
NonNegative = Annotated[float, Interval("a finite number, 0 or more", low=0.0, open_high=True)]
AtLeastOne = Annotated[float, Interval("a finite number, 1 or more", low=1.0, open_high=True)]

Whole = Annotated[int, Interval("a whole number, 1 or more", low=1, high=inf, open_high=True, whole=True)]
Fraction = Annotated[float, Interval("a number from 0 to 1", low=0.0, high=1.0)]
ProperFraction = Annotated[float, Interval("a number from 0 up to, but not, 1", low=0.0, high=1.0, open_high=True)]


@dataclass(frozen=True)
class Rule:
    """What one keyword may be. With neither interval nor words, anything goes."""

    interval: Interval | None = None
    words: tuple[object, ...] = ()
    optional: bool = False
    sequence: bool = False

    def refuses(self, value: object) -> str | None:
        """What the value should have been, or None when it is fine."""
        if self.words:
            return None if value in self.words else " or ".join(map(repr, self.words))
        if self.interval is None or hasattr(value, "shape") or (self.optional and value is None):
            return None
        if self.sequence and isinstance(value, Sequence) and not isinstance(value, str):
            wrong = any(isinstance(each, (int, float)) and each not in self.interval for each in value)
            return f"{self.interval.meaning}, each of them" if wrong else None
        if isinstance(value, (int, float)) and value in self.interval:
            return None
        return self.interval.meaning + (", or None" if self.optional else "")


def rules_of(function: Callable[..., object], keywords: Sequence[str]) -> Mapping[str, Rule]:
    """The rules that the annotations of a function declare for some of its keywords."""
    hints = get_type_hints(function, include_extras=True)
    return {name: _rule(hints[name]) for name in keywords if name in hints}


def _rule(hint: object) -> Rule:
    parts = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    words = tuple(word for part in parts for word in _words(part))
    intervals = [note for part in parts for note in getattr(part, "__metadata__", ()) if isinstance(note, Interval)]
    optional = type(None) in parts
    return Rule(
        interval=intervals[0] if intervals else None,
        words=(*words, None) if words and optional else words,
        optional=optional,
        sequence=any(get_origin(part) is Sequence for part in parts),
    )


def _words(hint: object) -> tuple[object, ...]:
    if hint is bool:
        return (True, False)
    return get_args(hint) if get_origin(hint) is Literal else ()


def require_settings(
    caller: str, rules: Mapping[str, Rule], known: Sequence[str], settings: Mapping[str, object]
) -> None:
    """Refuse a keyword that does not exist, or a value outside what its annotation declares."""
    for name, value in settings.items():
        if name not in known:
            have = ", ".join(known) or "none"
            raise SettingError(message(f"{caller}: there is no keyword {name!r}", {"keywords": have}))
        wanted = rules[name].refuses(value) if name in rules else None
        if wanted is not None:
            raise SettingError(message(f"{caller}: {name} must be {wanted}", {name: repr(value)}))


def require_word(caller: str, name: str, value: object, words: Any) -> None:
    """Refuse a value that a Literal does not list."""
    require_settings(caller, {name: _rule(words)}, (name,), {name: value})
