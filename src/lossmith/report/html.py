"""A report as one page of HTML: it fetches nothing, says what the terminal says, and shows what was measured.

The page may show code of strangers, so there are four walls: jinja2 escapes every expression; `words.visible` makes
hidden characters of every string visible; mathematics passes a closed list of elements; and the page's own policy
forbids all requests, and all scripts but the one whose hash it names. That script reads numbers and writes text.
"""

import json
from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lossmith.checker.finding import LossReport, Report
from lossmith.errors import SettingError, message, missing_extra
from lossmith.report import curve, mathml, precision, surface, words

if TYPE_CHECKING:
    from jinja2 import Environment

GENERATOR = "lossmith report"  # in the head of every page: how a file of ours is known before it is written over

PARTS = ("spark", "mathml", *(f"{name}{end}" for name in ("curve", "surface", "precision") for end in ("", "_probe")))


def render(report: Report, *, title: str = "lossmith report") -> str:
    """The whole page. The same report gives the same page, byte for byte.

    Errors    MissingExtraError without jinja2
    """
    environment = _environment()
    from markupsafe import Markup

    script = _source("page.js")
    page = environment.from_string(_source("page.html.j2"))
    return page.render(
        report=report,
        title=title,
        generator=GENERATOR,
        style=Markup(_source("page.css")),
        script=Markup(script),
        script_hash=Markup(b64encode(sha256(script.encode()).digest()).decode()),
        shown=[_pictures(loss, number) for number, loss in enumerate(report, 1)],
        curve=curve,
        precision=precision,
        surface=surface,
        words=words,
    )


def require_own(path: Path) -> None:
    """Refuse to write over what is there, unless it is a report of ours.

    Errors    SettingError for a file of the user's
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        start = file.read(4096)
    if f'<meta name="generator" content="{GENERATOR}">'.encode() not in start:
        raise SettingError(message(f"{path} exists, and is no report of ours", fix="another name, or --force"))


def _pictures(loss: LossReport, number: int) -> dict[str, Any]:
    """The pictures of one loss as markup, each with the numbers that the script reads; absent ones are absent."""
    from markupsafe import Markup

    made: dict[str, Any] = dict.fromkeys(PARTS)
    drawn = loss.pictures
    if drawn is None:
        return made
    if drawn.curve is not None:
        made["spark"] = Markup(curve.spark(drawn.curve))
    told = drawn.precision
    figures = {
        "curve": curve.figure(drawn.curve) if drawn.curve else None,
        "surface": surface.figure(drawn.surface) if drawn.surface else None,
        "precision": precision.figure(told) if told and precision.present(told) else None,
    }
    for name, one in figures.items():
        if one is not None:
            made[name] = Markup(one.svg)
            made[f"{name}_probe"] = Markup(_data(one.probe))
    if drawn.mathematics is not None:
        forms = [mathml.cleaned(line.mathml) for line in drawn.mathematics.lines]
        made["mathml"] = [None if form is None else Markup(form) for form in forms]
    return made


def _data(probe: dict[str, Any]) -> str:
    """JSON that cannot end the element it stands in."""
    text = json.dumps(probe, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _source(name: str) -> str:
    return files("lossmith.report").joinpath(name).read_text(encoding="utf-8")


def _environment() -> "Environment":
    try:
        import jinja2
    except ImportError as error:
        raise missing_extra("the HTML report", "jinja2", "report") from error
    return jinja2.Environment(
        autoescape=True,
        finalize=_finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _finalize(value: Any) -> Any:
    """Runs on every expression before it is escaped; only our own markup passes untouched."""
    from markupsafe import Markup

    return value if isinstance(value, Markup) else words.visible(str(value))
