"""What is said where the names of tasks do not fit: one message for every framework and every dict."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from lossmith.errors import SettingError, message


def require_names(caller: str, losses: object, taken: Iterable[str] = ()) -> None:
    """Refuse tasks that cannot be names of submodules; `taken` are names that the framework needs itself."""
    if not isinstance(losses, Mapping) or not losses:
        fix = f"{caller}({{'seg': ..., 'depth': ...}})"
        raise SettingError(message(f"{caller} needs a loss for each task, by name", {"given": repr(losses)}, fix=fix))
    for name in losses:
        if not isinstance(name, str) or not name or "." in name or "/" in name:
            raise SettingError(message(f"{caller}: a task is named by a word", {"given": repr(name)}))
        if name in taken:
            raise SettingError(f"{caller}: a task cannot be called {name!r}, which the framework uses itself")


def require_tasks(caller: str, what: str, tasks: Iterable[str], given: Any) -> None:
    """Refuse a dict that lacks a task, or has one that does not exist."""
    require_known(caller, what, tasks, given)
    missing = [name for name in tasks if name not in given]
    if missing:
        found = ", ".join(map(str, given)) or "none"
        raise SettingError(
            message(
                f"{caller}: {what} lacks the task{'s' if len(missing) > 1 else ''} {', '.join(map(repr, missing))}",
                {"tasks": ", ".join(tasks), what: found},
            )
        )


def require_known(caller: str, what: str, tasks: Iterable[str], given: Any) -> None:
    """Refuse what is no dict by task, or names a task that does not exist."""
    if not isinstance(given, Mapping):
        found = {"given": f"{type(given).__module__}.{type(given).__qualname__}"}
        fix = f"{{{', '.join(f'{name!r}: ...' for name in tasks)}}}"
        raise SettingError(message(f"{caller}: {what} must be a dict by task", found, fix=fix))
    if unknown := [name for name in given if name not in tasks]:
        near = difflib.get_close_matches(str(unknown[0]), [*tasks], 1, 0.5)
        raise SettingError(
            message(
                f"{caller}: {what} names a task {unknown[0]!r}, of which there is no loss",
                {"tasks": ", ".join(tasks)},
                fix=f"did you mean {near[0]!r}?" if near else None,
            )
        )
