"""Arguments that hold several arrays: a dictionary of tasks, a tuple of heads, a list of scales.

Everything in the checker reasons about arrays in a row. A `Fold` says how to put such a row together into what the loss
is called with, and what each array is called: `outputs["boxes"]` is `outputs_boxes`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Literal

How = Literal["plain", "dict", "names", "tuple", "list"]


@dataclass(frozen=True)
class Holder:
    """One argument of a loss. `keys` are what it holds: keys, attributes, or names for places.

    alike   the code does the same to each entry, so that all are of one kind
    """

    name: str
    how: How = "plain"
    keys: tuple[str, ...] = ()
    alike: bool = False

    @property
    def leaves(self) -> tuple[str, ...]:
        if self.how == "plain":
            return (self.name,)
        return tuple(f"{self.name}_{re.sub(r'[^0-9a-zA-Z_]', '_', key)}" for key in self.keys)

    @property
    def words(self) -> tuple[str, ...]:
        """What each entry is called in the code, as far as it has a name."""
        pairs = zip(self.keys, self.leaves, strict=False)
        return (
            (self.name,) if self.how == "plain" else tuple(key if key.isidentifier() else leaf for key, leaf in pairs)
        )

    def packed(self, values: Sequence[Any]) -> Any:
        if self.how == "plain":
            return values[0]
        if self.how in ("dict", "names"):
            held = dict(zip(self.keys, values, strict=True))
            return held if self.how == "dict" else SimpleNamespace(**held)
        return tuple(values) if self.how == "tuple" else list(values)

    def source(self) -> str:
        """The same as Python, from variables that are called as the leaves are."""
        if self.how == "plain":
            return self.name
        if self.how == "dict":
            return f"{{{', '.join(f'{key!r}: {leaf}' for key, leaf in zip(self.keys, self.leaves, strict=True))}}}"
        if self.how == "names":
            held = ", ".join(f"{key}={leaf}" for key, leaf in zip(self.keys, self.leaves, strict=True))
            return f"types.SimpleNamespace({held})"
        row = ", ".join(self.leaves)
        return f"({row},)" if self.how == "tuple" else f"[{row}]"


@dataclass(frozen=True)
class Fold:
    """How the arguments of a loss are made of a row of arrays."""

    holders: tuple[Holder, ...]

    @property
    def leaves(self) -> tuple[str, ...]:
        return tuple(leaf for holder in self.holders for leaf in holder.leaves)

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(word for holder in self.holders for word in holder.words)

    @property
    def alike(self) -> bool:
        return all(holder.alike or holder.how == "plain" for holder in self.holders)

    @property
    def owners(self) -> tuple[int, ...]:
        """The argument that each array belongs to."""
        return tuple(index for index, holder in enumerate(self.holders) for _ in holder.leaves)

    def pack(self, row: Sequence[Any]) -> list[Any]:
        given, values = [], iter(row)
        for holder in self.holders:
            given.append(holder.packed([next(values) for _ in holder.leaves]))
        return given

    def source(self) -> str:
        return ", ".join(holder.source() for holder in self.holders)

    def unpack(self, given: Sequence[Any]) -> list[Any]:
        """The row of arrays in arguments that look like those that `of` has seen."""
        row: list[Any] = []
        for holder, value in zip(self.holders, given, strict=True):
            if holder.how == "plain":
                row.append(value)
            elif holder.how == "dict":
                row += [value[key] for key in holder.keys]
            elif holder.how == "names":
                row += [getattr(value, key) for key in holder.keys]
            else:
                row += list(value)
        return row

    @classmethod
    def of(cls, names: Sequence[str], given: Sequence[Any]) -> "Fold | None":
        """The fold of real arguments; None if all of them are plain."""
        holders = tuple(_holder(name, value) for name, value in zip(names, given, strict=True))
        return None if all(holder.how == "plain" for holder in holders) else cls(holders)


def _holder(name: str, value: Any) -> Holder:
    if isinstance(value, Mapping) and value:
        return Holder(name, "dict", tuple(value))
    if isinstance(value, SimpleNamespace):
        return Holder(name, "names", tuple(vars(value)))
    if isinstance(value, (list, tuple)) and value and not isinstance(value[0], (bool, int, float, str)):
        return Holder(name, "list" if isinstance(value, list) else "tuple", tuple(str(i) for i in range(len(value))))
    return Holder(name)
