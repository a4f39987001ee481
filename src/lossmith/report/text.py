"""A report as text: stable, aligned, and readable without colour.

    examples/first_drafts.py:12  RMSE  1 error
      takes   pred: real[N], target: real[N]  (inferred, sure)
      pin     --pred 'real[N]' --target 'real[N]'

      LS104 nan-at-perfect-prediction  error, measured  examples/first_drafts.py:15
        the gradient is not finite where the prediction is perfect
          pred      [0.5, -1.2]
        why     sqrt has an infinite slope at 0
        fix     torch.linalg.vector_norm
        allow   --ignore LS104

      1 failed, 15 passed, 4 not applicable, 1 skipped  (1.3 s)
        skipped   LS301: no half precision kernel

A line is a list of spans, each with a role. Plain text drops the roles, a terminal paints them, and so both
say the same words. Flags and code are never wrapped: a copied line must work.
"""

import io
from collections.abc import Iterable, Iterator
from itertools import chain
from textwrap import wrap
from typing import TYPE_CHECKING, Literal

from lossmith.checker.finding import Finding, LossReport, Report, Verdict
from lossmith.report import words

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

Role = Literal["plain", "title", "code", "problem", "error", "warning", "info", "clean", "quiet"]
Line = list[tuple[str, Role]]

STYLES: dict[Role, str] = {
    "plain": "",
    "title": "bold",
    "code": "bold",
    "problem": "bold magenta",
    "error": "bold red",
    "warning": "yellow",
    "info": "cyan",
    "clean": "green",
    "quiet": "dim",
}
LABEL = 8  # the column of takes, pin, why, fix, allow
EVIDENCE = 10  # the column of the evidence, wider when a label needs it
NARROWEST = 24  # below this, wrapping leaves one word a line
HINT = "--verbose prints, for each finding, the lines of Python that show it without lossmith"
BLANK: Line = []


def render(
    report: Report, *, colour: bool = False, width: int | None = None, verbose: bool = False, facts: bool = True
) -> str:
    """The report as text without a last newline.

    colour     paint with ANSI escapes; the words are the same
    width      wrap prose at this column; None leaves each sentence on its line
    verbose    print reproducers and the reasons of rules that do not apply
    facts      print the facts too, where they were asked for
    """
    lines = _report(report, width, verbose, facts)
    if not colour:
        return "\n".join("".join(text for text, _ in line) for line in lines)
    from rich.console import Console

    page = io.StringIO()
    # no_color and color_system are set, or NO_COLOR and TERM would answer for the caller
    terminal = Console(file=page, force_terminal=True, color_system="standard", no_color=False, width=80)
    _paint(lines, terminal)
    return page.getvalue().removesuffix("\n")


def show(report: Report, console: "Console | None" = None, *, verbose: bool = False, facts: bool = True) -> None:
    """Print the report to a rich console; a terminal gets colour and wrapped prose, a pipe gets neither."""
    from rich.console import Console

    console = console or Console()
    _paint(_report(report, console.width if console.is_terminal else None, verbose, facts), console)


def _paint(lines: Iterable[Line], console: "Console") -> None:
    for line in lines:
        console.print(_text(line, console.encoding), soft_wrap=True)


def _text(line: Line, encoding: str) -> "Text":
    from rich.text import Text

    def printable(text: str) -> str:  # a pipe on Windows may not hold the Greek name of an argument
        return text.encode(encoding, "backslashreplace").decode(encoding)

    return Text.assemble(*((printable(text), STYLES[role]) for text, role in line), end="")


def _report(report: Report, width: int | None, verbose: bool, facts: bool) -> Iterator[Line]:
    for loss in report:
        yield from _loss(loss, width, verbose)
        yield from _facts(loss, width) if facts else ()
        yield BLANK
    if not verbose and any(finding.reproducer for finding in report.findings):
        yield [(HINT, "quiet")]
    yield [(words.summary(report), "title")]


def _loss(loss: LossReport, width: int | None, verbose: bool) -> Iterator[Line]:
    yield _title(loss)
    yield from _contract(loss, width)
    for note in loss.notes:
        yield from _row("note", note, 2, LABEL, width)
    if loss.problem:
        yield from _block(loss.problem, 4, width)
    for finding in loss.findings:
        yield BLANK
        yield from _finding(finding, loss.location, width, verbose)
    if loss.statuses or not loss.problem:
        if loss.findings:
            yield BLANK
        yield from _answers(loss, width, verbose)


