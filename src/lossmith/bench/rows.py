"""Rows of a benchmark: a table to read, and lines of a file that keeps them."""

import csv
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import torch
from rich.table import Table

from lossmith import __version__


@dataclass(frozen=True)
class Row:
    """One way to compute one loss. Ratios are to the first way of the run; moved is None where it cannot be seen."""

    formula: str
    sizes: str
    dtype: str
    way: str
    median_ms: float
    ratio: float
    ratio_p20: float
    ratio_p80: float
    extra_bytes: int
    moved_bytes: int | None
    total: float | None

    @property
    def is_floor(self) -> bool:
        return self.way.startswith("floor")


def table(rows: Sequence[Row], absent: Sequence[str] = ()) -> Table:
    """Time as a ratio to the first row, with its spread; memory and traffic in MiB."""
    first = rows[0]
    caption = "\n".join(absent) or None
    shown = Table(title=f"{first.formula}   {first.sizes}   {first.dtype}", caption=caption, caption_justify="left")
    for name in ("way", "ms", f"time / {first.way}", "20-80 %", "extra MiB", "moved MiB", "total"):
        shown.add_column(name, justify="left" if name == "way" else "right", no_wrap=True)
    for row in rows:
        shown.add_row(
            row.way,
            f"{row.median_ms:.3g}",
            f"{row.ratio:.2f}",
            f"{row.ratio_p20:.2f} - {row.ratio_p80:.2f}",
            "" if row.is_floor else f"{row.extra_bytes / 2**20:.1f}",
            "" if row.moved_bytes is None else f"{row.moved_bytes / 2**20:.0f}",
            "" if row.total is None else f"{row.total:.6g}",
        )
    return shown


def append(rows: Sequence[Row], file: Path) -> None:
    """Add the rows to a CSV file, with the day, the versions and the machine; a new file gets a first line of names."""
    where = {
        "day": date.today().isoformat(),
        "lossmith": __version__,
        "torch": torch.__version__,
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
    }
    new = not file.exists()
    with file.open("a", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        for number, row in enumerate(rows):
            values = {**where, **asdict(row)}
            if new and number == 0:
                writer.writerow(values)
            writer.writerow(f"{x:.5g}" if isinstance(x, float) else x for x in values.values())
