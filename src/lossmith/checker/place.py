"""Where a target is: taken apart and looked for before any process starts, without importing a framework."""

import difflib
from dataclasses import dataclass
from pathlib import Path

from lossmith.errors import TargetError, message


@dataclass(frozen=True)
class Place:
    """A target taken apart: a file or a dotted module, and the name of one loss in it (or none: all)."""

    text: str
    source: str
    name: str = ""

    @property
    def is_file(self) -> bool:
        return self.source.endswith(".py")

    @classmethod
    def parse(cls, text: str) -> "Place":
        source, colon, name = text.rpartition(":")
        if not colon or (len(source) == 1 and name[:1] in "\\/"):  # a drive letter is no module
            source, name = text, ""
        if not source.endswith(".py") and ("/" in source or "\\" in source or Path(source).is_dir()):
            raise TargetError(
                message(
                    f"{text}: not a Python file",
                    fix="give a file (losses.py), one loss in it (losses.py:Name) or a module (package.module:Name)",
                )
            )
        if source.endswith(".py") and not Path(source).is_file():
            raise TargetError(message(f"{source}: there is no such file", fix=_nearby(source)))
        return cls(text, source, name)


def _nearby(text: str) -> str | None:
    folder = Path(text).parent
    if not folder.is_dir():
        return None
    close = difflib.get_close_matches(Path(text).name, [p.name for p in folder.glob("*.py")], 1, 0.5)
    return f"did you mean {folder / close[0]}?" if close else None


def relative(path: str) -> str:
    """A path as seen from the working directory, where it lies below it."""
    try:
        return str(Path(path).resolve().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return path
