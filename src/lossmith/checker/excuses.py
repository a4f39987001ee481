"""Findings that are known: allowed for a reason, or expected to fail until they are mended.

An allowed finding is not reported. An expected failure is not either, as long as it fails; once the rule passes, that
is an error: the expectation would hide the next one. With `strict`, an allowance that is not needed is an error too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lossmith.checker.facts import every_code
from lossmith.checker.finding import Finding, Status
from lossmith.errors import SettingError, message


@dataclass(frozen=True)
class Excuses:
    """Codes with reasons; a reason is mandatory."""

    allowed: Mapping[str, str] = field(default_factory=dict[str, str])
    expected: Mapping[str, str] = field(default_factory=dict[str, str])
    strict: bool = False

    def __post_init__(self) -> None:
        known = every_code()
        for word, codes in (("allow", self.allowed), ("expected_failures", self.expected)):
            for code, reason in codes.items():
                if code not in known:
                    raise SettingError(message(f"{word}: {code!r} is no rule", {"rules": ", ".join(known)}))
                if not isinstance(reason, str) or not reason.strip():
                    raise SettingError(message(f"{word}: {code} has no reason", fix=f"{{{code!r}: 'why'}}"))

    def and_allowed(self, more: Mapping[str, str]) -> "Excuses":
        return Excuses({**more, **self.allowed}, self.expected, self.strict)


def settle(
    findings: Sequence[Finding], statuses: Mapping[str, Status], excuses: Excuses, location: str
) -> tuple[list[Finding], dict[str, Status]]:
    """Findings and statuses as the excuses leave them."""
    kept, answers = list(findings), dict(statuses)
    excused = {**excuses.allowed, **{code: f"expected: {why}" for code, why in excuses.expected.items()}}
    for code, reason in excused.items():
        status = answers.get(code)
        if status is None:
            continue
        if status.status == "failed":
            kept = [finding for finding in kept if finding.code != code]
            answers[code] = Status("allowed", reason)
        elif status.status in ("passed", "not applicable") and (code in excuses.expected or excuses.strict):
            kept.append(_needless(code, reason, status, code in excuses.expected, location))
            answers[code] = Status("failed")
    return kept, answers


def _needless(code: str, reason: str, status: Status, expected: bool, location: str) -> Finding:
    word = "is expected to fail" if expected else "is allowed"
    return Finding(
        code,
        every_code()[code],
        "error",
        "proved",
        f"{code} {word}, and there is nothing to find",
        {"reason given": reason.removeprefix("expected: "), "the rule": status.status},
        fix="take the expectation out" if expected else "take the allowance out",
        location=location,
    )
