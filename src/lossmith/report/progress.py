"""How far a check is, on a terminal: a bar over the losses found, and what was said last. A pipe gets none."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from lossmith.checker.finding import LossReport
from lossmith.report import words


@dataclass
class Shown:
    """Told of what begins and ends, from any thread."""

    bar: Progress
    task: Any
    total: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def expect(self, target: str, names: list[str]) -> None:
        with self.lock:
            self.total += len(names)
            self.bar.update(self.task, total=self.total, description=words.inline(target))

    def done(self, report: LossReport) -> None:
        said = f"{words.inline(report.name)}: {words.verdict(report)}"
        with self.lock:
            self.bar.update(self.task, advance=1, description=said[:60])


@contextmanager
def progress(console: Console) -> Iterator[Shown]:
    """A bar that is gone when the work is done."""
    columns = (SpinnerColumn(), BarColumn(30), MofNCompleteColumn(), TimeElapsedColumn(), _Words())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield Shown(bar, bar.add_task("starting", total=None))


class _Words(TextColumn):
    """The description as plain text: a name from a user's code is no markup."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Any) -> Text:
        return Text(str(task.description))
