"""A report as a notebook shows it: the page of `report.html`, in a frame that runs nothing and asks for nothing.

The page is put into `srcdoc` of a sandboxed frame: whatever a stranger's code has named itself stays inside.
"""

from html import escape

from lossmith.checker.finding import Report
from lossmith.report import words

ROW = 60  # pixels that one more finding is given, up to a height at which the frame scrolls
LOWEST, HIGHEST = 320, 900


def fragment(report: Report) -> str:
    """One `<iframe>`; without jinja2 or matplotlib the words of the terminal in a `<pre>`."""
    try:
        from lossmith.report.html import render

        page = render(report)
    except ImportError:
        return f"<pre>{escape(words.visible(str(report)))}</pre>"
    height = min(HIGHEST, LOWEST + ROW * (len(report.findings) + 4 * sum(loss.pictures is not None for loss in report)))
    return (
        f'<iframe sandbox="" srcdoc="{escape(page, quote=True)}" title="lossmith report" '
        f'style="width:100%;height:{height}px;border:0"></iframe>'
    )
