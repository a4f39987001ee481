"""What a loss is lowest at instead of what it ought to be, and the small moves that find it out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Wrong:
    """What is best instead, in words; arguments where it should be low, and arguments where it is lower."""

    said: str
    fix: str
    good: tuple[Any, ...]
    better: tuple[Any, ...]


def named(names: Sequence[str], pattern: re.Pattern[str], also: re.Pattern[str] | None = None) -> int | None:
    """The position of the one name that fits."""
    found = [i for i, name in enumerate(names) if pattern.search(name) and (also is None or also.search(name))]
    found = [i for i in found if not re.search(r"^(?:ref|old)", names[i])]
    return found[0] if len(found) == 1 else None


def put(inputs: Sequence[Any], index: int, value: Any) -> tuple[Any, ...]:
    return tuple(value.clone() if i == index else each for i, each in enumerate(inputs))
