"""One rule on one loss, as something that a test calls. The loss is examined once; each check tells one answer."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lossmith.checker import LossReport, Report, check, codes_of
from lossmith.checker.finding import Status
from lossmith.checker.rules import PROCESS_CODES, known_codes
from lossmith.checker.selection import Selection
from lossmith.errors import SettingError, message


class Examination:
    """The report of one loss, made when the first check asks for it."""

    def __init__(self, loss: Any, **said: Any) -> None:
        self.loss, self.said = loss, said

    @functools.cached_property
    def report(self) -> Report:
        return check(self.loss, **self.said)


@dataclass(frozen=True)
class Check:
    """Call it in a test: fails with the printed finding, skips where the rule has no answer, else passes."""

    code: str
    examination: Examination
    strict: bool = False

    def __call__(self, loss: Any = None) -> None:
        (report,) = self.examination.report.losses
        verdict(report, self.code, self.strict)

    def __repr__(self) -> str:
        return f"{self.code}-{known_codes()[self.code]}"


def verdict(report: LossReport, code: str, strict: bool = False) -> None:
    """Raise what pytest understands for the answer of one rule."""
    import pytest

    if report.problem:
        pytest.fail(report.problem, pytrace=False)
    status = report.statuses.get(code, Status("skipped", "the rule did not run"))
    failing = ("error", "warning") if strict else ("error",)
    found = tuple(finding for finding in report.findings if finding.code == code)
    if any(finding.severity in failing for finding in found):
        pytest.fail(str(Report((replace(report, findings=found, statuses={code: status}),))), pytrace=False)
    if status.status in ("skipped", "not applicable"):
        pytest.skip(f"{code}: {status.reason}")
    if status.status == "allowed":
        pytest.xfail(f"{code}: {status.reason}")


def checks_of(loss: Any, **said: Any) -> Iterator[Check]:
    """Every check of one loss that `select` and `ignore` leave; `said` is what `lossmith.check` takes."""
    strict = bool(said.get("strict", False))
    examination = Examination(loss, **said)
    chosen = Selection(codes_of(said.get("select")), codes_of(said.get("ignore")))
    for code in known_codes():
        if code not in PROCESS_CODES and chosen.wants(code) and not chosen.ignored(code):
            yield Check(code, examination, strict)


def parametrize_with_checks(
    losses: Sequence[Any],
    *,
    expected_failures: Mapping[str, Any] | Callable[[Any], Mapping[str, str]] | None = None,
    **said: Any,
) -> Any:
    """A pytest decorator: the test gets `loss` and `check`, once for each check of each loss.

    expected_failures  {code: reason} for all of them, {name: {code: reason}} by loss, or a function of the loss; one
                       that does not fail any more fails its test
    said               what `lossmith.check` takes: contract=, example=, select=, strict=, ...
    """
    import pytest

    rows: list[Any] = []
    for position, loss in enumerate(losses):
        name = name_of(loss)
        number = f"{position}" if [name_of(other) for other in losses].count(name) > 1 else ""
        expected = _expected(expected_failures, loss, name)
        for each in checks_of(loss, expected_failures=expected, **said):
            rows.append(pytest.param(loss, each, id=f"{name}{number}-{each!r}"))
    return pytest.mark.parametrize(("loss", "check"), rows)


def name_of(loss: Any) -> str:
    while isinstance(loss, functools.partial):
        loss = loss.func
    return str(getattr(loss, "__name__", type(loss).__name__))


def _expected(said: Any, loss: Any, name: str) -> Mapping[str, str]:
    if said is None:
        return {}
    if callable(said):
        told: Mapping[str, str] = said(loss)  # pyright: ignore[reportAssignmentType]
        return dict(told)
    values = list(said.values())
    if all(isinstance(value, str) for value in values):
        return dict(said)
    if not all(isinstance(value, Mapping) for value in values):
        form = "{'LS501': 'reason'} or {'MyLoss': {'LS501': 'reason'}}"
        raise SettingError(message("expected_failures mixes two forms", fix=form))
    return dict(said.get(name, {}))
