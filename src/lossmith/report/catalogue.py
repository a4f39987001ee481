"""The catalogue as text: a table of losses, one loss in full, and the page `docs/losses.md`.

`shown_examples` writes the numpy example of a loss for every framework; the tests run each of them.
"""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lossmith.entries import TASKS, Entry, Face, faces

if TYPE_CHECKING:
    from rich.table import Table

WIDE = 150  # columns, from which claims fit beside the names
# How an array of the numpy example is written elsewhere, and what must be imported for it.
ARRAYS = {
    "numpy": ("np.array(", "import numpy as np"),
    "jax": ("jnp.array(", "import jax.numpy as jnp"),
    "tensorflow": ("tf.constant(", "import tensorflow as tf"),
}


def table(entries: Sequence[Entry], width: int, compositions: bool = False) -> "Table":
    """One line a loss, for a terminal; claims only where there is room for them. Compositions come last."""
    from rich.table import Table

    wide = width >= WIDE
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("formula", "torch", "keras", *(["claims"] if wide else [])):
        made.add_column(column, overflow="fold", no_wrap=wide and column != "claims")
    task = ""
    for entry in entries:
        if entry.task != task:
            made.add_row(f"[bold]{entry.task}[/bold]", style="", end_section=False)
        named = [", ".join(face.name for face in own) for own in (entry.torch, entry.keras)]
        made.add_row(f"  {entry.name}", *named, *([" ".join(entry.claims)] if wide else []))
        task = entry.task
    alone = _compositions() if compositions else []
    if alone:
        made.add_row("[bold]made of losses[/bold]")
    for stem in dict.fromkeys(face.name.removesuffix("Loss") for face in alone):
        own = {face.framework: face.name for face in _namesakes(stem)}
        made.add_row("", own.get("torch", ""), own.get("keras", ""), *([""] if wide else []))
    return made


def as_json(entries: Sequence[Entry]) -> str:
    """Every entry with its fields; faces by name."""
    rows: list[dict[str, Any]] = [
        {
            "name": entry.name,
            "task": entry.task,
            "summary": entry.summary,
            "shapes": entry.shapes,
            "takes": dict(entry.takes),
            "keywords": {name: repr(default) for name, default in entry.keywords.items()},
            "claims": list(entry.claims),
            "source": entry.source,
            "torch": [face.name for face in entry.torch],
            "keras": [face.name for face in entry.keras],
        }
        for entry in entries
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False)


def in_full(found: Entry | Face) -> str:
    """One loss: equation, what it takes, parameters, claims, papers, an example in each framework."""
    return "\n".join(_of_face(found) if isinstance(found, Face) else _of_entry(found))


def _of_face(face: Face) -> Iterator[str]:
    """What composes losses, in each framework that has it."""
    for i, one in enumerate(_namesakes(face.name)):
        yield from [""] * (i > 0)
        yield f"{one.name}  lossmith.{one.framework}.{one.name}"
        if one.further:
            yield f"  formulas  {', '.join(sorted(one.further))}"
        yield ""
        yield from (f"  {line}".rstrip() for line in one.text.splitlines())


def _namesakes(name: str) -> list[Face]:
    """The compositions of one name; keras leaves the word Loss away."""
    return [
        face for face in faces() if not face.formula and face.name.removesuffix("Loss") == name.removesuffix("Loss")
    ]


def _compositions() -> list[Face]:
    """What is made of losses and is no row of a formula."""
    return [face for face in faces() if not (face.formula or face.further)]


def _of_entry(entry: Entry) -> Iterator[str]:
    yield f"{entry.name}  {entry.task}"
    yield f"  {entry.summary}."
    if entry.equation:
        yield ""
        yield from (f"    {line}" for line in entry.equation.splitlines())
    yield ""
    yield f"  takes     {', '.join(f'{name}: {kind}' for name, kind in entry.takes.items())}   {entry.shapes}"
    if entry.keywords:
        yield f"  keywords  {', '.join(f'{name}={default!r}' for name, default in entry.keywords.items())}"
    yield f"  claims    {', '.join(entry.claims) or 'none beyond its range'}"
    for own in (entry.torch, entry.keras):
        if own:
            yield f"  {own[0].framework:<8}  {', '.join(face.name for face in own)}"
    yield ""
    prose = entry.text.partition("\n\n")[2].partition(">>> ")[0].rstrip()
    yield from (f"  {line}".rstrip() for line in prose.splitlines())
    for framework, code in shown_examples(entry).items():
        yield ""
        yield f"  {framework}"
        yield from (f"    {line}".rstrip() for line in code.splitlines())


def shown_examples(entry: Entry) -> dict[str, str]:
    """The example of a loss in each framework: its own on numpy, jax and tensorflow, its faces' on torch and keras."""
    shown: dict[str, str] = {}
    lines = entry.example.splitlines()
    for framework, (array, imports) in ARRAYS.items():
        code = [line for line in lines if line.startswith((">>>", "...")) and "import numpy" not in line]
        head = [f">>> {imports}", f">>> from lossmith.formulas import {entry.name}"]
        if framework != "numpy":
            code = [line.replace("np.array(", array).replace(".round(6)", "") for line in code]
            head += [">>> import numpy as np"] if any("np." in line.replace(array, "") for line in code) else []
        else:
            code = [line for line in lines if "import numpy" not in line]
        shown[framework] = "\n".join([*head, *code])
    for own in (entry.torch, entry.keras):
        for face in own[:1]:
            first = [f">>> from lossmith.{face.framework} import {face.name}"]
            first += [">>> import torch"] if face.framework == "torch" else []
            shown[face.framework] = "\n".join([*first, face.example])
    return shown


def page(entries: Sequence[Entry]) -> str:
    """`docs/losses.md`."""
    parts = [
        "# Losses\n\n"
        "One formula each, for arrays of numpy, torch, jax, tensorflow and keras; the faces are modules and classes\n"
        "in the habits of their framework. `lossmith show NAME` prints one in full. This page is written by\n"
        "`lossmith list --markdown`; how accurate each formula is stands in [accuracy.md](accuracy.md).\n"
    ]
    for task in TASKS:
        rows = [entry for entry in entries if entry.task == task]
        if rows:
            parts.append(f"## {task.capitalize()}\n\n" + "\n".join(_rows(rows)) + "\n")
    alone = _compositions()
    if alone:
        lines = [f"| `lossmith.{face.framework}.{face.name}` | {_cell(face.summary)} |" for face in alone]
        parts.append("## Made of losses\n\n| name | what it is |\n| --- | --- |\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def _rows(entries: Sequence[Entry]) -> Iterator[str]:
    yield "| formula | what it is | `lossmith.torch` | `lossmith.keras` | claims | source |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for entry in entries:
        own = [", ".join(f"`{face.name}`" for face in faces_) for faces_ in (entry.torch, entry.keras)]
        claims = ", ".join(claim.replace("_", " ") for claim in entry.claims)
        yield f"| `{entry.name}` | {_cell(entry.summary)} | {own[0]} | {own[1]} | {claims} | {_cell(entry.source)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
