"""What is shown of a stranger's loss: where it is, what it takes, its mathematics and its facts."""

from collections.abc import Iterator, Mapping
from textwrap import indent
from typing import Any


def in_text(shown: Mapping[str, Any]) -> str:
    """One loss, as data of `lossmith.checker.study.Shown`."""
    return "\n".join(_lines(shown))


def in_latex(shown: Mapping[str, Any]) -> str:
    """Loss and derivatives of one loss, alone; whose they are, or why there are none, as a comment."""
    said = f"{shown['name']}  {shown['location']}"
    said += f"\nnot shown: {shown['problem']}" if shown.get("problem") else ""
    return "\n".join([indent(said, "% "), *([shown["derived"]] if shown.get("derived") else [])])


def _lines(shown: Mapping[str, Any]) -> Iterator[str]:
    yield f"{shown['name']}  {shown['location']}"
    if shown.get("takes"):
        yield f"  takes     {', '.join(f'{name}: {domain}' for name, domain in shown['takes'].items())}"
    for note in shown.get("notes", ()):
        yield indent(note, "  note      ").replace("\n  note    ", "\n          ")
    for title in ("derived", "facts"):
        if shown.get(title):
            yield f"\n  {title}\n{indent(shown[title], '    ')}"
    if shown.get("problem"):
        yield f"  not shown {shown['problem']}".replace("\n", "\n    ")
