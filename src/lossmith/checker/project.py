"""What pyproject.toml says to the checker, for all losses and for one.

[tool.lossmith]
ignore = ["LS608"]
allow = { LS502 = "batch Dice is coupled by design" }
range = 100.0                                # no prediction is larger than this

[tool.lossmith."package.module:MyLoss"]      # or "losses.py:MyLoss"
contract = { pred = "logits[N,C]", target = "index[N]" }
allow = { LS501 = "divides by the tokens, as documented" }
expected_failures = { LS104 = "issue 12" }
"""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lossmith.checker.place import Place
from lossmith.errors import SettingError, message

_FOR_ALL = ("select", "ignore", "allow", "expected_failures", "range")
_FOR_ONE = ("contract", "allow", "expected_failures", "range")


@dataclass(frozen=True)
class Said:
    """What holds for one loss; what is said for it alone goes before what is said for all."""

    contract: Mapping[str, str] = field(default_factory=dict[str, str])
    allow: Mapping[str, str] = field(default_factory=dict[str, str])
    expected: Mapping[str, str] = field(default_factory=dict[str, str])
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    range: float | None = None


def said_of(place: Place, name: str) -> Said:
    """What the pyproject.toml of this folder, or the nearest one above it, says of a loss."""
    folder, table = _table()
    if table is None:
        return Said()
    own: Mapping[str, Any] = next((table[key] for key in _keys(place, name, folder) if key in table), {})
    _refuse(folder, "[tool.lossmith]", {k: v for k, v in table.items() if ":" not in k}, _FOR_ALL)
    flat = {key: text for key, text in own.items() if isinstance(text, str)}  # pred = "..." beside `contract`
    _refuse(folder, f'[tool.lossmith."{name}"]', {k: v for k, v in own.items() if k not in flat}, _FOR_ONE)
    return Said(
        {**flat, **own.get("contract", {})},
        {**table.get("allow", {}), **own.get("allow", {})},
        {**table.get("expected_failures", {}), **own.get("expected_failures", {})},
        tuple(table.get("select", ())),
        tuple(table.get("ignore", ())),
        own.get("range", table.get("range")),
    )


def table_of(place: Place, name: str) -> dict[str, str]:
    """What pyproject.toml says a loss takes."""
    return dict(said_of(place, name).contract)


def _table() -> tuple[Path, dict[str, Any] | None]:
    for folder in (Path.cwd(), *Path.cwd().parents):
        project = folder / "pyproject.toml"
        if project.is_file():
            try:
                return folder, tomllib.loads(project.read_text(encoding="utf-8")).get("tool", {}).get("lossmith", {})
            except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
                raise SettingError(message(f"{project} cannot be read", {"error": str(error)})) from None
    return Path.cwd(), None


def _keys(place: Place, name: str, folder: Path) -> list[str]:
    """How a table may call the loss: by the target as given, by its file, by the module that the file is."""
    if not place.is_file:
        return [f"{place.source}:{name}"]
    path = Path(place.source).resolve()
    parts = path.with_suffix("").parts
    dotted = [".".join(parts[-count:]) for count in range(1, len(parts))]
    inside = [path.relative_to(folder).as_posix()] if path.is_relative_to(folder) else []
    return [f"{source}:{name}" for source in (place.source, *inside, path.name, *dotted)]


def _refuse(folder: Path, where: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    tables, numbers = ("allow", "expected_failures", "contract"), ("range",)
    for key, value in given.items():
        if key not in known:
            close = difflib.get_close_matches(key, known, 1, 0.5)
            raise SettingError(
                message(
                    f"{folder / 'pyproject.toml'}: {where} has no setting {key!r}",
                    {"settings": ", ".join(known)},
                    fix=f"did you mean {close[0]}?" if close else None,
                )
            )
        wanted = dict if key in tables else (int, float) if key in numbers else list
        if not isinstance(value, wanted):
            word = "a table" if key in tables else "a number" if key in numbers else "a list"
            raise SettingError(
                message(f"{folder / 'pyproject.toml'}: {key} in {where} is {word}", {"given": repr(value)})
            )
