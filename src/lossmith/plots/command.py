"""`lossmith plot`: from what was typed to a file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lossmith.checker.process import Options
from lossmith.errors import SettingError, message
from lossmith.plots import files, lines, planes
from lossmith.plots.pages import interactive
from lossmith.plots.sampled import Span, curve_of, name_of, surface_of


@dataclass(frozen=True)
class Wanted:
    """What was asked for; `kind` is curve, surface, contour or field."""

    losses: tuple[str, ...]
    kind: str
    vary: Mapping[str, Sequence[Any]]
    settings: Mapping[str, Any]
    span: Span | None
    points: int | None
    output: str | None
    force: bool
    options: Options


def draw(wanted: Wanted) -> str:
    """Draw, write, and say what was written: the path, and what is on the picture."""
    title = ", ".join(name_of(loss) for loss in wanted.losses)
    path = files.require_writable(wanted.output or f"{_word(title)}.png", wanted.force)
    if wanted.kind != "curve":
        if len(wanted.losses) > 1 or wanted.vary:
            raise SettingError(message(f"--{wanted.kind} draws one loss at one setting", {"losses": title}))
        return _plane(wanted, path, title)
    made = curve_of(
        *wanted.losses,
        vary=wanted.vary,
        settings=wanted.settings,
        span=wanted.span,
        points=wanted.points,
        options=wanted.options,
    )
    if path.suffix.lower() == ".html":
        files.write(interactive(made, title=title), path, force=wanted.force)
    else:
        files.save(lines.draw(made, title=title), path, force=wanted.force)
    return f"{path}: {', '.join(series.label for series in made.series)}, along {made.xlabel}"


def _plane(wanted: Wanted, path: Path, title: str) -> str:
    made = surface_of(
        wanted.losses[0],
        settings=wanted.settings,
        span=wanted.span,
        points=wanted.points or planes.GRID,
        options=wanted.options,
    )
    if path.suffix.lower() == ".html":
        files.write(interactive(made, title=title, field=wanted.kind == "field"), path, force=wanted.force)
    else:
        shape = {"surface": planes.surface, "contour": planes.contour, "field": planes.gradient_field}[wanted.kind]
        axes = shape(made)
        axes.set_title(title, loc="left", fontweight="bold")
        files.save(axes, path, force=wanted.force)
    low = ", ".join(f"{number:.4g}" for number in made.minimum)
    return (
        f"{path}: {made.xlabel} and {made.ylabel}; lowest at ({low.rpartition(', ')[0]}) with {low.rpartition(', ')[2]}"
    )


def _word(title: str) -> str:
    """A name for a file out of the names of the losses."""
    kept = "".join(letter if letter.isalnum() or letter in "_-" else "-" for letter in title.replace(", ", "-"))
    return kept[:80] or "loss"
