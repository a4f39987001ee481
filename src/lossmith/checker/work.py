"""What is to be done with a target, what was said of it so far, and what is known of a worker that is at it."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lossmith.checker.again import doubtful, not_asked, seen_twice
from lossmith.checker.finding import LossReport
from lossmith.checker.limits import CALL_SECONDS
from lossmith.checker.stopped import stopped_report
from lossmith.errors import message

GIB = 2**30


@dataclass(frozen=True)
class Options:
    """How a target is checked, shown or drawn. `timeout`: seconds for one loss; `memory`: bytes that it may allocate.

    work    "check", "again" (only the rules of `again`), "show" (trace and study it), "steps" (with the gradient rule
            by rule), or "original" (trace it, to be written anew)
    again   the codes that each loss is asked again
    """

    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    flags: Mapping[str, str] = field(default_factory=dict[str, str])
    select: Sequence[str] = ()
    ignore: Sequence[str] = ()
    seed: int = 0
    timeout: float = 120.0
    memory: int = 2 * GIB
    allow: Mapping[str, str] = field(default_factory=dict[str, str])
    expected: Mapping[str, str] = field(default_factory=dict[str, str])
    strict: bool = False
    deep: bool = False
    range: float | None = None
    reference: str = ""
    work: str = "check"
    again: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    pictures: bool = False  # measure what the page shows beside the findings
    drawing: Mapping[str, Any] | None = None  # draw this, and check nothing

    def as_job(self) -> dict[str, Any]:
        return {
            **{name: dict(getattr(self, name)) for name in ("settings", "flags", "allow", "expected", "again")},
            **{name: list(getattr(self, name)) for name in ("select", "ignore")},
            **{name: getattr(self, name) for name in ("seed", "memory", "strict", "deep", "range", "reference")},
            **{name: getattr(self, name) for name in ("work", "pictures")},
            "drawing": None if self.drawing is None else dict(self.drawing),
        }


@dataclass
class Hearing:
    """Whom to tell what, as it comes: the names of a target, each report, and what was not taken for a loss."""

    names: Callable[[str, list[str]], None] = lambda target, names: None
    report: Callable[[LossReport], None] = lambda report: None
    left_out: Callable[[list[str]], None] = lambda names: None


@dataclass
class Watched:
    """What is known of a worker: the loss it is at, since when, and in which rule."""

    current: str = ""
    location: str = ""
    rule: str = ""
    since: float = field(default_factory=time.monotonic)
    problem: str = ""
    loaded: bool = False
    babbled: bool = False
    called_for: float = 0.0  # seconds that the call had lasted that it was at in the end


@dataclass
class Work:
    """The losses of one target: which wait, and what was said of those that are done. Shared by its workers."""

    target: str
    options: Options
    hearing: Hearing
    names: list[str] = field(default_factory=list[str])
    waiting: deque[str] = field(default_factory=deque[str])
    reports: dict[str, Any] = field(default_factory=dict[str, Any])  # a LossReport each; of a study, plain data
    doubts: dict[str, LossReport] = field(default_factory=dict[str, LossReport])  # those to be asked again
    drawn: dict[str, Any] | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)
    named: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)

    def hear_names(self, names: list[str], left_out: list[str]) -> None:
        with self.lock:
            if self.named.is_set():
                return
            self.names, self.waiting = names, deque(names)
            self.hearing.names(self.target, names)
            if left_out:
                self.hearing.left_out(left_out)
            self.named.set()

    def take_first(self, report: Any) -> None:
        """What a worker says of a loss; a report of what must be seen twice has to wait."""
        if isinstance(report, LossReport) and doubtful(report):
            with self.lock:
                self.doubts[report.name] = report
        else:
            self.take(report)

    def take(self, report: Any) -> None:
        with self.lock:
            if isinstance(report, LossReport):
                self.reports[report.name] = report
                self.hearing.report(report)
            else:
                self.reports[report["name"]] = report

    def take_lost(self, watched: Watched, ended: str) -> None:
        """A worker did not come back from its loss."""
        if self.options.work == "check":
            self.take(_lost(watched, ended, self.options))
        else:
            problem = f"it ended the process that studied it: {ended or 'exit code 0, without a word'}"
            self.take({"name": watched.current, "location": watched.location, "problem": problem})

    def again(self) -> "Work":
        """The same target, to be asked only what was found; what it hears is plain data."""
        codes = {name: doubtful(report) for name, report in self.doubts.items()}
        options = replace(self.options, work="again", again=codes, pictures=False)
        second = Work(self.target, options, Hearing(), list(codes), deque(codes), stopped=self.stopped)
        second.named.set()
        return second

    def settle(self, second: "Work", problem: str = "") -> None:
        """Take the reports that waited, as the second process leaves them."""
        for name, report in self.doubts.items():
            heard = second.reports.get(name, {"problem": problem})
            self.take(seen_twice(report, heard["again"]) if "again" in heard else not_asked(report, heard["problem"]))

    def next(self) -> str | None:
        with self.lock:
            return self.waiting.popleft() if self.waiting and not self.stopped.is_set() else None


def _slow(seconds: float, rule: str) -> str:
    why = "every call of the loss came back: the loss is slow, or the machine is busy"
    fix = f"--timeout {5 * seconds:g} gives it more time, --workers 1 leaves it a processor"
    return message(f"its check did not finish within {seconds:g} s", {"during": rule}, why=why, fix=fix)


def _lost(watched: Watched, ended: str, options: Options) -> LossReport:
    rule = watched.rule or "the search for its contract"
    seconds = round(time.monotonic() - watched.since, 1)
    if ended.startswith("stopped after"):
        if watched.called_for < min(CALL_SECONDS, options.timeout / 2):
            return LossReport(watched.current, watched.location, problem=_slow(options.timeout, rule), seconds=seconds)
        what = f"one call did not return within {watched.called_for:.0f} s"
        return stopped_report(watched.current, watched.location, "LS613", what, {"during": rule}, seconds)
    if "SIGKILL" in ended or ("signal" not in ended and "137" in ended):
        what = "the system killed it, as it does with a process that takes all memory"
        return stopped_report(watched.current, watched.location, "LS615", what, {"ended": ended}, seconds)
    what = "it ended the process that called it"
    evidence = {"ended": ended or "exit code 0, without a word", "during": rule}
    return stopped_report(watched.current, watched.location, "LS614", what, evidence, seconds)
