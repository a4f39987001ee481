"""What shapes a formula takes, as one string: `... C, ... | ... C -> ...`.

    ...      any number of axes, the same ones wherever it stands; where it stands it comes first
    C        one axis; one letter is one length
    4        one axis of that length
    |        alternatives for one argument, told apart by their number of axes
    ->       the shape of the values

An argument without `...` is shared by the whole batch, such as the weights `C D` of a layer; the first argument
always has it. The string is checked at run time, printed in the docs and used to make test inputs. A length that is
not known yet (None, under a trace) fits any length.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from lossmith.errors import SettingError, ShapeError, message
from lossmith.ops import Shape

Pattern = tuple[str, ...]


@dataclass(frozen=True)
class Fit:
    """How shapes fit: the axes behind `...`, the length of each letter, the alternative of each argument."""

    batch: Shape
    lengths: Mapping[str, int | None]
    alternatives: tuple[int, ...]


@dataclass(frozen=True)
class Shapes:
    """A parsed shapes string. `arguments` holds the alternatives of each argument in turn."""

    text: str
    arguments: tuple[tuple[Pattern, ...], ...]
    result: Pattern

    @classmethod
    def parse(cls, text: str) -> "Shapes":
        left, arrow, right = text.partition("->")
        if not arrow:
            raise SettingError(message(f"shapes {text!r} has no '->'", fix="such as '..., ... -> ...'"))
        arguments = tuple(tuple(_pattern(p, text) for p in part.split("|")) for part in left.split(","))
        if not batched(arguments[0][0]):
            raise SettingError(message(f"shapes {text!r}: the first argument has the batch", fix="begin it with '...'"))
        return cls(text, arguments, _pattern(right, text))

    @property
    def elementwise(self) -> bool:
        """Every argument has the shape of the values."""
        return all(patterns == (self.result,) for patterns in self.arguments)

    def fit(self, shapes: Sequence[Shape]) -> Fit | None:
        """How these shapes fit the patterns, or None when they do not. The first argument says what `...` is."""
        trailing = len(letters(self.arguments[0][0]))
        batch = shapes[0][: len(shapes[0]) - trailing]
        if len(shapes[0]) < trailing:
            return None
        lengths: dict[str, int | None] = {}
        chosen: list[int] = []
        for shape, patterns in zip(shapes, self.arguments, strict=True):
            ranks = [len(letters(pattern)) + (len(batch) if batched(pattern) else 0) for pattern in patterns]
            if len(shape) not in ranks:
                return None
            chosen.append(ranks.index(len(shape)))
            pattern = patterns[chosen[-1]]
            leading = len(batch) if batched(pattern) else 0
            merged = _merge(batch, shape[:leading]) if leading else batch
            if merged is None or not _learn(lengths, letters(pattern), shape[leading:]):
                return None
            batch = merged
        return Fit(batch, lengths, tuple(chosen))

    def require(
        self,
        caller: str,
        names: Sequence[str],
        shapes: Sequence[Shape | None],
        shown: Sequence[Shape | None] | None = None,
    ) -> None:
        """Refuse shapes that do not fit. Where the number of axes is unknown, nothing is checked.

        `shown`   the shapes to print, for a caller that moved axes before
        """
        known = [shape for shape in shapes if shape is not None]
        if len(known) < len(shapes) or self.fit(known) is not None:
            return
        given = dict(zip(names, shown or shapes, strict=True))
        if self.elementwise:
            raise ShapeError(_one_shape_message(caller, names, known, given))
        raise ShapeError(message(f"{caller}: the shapes of {', '.join(names)} must be {self._inputs}", given))

    @property
    def _inputs(self) -> str:
        """The patterns of the arguments for people: `(..., C) and (...) or (..., C)`."""
        each = [" or ".join(f"({', '.join(pattern)})" for pattern in patterns) for patterns in self.arguments]
        return ", and ".join([", ".join(each[:-1]), each[-1]] if len(each) > 1 else each)


def batched(pattern: Pattern) -> bool:
    """True where the argument has the axes of the batch."""
    return pattern[0] == "..."


def letters(pattern: Pattern) -> Pattern:
    """The named axes, without the batch."""
    return pattern[1:] if batched(pattern) else pattern


def _pattern(text: str, whole: str) -> Pattern:
    words = tuple(text.split())
    if not words or not all(word.isidentifier() or word.isdecimal() for word in letters(words)):
        raise SettingError(message(f"shapes {whole!r}: {text.strip()!r} is not '...' and then names of axes"))
    return words


def _merge(known: Shape, seen: Shape) -> Shape | None:
    """One shape out of two that agree wherever both are known, or None."""
    if any(a is not None and b is not None and a != b for a, b in zip(known, seen, strict=True)):
        return None
    return tuple(b if a is None else a for a, b in zip(known, seen, strict=True))


def _learn(lengths: dict[str, int | None], names: Pattern, shape: Shape) -> bool:
    """Enter the length of each letter; False where it had another length before."""
    for letter, length in zip(names, shape, strict=True):
        before = int(letter) if letter.isdecimal() else lengths.get(letter)
        if before is not None and length is not None and before != length:
            return False
        lengths[letter] = length if before is None else before
    return True


def _one_shape_message(caller: str, names: Sequence[str], shapes: Sequence[Shape], given: Mapping[str, object]) -> str:
    wide = _broadcast(shapes)
    same_count = len(names) == 2 and _count(shapes[0]) == _count(shapes[1]) is not None
    return message(
        f"{caller}: {' and '.join(names)} must have one shape",
        given,
        why=f"they would broadcast to {wide} and average unrelated pairs" if wide else None,
        fix=f"{names[1]}.reshape({names[0]}.shape), if the elements are in the same order" if same_count else None,
    )


def _broadcast(shapes: Sequence[Shape]) -> tuple[int, ...] | None:
    """The shape that several broadcast to, or None where they do not, or where a length is unknown."""
    if not all(_count(shape) is not None for shape in shapes):
        return None
    try:
        return np.broadcast_shapes(*shapes)  # pyright: ignore[reportArgumentType]
    except ValueError:
        return None


def _count(shape: Shape) -> int | None:
    known = [length for length in shape if length is not None]
    return prod(known) if len(known) == len(shape) else None
