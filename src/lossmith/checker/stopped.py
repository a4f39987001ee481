"""Findings about losses that do not come back: LS613 does-not-finish, LS614 ends-the-process, LS615 exhausts-memory.

What they check
    A call of the loss returns, in the process in which it was made, within the memory that a batch of six can need.

Why it matters
    A loss that hangs, exits, crashes the interpreter or allocates without bound takes the training run with it.

When to allow it
    Never. A loss that is slow, and comes back from every call, is not accused: it is not checked, and --timeout gives
    it more time.
"""

from lossmith.checker.finding import Finding, LossReport, Status
from lossmith.checker.rules import PROCESS_CODES, known_codes

_FIXES = {
    "LS613": "look for a loop whose end depends on the data; --timeout gives a slow loss more time",
    "LS614": "raise an exception instead of leaving the process; a crash in native code needs its inputs checked first",
    "LS615": "look for an intermediate of N x N or larger, or a list that grows with every call",
}


def stopped_report(
    name: str, location: str, code: str, what: str, evidence: dict[str, str] | None = None, seconds: float = 0.0
) -> LossReport:
    """The report of a loss whose examination was cut short: one finding, every rule skipped with the reason."""
    finding = Finding(
        code, PROCESS_CODES[code], "error", "measured", what, evidence or {}, "", _FIXES[code], location, ""
    )
    reason = f"the loss did not come back ({code})"
    statuses = {rule: Status("skipped", reason) for rule in known_codes() if rule not in PROCESS_CODES}
    statuses[code] = Status("failed")
    return LossReport(name, location, None, (finding,), statuses, seconds)
