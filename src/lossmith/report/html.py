"""A report as one page of HTML: it fetches nothing, runs nothing, and says what the terminal says.

The page may show code of strangers, so there are three walls: jinja2 escapes every expression;
`words.visible` makes hidden characters of every string visible; and the page's own policy forbids scripts
and all requests but the styles and pictures that it holds itself.
"""

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from lossmith.checker.finding import Report
from lossmith.errors import missing_extra
from lossmith.report import curve, words

if TYPE_CHECKING:
    from jinja2 import Environment


def render(report: Report, *, title: str = "lossmith report") -> str:
    """The whole page. The same report gives the same page, byte for byte.

    Errors    MissingExtraError without jinja2 or matplotlib
    """
    environment = _environment()
    from markupsafe import Markup

    page = environment.from_string(_source("page.html.j2"))
    return page.render(
        report=report,
        title=title,
        style=Markup(_source("page.css")),
        pictures=[
            Markup(curve.svg(loss.curve, f"curve-{number}")) if loss.curve else None
            for number, loss in enumerate(report, 1)
        ],
        curve=curve,
        words=words,
    )


def _source(name: str) -> str:
    return files("lossmith.report").joinpath(name).read_text(encoding="utf-8")


def _environment() -> "Environment":
    try:
        import jinja2
        import matplotlib as matplotlib  # the curves need it later: say so before any work
    except ImportError as error:
        raise missing_extra("the HTML report", "jinja2 and matplotlib", "report") from error
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
