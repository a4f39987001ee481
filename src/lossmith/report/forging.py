"""A forged loss in a few lines: what it takes, what was rewritten, what was compared, what was written."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lossmith.forging import Forged

_CONVEX = {"curved": "convex", "straight": "convex, straight in places", "not convex": "not convex"}


def said(forged: "Forged") -> str:
    """The lines, the last of which says where the files are."""
    return "\n".join(_lines(forged))


def _lines(forged: "Forged") -> Iterator[str]:
    yield f"{forged.name} ({forged.to}): pred is {forged.pred}, target is {forged.target}; {_CONVEX[forged.convex]}"
    for one in forged.rewrites:
        yield f"  rewritten  {one}"
    if forged.compared:
        yield f"  compared   {forged.compared} numbers with fifty digits, in {forged.to.partition('-')[0]} itself"
    yield from (f"  note       {note}" for note in forged.notes)
    if forged.ok:
        yield "  checked    no finding of the checker is an error"
    else:
        yield from (f"  failed     {problem}" for problem in forged.problems)
        if forged.report:
            yield f"\n{forged.report}\n"
    yield from (f"  written    {path}" for path in forged.written)
