"""Mathematics from another process, let through word by word.

The process that writes an expression has run a stranger's code, so what it calls MathML is read as data: a closed
list of elements without attributes passes, and anything else makes the whole expression plain text.
"""

import re
from html import unescape
from xml.etree import ElementTree

from lossmith.report.words import visible

ELEMENTS = frozenset(
    "math mrow mi mn mo ms mtext mspace msup msub msubsup mover munder mfrac msqrt mroot mtable mtr mtd mstyle "
    "mfenced mpadded".split()
)
LONGEST, DEEPEST = 40_000, 60


def cleaned(text: str) -> str | None:
    """The same expression, written anew from what is allowed; None if it holds anything else."""
    if not text or len(text) > LONGEST or "<!" in text or "<?" in text:
        return None
    try:
        root = ElementTree.fromstring(re.sub(r"&(\w+);", _character, text))
    except (ElementTree.ParseError, ValueError):
        return None
    rows = list(root) if root.tag == "math" else [root]
    try:
        inside = "".join(_written(row, 0) for row in rows)
    except ValueError:
        return None
    return f'<math display="block">{inside}</math>'


def _character(entity: re.Match[str]) -> str:
    """The character of a named entity, which XML does not know; XML's own five stay."""
    own = {"InvisibleTimes": "\N{INVISIBLE TIMES}", "ExponentialE": "e", "ApplyFunction": ""}
    return entity[0] if entity[1] in ("amp", "lt", "gt", "quot", "apos") else own.get(entity[1], unescape(entity[0]))


def _written(element: ElementTree.Element, depth: int) -> str:
    if element.tag not in ELEMENTS or depth > DEEPEST:
        raise ValueError(element.tag)
    if element.tag == "mfenced":  # browsers dropped it: parentheses are operators of a row
        inside = "<mo>,</mo>".join(_written(child, depth + 1) for child in element)
        return f"<mrow><mo>(</mo>{inside}<mo>)</mo></mrow>"
    inside = "".join(_written(child, depth + 1) for child in element)
    return f"<{element.tag}>{_escaped(element.text)}{inside}</{element.tag}>"


def _escaped(text: str | None) -> str:
    if text == "\N{INVISIBLE TIMES}":
        return "&#8290;"  # browsers know that nothing is written there
    shown = visible((text or "").strip())
    shown = "\N{MINUS SIGN}" if shown == "-" else shown
    shown = "\N{GREEK SMALL LETTER SIGMA}" if shown == "sigmoid" else shown
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
