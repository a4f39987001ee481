"""What was measured is measured once more, in a fresh process, before it is told.

A loss may read a clock, a file or what another loss left behind. The second process asks the same inputs of the same
seed, since a fault may need them, and only the rules that found something; whatever else differs between two runs does
differ. What was proved needs no second run, and a loss that did not come back is not called again.
"""

from collections.abc import Collection
from dataclasses import replace

from lossmith.checker.finding import Finding, LossReport, Status
from lossmith.checker.rules import PROCESS_CODES

ONCE = Status("skipped", "seen once, not again in a fresh process")


def doubtful(report: LossReport) -> tuple[str, ...]:
    """The codes of a report that must be seen again before they are told."""
    return tuple(dict.fromkeys(finding.code for finding in report.findings if _measured(finding)))


def seen_twice(report: LossReport, again: Collection[str]) -> LossReport:
    """The report without the findings that were measured once and are not among the codes that came again."""
    lost = set(doubtful(report)) - set(again)
    kept = tuple(each for each in report.findings if each.code not in lost or not _measured(each))
    told = {finding.code for finding in kept}
    statuses = {code: ONCE if code in lost - told else status for code, status in report.statuses.items()}
    return replace(report, findings=kept, statuses=statuses)


def not_asked(report: LossReport, why: str) -> LossReport:
    """The report as it was, with a note that nobody looked twice."""
    first, _, _ = why.partition("\n")
    note = f"its findings were not asked again in a fresh process: {first}"
    return replace(report, notes=(*report.notes, note))


def _measured(finding: Finding) -> bool:
    return finding.grade == "measured" and finding.severity != "info" and finding.code not in PROCESS_CODES
