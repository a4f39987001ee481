"""The sentences that every renderer says: verdicts, counts, reasons and the summary.

The terminal and the page must not drift apart, so what is more than one field of a finding is worded here.
`visible` is the one gate for text that came from a user's code: it leaves nothing that can move a cursor,
hide a character or turn the direction of writing.
"""

import unicodedata
from typing import Literal

from lossmith.checker.finding import Fact, Finding, LossReport, Report, Severity, Verdict

Mood = Literal["problem", "error", "warning", "clean"]
# Control, format and surrogate characters, and the separators that some readers take for a new line.
HIDDEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))


def visible(text: str, kept: str = "\n\t") -> str:
    """`text` with every character that cannot be seen, other than `kept`, written as its escape (\\x1b)."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        letter if letter in kept or unicodedata.category(letter) not in HIDDEN else _escape(letter)
        for letter in text.replace("\r\n", "\n")
    )


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def inline(text: str) -> str:
    """`visible` for a name or a place, which must stay on its line."""
    return visible(text, kept="")


def plural(count: int, noun: str, many: str | None = None) -> str:
    """`1 error`, `2 errors`."""
    return f"{count} {noun}" if count == 1 else f"{count} {many or noun + 's'}"


def seconds(value: float) -> str:
    """A duration for people: `0.4 s`, `12 s`."""
    return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"


def mood(loss: LossReport) -> Mood:
    """The worst that was found of a loss; each loss has one mood, so that moods add up to the losses."""
    if loss.problem:
        return "problem"
    found = {finding.severity for finding in loss.findings}
    return "error" if "error" in found else "warning" if "warning" in found else "clean"


def verdict(loss: LossReport) -> str:
    """The few words beside the name of a loss: `2 errors, 1 warning`, `clean`, `not checked`."""
    start = {"problem": ["not checked"], "clean": ["clean"]}.get(mood(loss), [])
    return ", ".join(start + _tally(loss.findings))


def _tally(findings: tuple[Finding, ...], always: tuple[Severity, ...] = ()) -> list[str]:
    counts = [(level, sum(f.severity == level for f in findings)) for level in ("error", "warning", "info")]
    return [
        plural(count, level, "info" if level == "info" else None) for level, count in counts if count or level in always
    ]


def counts(loss: LossReport) -> str:
    """How many rules gave each answer, and the time: `1 failed, 15 passed, 4 not applicable  (1.3 s)`."""
    answers = ", ".join(f"{count} {answer}" for answer, count in loss.counts().items())
    return f"{answers or 'no rule was run'}  ({seconds(loss.seconds)})"


def reasons(loss: LossReport, answer: Verdict) -> list[tuple[str, str]]:
    """Why rules gave this answer: (codes, reason), the rules that share a reason together, in their order."""
    groups: dict[str, list[str]] = {}
    for code, status in loss.statuses.items():
        if status.status == answer and status.reason:
            groups.setdefault(status.reason, []).append(code)
    return [(", ".join(codes), reason) for reason, codes in groups.items()]


def allow(finding: Finding) -> str:
    """The flag that keeps a rule quiet, for a user who has a reason."""
    return f"--ignore {finding.code}"


def fact(one: Fact) -> str:
    """The answer with its certificate: `convex  (proved; for -50 <= r <= 50)`."""
    return f"{one.verdict}  ({one.grade}{f'; {one.detail}' if one.detail else ''})"


def summary(report: Report) -> str:
    """The one line over all losses; the four kinds of loss add up to their number."""
    if not report.losses:
        return "0 losses: nothing was checked"
    findings = ", ".join(_tally(report.findings, always=("error", "warning")))
    time = seconds(sum(loss.seconds for loss in report.losses))
    return f"{plural(len(report.losses), 'loss', 'losses')}: {_kinds(report)}; {findings}; {time}"


def _kinds(report: Report) -> str:
    kinds: dict[Mood, str] = {
        "error": "with errors",
        "warning": "with warnings only",
        "clean": "clean",
        "problem": "not checked",
    }
    moods: list[Mood] = [mood(loss) for loss in report.losses]
    if len(moods) == 1:
        return kinds[moods[0]]
    return ", ".join(f"{moods.count(kind)} {words}" for kind, words in kinds.items())


def codes(loss: LossReport) -> str:
    """The codes that were found, each once, for an index: `LS104, LS402`."""
    return ", ".join(dict.fromkeys(finding.code for finding in loss.findings))


def duration(value: float) -> str:
    """A short time: `3.2 ns`, `41 \N{MICRO SIGN}s`, `1.2 ms`."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("\N{MICRO SIGN}s", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"


def size(count: float) -> str:
    """Bytes for people: `64 B`, `1.2 MiB`."""
    for unit, one in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= one:
            return f"{count / one:.3g} {unit}"
    return f"{count:.3g} B"