def _title(loss: LossReport) -> Line:
    location, name = words.inline(loss.location), words.inline(loss.name)
    start: Line = [(f"{location}  ", "plain")] if location else []
    return [*start, (name, "title"), ("  ", "plain"), (words.verdict(loss), words.mood(loss))]


def _contract(loss: LossReport, width: int | None) -> Iterator[Line]:
    if loss.contract is None:
        return
    yield from _row("takes", str(loss.contract), 2, LABEL, width)
    if loss.contract.pin:
        yield from _row("pin", loss.contract.pin, 2, LABEL, None)


def _finding(finding: Finding, home: str, width: int | None, verbose: bool) -> Iterator[Line]:
    yield _headline(finding, home)
    yield from _block(finding.message, 4, width)
    column = max(EVIDENCE, *(len(words.inline(label)) + 2 for label in finding.evidence), 0)
    for label, value in finding.evidence.items():
        yield from _row(label, value, 6, column, width)
    for label, text in (("why", finding.why), ("fix", finding.fix)):
        if text:
            yield from _row(label, text, 4, LABEL, width)
    yield from _row("allow", words.allow(finding), 4, LABEL, None)
    if verbose and finding.reproducer:
        yield [("    reproduce", "quiet")]
        yield from _block(finding.reproducer.strip("\n"), 6, None)


def _headline(finding: Finding, home: str) -> Line:
    line: Line = [
        ("  ", "plain"),
        (f"{words.inline(finding.code)} {words.inline(finding.name)}", "code"),
        ("  ", "plain"),
        (finding.severity, finding.severity),
        (f", {finding.grade}", "plain"),
    ]
    if finding.location and finding.location != home:
        line.append((f"  {words.inline(finding.location)}", "plain"))
    return line


def _answers(loss: LossReport, width: int | None, verbose: bool) -> Iterator[Line]:
    yield [(f"  {words.counts(loss)}", "plain")]
    shown: tuple[Verdict, ...] = ("skipped", "allowed", *(("not applicable",) if verbose else ()))
    rows = [(answer, reason) for answer in shown for reason in words.reasons(loss, answer)]
    column = max((len(answer) + 2 for answer, _ in rows), default=0)
    last = ""
    for answer, (codes, reason) in rows:
        yield from _row("" if answer == last else answer, f"{codes}: {reason}", 4, column, width)
        last = answer


def _facts(loss: LossReport, width: int | None) -> Iterator[Line]:
    if not loss.facts:
        return
    yield BLANK
    yield [("  facts", "plain")]
    labels = [f"{fact.code} {fact.name}" for fact in loss.facts]
    column = max(map(len, labels)) + 2
    for number, (label, fact) in enumerate(zip(labels, loss.facts, strict=True)):
        again = number > 0 and labels[number - 1] == label
        yield from _row("" if again else label, words.fact(fact), 4, column, width)


def _row(label: str, text: str, indent: int, column: int, width: int | None) -> Iterator[Line]:
    """A quiet label, and the text beside it; what does not fit goes on below the text, not the label."""
    lines = _fold(text, indent + column, width)
    yield [(" " * indent, "plain"), (words.inline(label).ljust(column), "quiet"), (lines[0], "plain")]
    yield from (_indented(line, indent + column) for line in lines[1:])


def _block(text: str, indent: int, width: int | None) -> Iterator[Line]:
    yield from (_indented(line, indent) for line in _fold(text, indent, width))


def _indented(text: str, indent: int) -> Line:
    return [(" " * indent + text, "plain")] if text else BLANK


def _fold(text: str, indent: int, width: int | None) -> list[str]:
    """The lines of `text`, each wrapped to the room that is left; at least one."""
    lines = words.visible(text).split("\n")
    if width is None:
        return lines
    room = max(width - indent, NARROWEST)
    wrapped = (wrap(line, room, break_long_words=False, break_on_hyphens=False) or [""] for line in lines)
    return list(chain.from_iterable(wrapped))
