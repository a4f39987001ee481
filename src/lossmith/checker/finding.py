"""What the checker says: findings, statuses and reports, as data that every renderer reads.

A finding is a defect with its proof. A status is the answer of one rule for one loss; there are five:
passed, failed, not applicable, skipped (why) and allowed (why). Nothing is left out in silence. A fact is no defect:
it fails nothing, unless the loss declares the contrary.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from lossmith.checker.picture import Pictures

Severity = Literal["error", "warning", "info"]
Grade = Literal["proved", "measured", "heuristic"]
Certificate = Literal["proved", "measured", "open"]
Verdict = Literal["passed", "failed", "not applicable", "skipped", "allowed"]


@dataclass(frozen=True)
class Finding:
    """One defect of one loss.

    Severity   `error` fails the check; `warning` and `info` never do
    Grade      `proved` (exact), `measured` (a differential test), `heuristic` (never an error)
    Evidence   the actual values, in the order in which they are read, already rounded for people
    Why        a cause, printed only after it was tested; may be empty
    Reproducer a few lines of Python that show the defect without lossmith; may be empty
    """

    code: str
    name: str
    severity: Severity
    grade: Grade
    message: str
    evidence: Mapping[str, str] = field(default_factory=dict[str, str])
    why: str = ""
    fix: str = ""
    location: str = ""
    reproducer: str = ""


@dataclass(frozen=True)
class Status:
    """What one rule said of one loss; `reason` is mandatory for skipped and allowed."""

    status: Verdict
    reason: str = ""


@dataclass(frozen=True)
class Fact:
    """Something true of a loss that is no defect: the answer in words, how sure it is, and why or where.

    Grade   `proved` (on the interval that is told), `measured` (at points), `open` (not known; `detail` says why)
    """

    code: str
    name: str
    verdict: str
    grade: Certificate
    detail: str = ""


@dataclass(frozen=True)
class ContractNote:
    """What a loss takes, as it is shown to people.

    `arguments` maps each argument to its kind and shape, such as {"pred": "logits[N,C]", "target": "index[N]"},
    in the order in which the loss takes them.
    """

    arguments: Mapping[str, str]
    origin: str  # "inferred", "example()", "decorator", "annotation", "command line", "known", ...
    confidence: str = ""  # for an inferred one: "sure", "likely" or "unsure"
    pin: str = ""  # the flags that fix it: --pred 'logits[N,C]' --target 'index[N]'

    def __str__(self) -> str:
        arguments = ", ".join(f"{name}: {kind}" for name, kind in self.arguments.items())
        origin = f"{self.origin}, {self.confidence}" if self.confidence else self.origin
        return f"{arguments}  ({origin})"


@dataclass(frozen=True)
class LossReport:
    """Everything about one loss. `problem` is set when it could not be checked: what to do next, for the user.

    `facts` are there if they were asked for, or if the loss declares one.
    """

    name: str
    location: str
    contract: ContractNote | None = None
    findings: tuple[Finding, ...] = ()
    statuses: Mapping[str, Status] = field(default_factory=dict[str, Status])
    seconds: float = 0.0
    problem: str = ""
    notes: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    pictures: Pictures | None = None

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def ok(self) -> bool:
        return not self.errors and not self.problem

    def counts(self) -> dict[Verdict, int]:
        """How many rules gave each answer, in a fixed order; answers that no rule gave are absent."""
        order: tuple[Verdict, ...] = ("failed", "passed", "not applicable", "skipped", "allowed")
        given = [status.status for status in self.statuses.values()]
        return {verdict: given.count(verdict) for verdict in order if verdict in given}

    def as_json(self) -> dict[str, Any]:
        data = asdict(self)
        del data["pictures"]
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "LossReport":
        """Read what a child process wrote: `dataclasses.asdict` of a report, through JSON."""
        contract, pictures = data.get("contract"), data.get("pictures")
        return cls(
            name=data["name"],
            location=data["location"],
            contract=ContractNote(**contract) if contract else None,
            findings=tuple(Finding(**finding) for finding in data["findings"]),
            statuses={code: Status(**status) for code, status in data["statuses"].items()},
            seconds=data["seconds"],
            problem=data["problem"],
            notes=tuple(data["notes"]),
            facts=tuple(Fact(**fact) for fact in data.get("facts", ())),
            pictures=Pictures.from_json(pictures) if pictures else None,
        )


@dataclass(frozen=True)
class Report:
    """The reports of all losses that one call checked, in the order of their targets.

    With `strict`, a warning fails the check as an error does.
    """

    losses: tuple[LossReport, ...]
    strict: bool = False

    def __iter__(self) -> Iterator[LossReport]:
        return iter(self.losses)

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(finding for loss in self.losses for finding in loss.findings)

    @property
    def ok(self) -> bool:
        """True when every loss was checked and no finding is an error (or a warning, if strict)."""
        if self.strict and any(finding.severity == "warning" for finding in self.findings):
            return False
        return all(loss.ok for loss in self.losses)

    @property
    def exit_code(self) -> int:
        """2 if a loss could not be checked, else 1 if there are errors, else 0."""
        if any(loss.problem for loss in self.losses):
            return 2
        return 0 if self.ok else 1

    @property
    def statuses(self) -> Mapping[str, Status]:
        """Every rule's answer; for several losses, use the reports one by one."""
        return self._only().statuses

    @property
    def contract(self) -> ContractNote | None:
        return self._only().contract

    @property
    def problem(self) -> str:
        """Why the loss could not be checked, and what to do; empty if it was."""
        return self._only().problem

    def _only(self) -> LossReport:
        if len(self.losses) != 1:
            raise ValueError(f"this report is of {len(self.losses)} losses: ask one of `report.losses`")
        return self.losses[0]

    def as_json(self) -> dict[str, Any]:
        return {"losses": [loss.as_json() for loss in self.losses]}

    def __str__(self) -> str:
        from lossmith.report.text import render  # the words of a report have one home

        return render(self)

    def _repr_html_(self) -> str:
        """What a notebook shows; empty without the extra `report`, and then it shows the text."""
        from lossmith.report.notebook import fragment

        return fragment(self)
