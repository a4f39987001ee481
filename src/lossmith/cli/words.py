"""What several commands read from their arguments."""

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lossmith.errors import SettingError, message

STDOUT = "-"


def setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise SettingError(message(f"--arg {text}: not NAME=VALUE", fix="such as --arg gamma=2"))
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value  # a bare word is a string


def flags_of(pred: str | None, target: str | None, others: Sequence[str]) -> dict[str, str]:
    from lossmith.domains import Domain

    flags = {name: text for name, text in (("pred", pred), ("target", target)) if text is not None}
    for text in others:
        name, equals, domain = text.partition("=")
        if not equals:
            raise SettingError(message(f"--input {text}: not NAME=KIND[AXES]", fix="such as --input mask=mask[N]"))
        flags[name] = domain
    for text in flags.values():
        Domain.parse(text)
    return flags


def split(codes: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(code.strip().upper() for text in codes or () for code in text.split(",") if code.strip())


def writable(*files: str | None) -> None:
    """A file that cannot be written is said before the work, not after it."""
    for file in files:
        if file is not None and file != STDOUT and not Path(file).resolve().parent.is_dir():
            raise SettingError(
                message(
                    f"{file} cannot be written", fix=f"mkdir -p {Path(file).parent}", why="its folder does not exist"
                )
            )
