"""Which words of a report a rendering leaves out: the judge of every renderer."""

from collections.abc import Iterator

from lossmith.checker.finding import Finding, LossReport, Report


def left_out(report: Report, rendering: str, *, reproducers: bool = True) -> list[str]:
    """The words of `report` that are not in `rendering`; white space may differ, since prose is wrapped."""
    page = " ".join(rendering.split())
    words = (word for loss in report for word in _loss(loss, reproducers))
    return [word for word in words if " ".join(word.split()) not in page]


def _loss(loss: LossReport, reproducers: bool) -> Iterator[str]:
    yield from (loss.name, loss.location, loss.problem, *loss.notes)
    if loss.contract:
        yield from (str(loss.contract), loss.contract.pin)
    for finding in loss.findings:
        yield from _finding(finding, reproducers)
    for code, status in loss.statuses.items():
        if status.status in ("skipped", "allowed"):
            yield from (code, status.status, status.reason)


def _finding(finding: Finding, reproducers: bool) -> Iterator[str]:
    yield from (f"{finding.code} {finding.name}", f"{finding.severity}, {finding.grade}", finding.message)
    yield from (f"{label} {value}" for label, value in finding.evidence.items())
    yield from (finding.why, finding.fix, finding.location, f"--ignore {finding.code}")
    if reproducers:
        yield finding.reproducer
