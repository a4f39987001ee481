"""The parent's side: one worker for each target, watched; a new one for the losses after the one that killed it."""

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lossmith.checker.finding import LossReport
from lossmith.checker.place import Place
from lossmith.checker.stopped import stopped_report
from lossmith.errors import TargetError, message, missing_extra

GIB = 2**30
IMPORT_SECONDS = 180.0  # frameworks included; a cold disk and two cores are slow


@dataclass(frozen=True)
class Options:
    """How a target is checked, shown or drawn. `timeout`: seconds for one loss; `memory`: bytes that it may allocate.

    work    "check", "show" (trace and study it), or "steps" (with the gradient rule by rule)
    """

    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    flags: Mapping[str, str] = field(default_factory=dict[str, str])
    select: Sequence[str] = ()
    ignore: Sequence[str] = ()
    seed: int = 0
    timeout: float = 120.0
    memory: int = 2 * GIB
    work: str = "check"
    pictures: bool = False  # measure what the page shows beside the findings
    drawing: Mapping[str, Any] | None = None  # draw this, and check nothing


@dataclass
class Watched:
    """What is known of a worker: the losses it found, the one it is at, since when, and in which rule."""

    names: list[str] = field(default_factory=list[str])
    left_out: list[str] = field(default_factory=list[str])
    current: str = ""
    location: str = ""
    rule: str = ""
    since: float = field(default_factory=time.monotonic)
    problem: str = ""
    drawn: dict[str, Any] | None = None


def check_target(
    target: str,
    options: Options,
    on_report: Callable[[LossReport], None] | None = None,
    on_left_out: Callable[[list[str]], None] | None = None,
) -> list[LossReport]:
    """Examine every loss of a target in child processes. Raises `TargetError` if the target cannot be loaded.

    `on_report` hears each report as it comes; `on_left_out` the names in a file that were not taken for losses.
    """
    Place.parse(target)  # a path that is not there needs no process to be told
    if find_spec("torch") is None:
        raise missing_extra("lossmith check", "torch", "torch")
    reports: list[LossReport] = []

    def take(report: LossReport) -> None:
        reports.append(report)
        if on_report is not None:
            on_report(report)

    def hear(found: dict[str, Any]) -> None:
        take(LossReport.from_json(found))

    while True:
        watched, ended = _one_worker(target, options, [report.name for report in reports], hear)
        if watched.problem:
            raise TargetError(watched.problem)
        if not watched.names:
            raise TargetError(message(f"{target} could not be loaded", {"process": ended}))
        if watched.current:
            take(_lost(watched, ended, options))
        if on_left_out is not None and watched.left_out:
            on_left_out(watched.left_out)
            on_left_out = None
        if len(reports) >= len(watched.names) or (not watched.current and not ended):
            return reports


def study_target(target: str, options: Options) -> list[dict[str, Any]]:
    """What is shown of every loss of a target, studied in child processes: `lossmith.checker.study.Shown` as data.

    Errors    TargetError if the target cannot be loaded
    """
    Place.parse(target)
    if find_spec("torch") is None:
        raise missing_extra("lossmith show", "torch", "torch")
    found: list[dict[str, Any]] = []
    while True:
        watched, ended = _one_worker(target, options, [one["name"] for one in found], found.append)
        if watched.problem:
            raise TargetError(watched.problem)
        if not watched.names:
            raise TargetError(message(f"{target} could not be loaded", {"process": ended}))
        if watched.current:
            problem = f"it ended the process that studied it: {ended or 'exit code 0, without a word'}"
            found.append({"name": watched.current, "location": watched.location, "problem": problem})
        if len(found) >= len(watched.names) or (not watched.current and not ended):
            return found


def draw_target(target: str, options: Options) -> dict[str, Any]:
    """What `options.drawing` asks for, of the one loss that the target names, computed in a child process.

    Errors    TargetError for a target that cannot be loaded, has no loss, or does not survive being drawn
    """
    if not Place.parse(target).name:
        raise TargetError(message(f"{target}: one loss is drawn at a time", fix=f"name one: {target}:MyLoss"))
    reports: list[LossReport] = []
    watched, ended = _one_worker(target, options, [], lambda data: reports.append(LossReport.from_json(data)))
    if watched.problem or (reports and reports[0].problem):
        raise TargetError(watched.problem or reports[0].problem)
    if watched.drawn is None:
        stopped = [finding.message for report in reports for finding in report.findings]
        raise TargetError(message(f"{target} could not be drawn", {"process": ended or ", ".join(stopped) or "ended"}))
    return watched.drawn


