"""Which rules a user wants to hear."""

from dataclasses import dataclass

from lossmith.checker.facts import every_code
from lossmith.errors import SettingError, message


@dataclass(frozen=True)
class Selection:
    """Which rules run: those whose code starts with an entry of `select` (all if empty) and of none of `ignore`."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for entry in (*self.select, *self.ignore):
            if not entry or not any(code.startswith(entry) for code in every_code()):
                raise SettingError(
                    message(
                        f"{entry!r} is no rule",
                        {"rules": ", ".join(every_code())},
                        fix="a code or its start: LS104, LS1",
                    )
                )

    def ignored(self, code: str) -> bool:
        return bool(self.ignore) and code.startswith(self.ignore)

    def wants(self, code: str) -> bool:
        return not self.select or code.startswith(self.select)