def _one_worker(
    target: str, options: Options, done: Sequence[str], take: Callable[[dict[str, Any]], None]
) -> tuple[Watched, str]:
    """Run one worker to its end; returns what it was at, and how it ended (empty: of its own accord)."""
    reading, writing = os.pipe()
    with tempfile.NamedTemporaryFile("r", suffix=".txt") as crash:
        job = {
            "target": target,
            "settings": dict(options.settings),
            "flags": dict(options.flags),
            "select": list(options.select),
            "ignore": list(options.ignore),
            "seed": options.seed,
            "memory": options.memory,
            "pictures": options.pictures,
            "drawing": None if options.drawing is None else dict(options.drawing),
            "skip": list(done),
            "work": options.work,
            "pipe": writing,
            "crash_file": crash.name,
        }
        child = subprocess.Popen(
            [sys.executable, "-m", "lossmith.checker.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(writing,),
            start_new_session=True,
        )
        os.close(writing)
        assert child.stdin is not None
        with suppress(BrokenPipeError):  # it died before it read its job: the end of the pipe says so
            child.stdin.write(json.dumps(job).encode() + b"\n")
            child.stdin.close()
        watched = Watched()
        try:
            finished = _listen(reading, watched, options.timeout, take)
            ended = _end(child, finished) if finished else f"stopped after {options.timeout:g} s"
        finally:
            os.close(reading)
            _kill(child)
        where = Path(crash.name).read_text(encoding="utf-8", errors="replace")
    return watched, ended + _crash_line(where) if ended else ""


def _listen(pipe: int, watched: Watched, timeout: float, take: Callable[[dict[str, Any]], None]) -> bool:
    """Read events until the pipe closes (True) or the current loss runs out of time (False)."""
    selector = selectors.DefaultSelector()
    selector.register(pipe, selectors.EVENT_READ)
    rest = b""
    while True:
        allowed = timeout if watched.current else IMPORT_SECONDS
        left = watched.since + allowed - time.monotonic()
        if left <= 0 or not selector.select(left):
            return False
        chunk = os.read(pipe, 1 << 16)
        if not chunk:
            return True
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            _hear(json.loads(line), watched, take)


def _hear(event: dict[str, Any], watched: Watched, take: Callable[[dict[str, Any]], None]) -> None:
    kind = event["event"]
    if kind == "names":
        watched.names, watched.left_out = event["names"], event["left_out"]
    elif kind == "begin":
        watched.current, watched.location, watched.since = event["name"], event["location"], time.monotonic()
        watched.rule = ""
    elif kind == "rule":
        watched.rule = event["code"]
    elif kind == "done":
        watched.current, watched.since = "", time.monotonic()
        take(event["report"])
    elif kind == "problem":
        watched.problem = event["text"]
    elif kind == "drawn":
        watched.drawn = event["drawn"]


def _end(child: subprocess.Popen[bytes], finished: bool) -> str:
    """How a worker whose pipe has closed ended: empty if well, else the signal or the exit code."""
    try:
        code = child.wait(timeout=10)
    except subprocess.TimeoutExpired:
        return "closed its pipe but did not end"
    if code == 0:
        return ""
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End the worker and whatever it has started: they share a process group of their own."""
    with suppress(ProcessLookupError, PermissionError):  # all of them are gone already
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _crash_line(text: str) -> str:
    """The innermost line of the user's own code in a crash report of faulthandler."""
    frames = [line.strip() for line in text.splitlines() if line.strip().startswith("File ")]
    own = [frame for frame in frames if not any(part in frame for part in ("/torch/", "/lossmith/", "/lib/python"))]
    return f", at {own[0].removeprefix('File ')}" if own else ""


def _lost(watched: Watched, ended: str, options: Options) -> LossReport:
    rule = watched.rule or "the search for its contract"
    seconds = round(time.monotonic() - watched.since, 1)
    if ended.startswith("stopped after"):
        what = f"checking it did not finish within {options.timeout:g} s"
        return stopped_report(watched.current, watched.location, "LS613", what, {"during": rule}, seconds)
    if "SIGKILL" in ended or ("signal" not in ended and "137" in ended):
        what = "the system killed it, as it does with a process that takes all memory"
        return stopped_report(watched.current, watched.location, "LS615", what, {"ended": ended}, seconds)
    what = "it ended the process that called it"
    evidence = {"ended": ended or "exit code 0, without a word", "during": rule}
    return stopped_report(watched.current, watched.location, "LS614", what, evidence, seconds)
