"""The parent's side: workers that are watched, losses handed to them one by one, a new worker after one that died."""

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lossmith.checker.fence import Kept
from lossmith.checker.finding import LossReport
from lossmith.checker.place import Place
from lossmith.checker.stopped import stopped_report
from lossmith.errors import TargetError, message, missing_extra

GIB = 2**30
IMPORT_SECONDS = 180.0  # frameworks included; a cold disk and two cores are slow
WORTH_A_WORKER = 4  # losses: importing a framework takes as long as checking a few of them
TOKEN = "LOSSMITH_WORKER"


@dataclass(frozen=True)
class Options:
    """How a target is checked, shown or drawn. `timeout`: seconds for one loss; `memory`: bytes that it may allocate.

    work    "check", "show" (trace and study it), "steps" (with the gradient rule by rule), or "original" (trace it, to
            be written anew)
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
    pictures: bool = False  # measure what the page shows beside the findings
    drawing: Mapping[str, Any] | None = None  # draw this, and check nothing

    def as_job(self) -> dict[str, Any]:
        return {
            **{name: dict(getattr(self, name)) for name in ("settings", "flags", "allow", "expected")},
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


@dataclass
class Work:
    """The losses of one target: which wait, and what was said of those that are done. Shared by its workers."""

    target: str
    options: Options
    hearing: Hearing
    names: list[str] = field(default_factory=list[str])
    waiting: deque[str] = field(default_factory=deque[str])
    reports: dict[str, Any] = field(default_factory=dict[str, Any])  # a LossReport each; of a study, plain data
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

    def next(self) -> str | None:
        with self.lock:
            return self.waiting.popleft() if self.waiting and not self.stopped.is_set() else None


def check_target(
    target: str,
    options: Options,
    on_report: Callable[[LossReport], None] | None = None,
    on_left_out: Callable[[list[str]], None] | None = None,
    workers: int = 1,
) -> list[LossReport]:
    """Examine every loss of a target in child processes. Raises `TargetError` if the target cannot be loaded.

    `on_report` hears each report as it comes; `on_left_out` the names in a file that were not taken for losses.
    """
    hearing = Hearing(report=on_report or (lambda report: None), left_out=on_left_out or (lambda names: None))
    return check_targets([target], options, hearing, workers)


def check_targets(targets: Sequence[str], options: Options, hearing: Hearing, workers: int = 1) -> list[LossReport]:
    """Examine every loss of some targets, `workers` at a time. The reports are in the order of the targets."""
    works = _served(targets, options, hearing, workers)
    return [work.reports[name] for work in works for name in work.names]


def study_target(target: str, options: Options) -> list[dict[str, Any]]:
    """What is shown of every loss of a target, studied in child processes: `lossmith.checker.study.Shown` as data, or
    `lossmith.checker.original.Original`.

    Errors    TargetError if the target cannot be loaded
    """
    (work,) = _served([target], options, Hearing())
    return [work.reports[name] for name in work.names]


def draw_target(target: str, options: Options) -> dict[str, Any]:
    """What `options.drawing` asks for, of the one loss that the target names, computed in a child process.

    Errors    TargetError for a target that cannot be loaded, has no loss, or does not survive being drawn
    """
    if not Place.parse(target).name:
        raise TargetError(message(f"{target}: one loss is drawn at a time", fix=f"name one: {target}:MyLoss"))
    (work,) = _served([target], options, Hearing())
    (report,) = work.reports.values()
    if report.problem:
        raise TargetError(report.problem)
    if work.drawn is None:
        stopped = ", ".join(finding.message for finding in report.findings)
        raise TargetError(message(f"{target} could not be drawn", {"process": stopped or "ended"}))
    return work.drawn


def _served(targets: Sequence[str], options: Options, hearing: Hearing, workers: int = 1) -> list[Work]:
    for target in targets:
        Place.parse(target)  # a path that is not there needs no process to be told
    if find_spec("torch") is None:
        raise missing_extra(f"lossmith {'show' if options.work != 'check' else 'check'}", "torch", "torch")
    works = [Work(target, options, hearing) for target in targets]
    slots = threading.Semaphore(max(workers, 1))
    with ThreadPoolExecutor(max_workers=max(2, len(works) * max(workers, 1))) as pool:
        try:
            _wait([pool.submit(_serve_target, work, slots, pool, workers) for work in works])
        except BaseException:  # a target that cannot be loaded, or Ctrl-C: the other workers end too
            for work in works:
                work.stopped.set()
            raise
    return works


def _wait(futures: Sequence["Future[None]"]) -> None:
    done, _ = wait(futures, return_when=FIRST_EXCEPTION)
    for future in done:
        future.result()


def _serve_target(work: Work, slots: threading.Semaphore, pool: ThreadPoolExecutor, workers: int) -> None:
    kept = Kept.of(Place.parse(work.target).source)
    first = pool.submit(_serve, work, slots)
    while not work.named.wait(0.05) and not first.done():
        pass
    more = min(workers - 1, len(work.names) // WORTH_A_WORKER)
    try:
        _wait([first, *(pool.submit(_serve, work, slots) for _ in range(more))])
    finally:
        if kept is not None:
            kept.restore()


def _serve(work: Work, slots: threading.Semaphore) -> None:
    """Run workers, one after the other, until no loss waits."""
    while not work.stopped.is_set():
        with slots:
            if work.named.is_set() and not work.waiting:
                return
            watched, ended = _one_worker(work)
        if work.stopped.is_set():
            return
        if watched.problem:
            raise TargetError(watched.problem)
        if not watched.loaded:
            raise TargetError(message(f"{work.target} could not be loaded", {"process": ended}))
        if watched.current:
            work.take_lost(watched, ended)


def _one_worker(work: Work) -> tuple[Watched, str]:
    """Run one worker to its end; returns what it was at, and how it ended (empty: of its own accord)."""
    reading, writing = os.pipe()
    token = uuid.uuid4().hex
    with tempfile.TemporaryDirectory(prefix="lossmith-", ignore_cleanup_errors=True) as folder:
        crash = Path(folder) / "crash.txt"
        job = {
            **work.options.as_job(),
            "target": work.target,
            "pipe": writing,
            "crash_file": str(crash),
            "folder": folder,
        }
        child = subprocess.Popen(
            [sys.executable, "-m", "lossmith.checker.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(writing,),
            start_new_session=True,
            env={**os.environ, TOKEN: token, "TMPDIR": folder},
        )
        os.close(writing)
        watched = Watched()
        try:
            _order(child, json.dumps(job))
            finished = _listen(reading, watched, work, child)
            late = (
                "it wrote into a pipe of lossmith" if watched.babbled else f"stopped after {work.options.timeout:g} s"
            )
            ended = _end(child, finished) if finished else late
        finally:
            os.close(reading)
            _kill(child, token)
        where = crash.read_text(encoding="utf-8", errors="replace") if crash.exists() else ""
    return watched, ended + _crash_line(where) if ended else ""


def _order(child: "subprocess.Popen[bytes]", line: str | None) -> None:
    """Tell a worker what to do next; None: nothing more."""
    assert child.stdin is not None
    with suppress(BrokenPipeError, ValueError):  # it died before it heard: the end of its own pipe says so
        if line is None:
            child.stdin.close()
        else:
            child.stdin.write(line.encode() + b"\n")
            child.stdin.flush()


def _listen(pipe: int, watched: Watched, work: Work, child: "subprocess.Popen[bytes]") -> bool:
    """Read events until the pipe closes (True) or the current loss runs out of time (False)."""
    selector = selectors.DefaultSelector()
    selector.register(pipe, selectors.EVENT_READ)
    rest = b""
    while True:
        allowed = work.options.timeout if watched.current else IMPORT_SECONDS
        left = watched.since + allowed - time.monotonic()
        if left <= 0 or work.stopped.is_set():
            return False
        if not selector.select(min(left, 0.5)):
            continue
        chunk = os.read(pipe, 1 << 16)
        if not chunk:
            return True
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            try:
                _hear(json.loads(line), watched, work, child)
            except (ValueError, KeyError, TypeError):  # a stranger has written into the pipe: nothing it says counts
                watched.babbled = True
                return False


def _hear(event: dict[str, Any], watched: Watched, work: Work, child: "subprocess.Popen[bytes]") -> None:
    kind = event["event"]
    if kind == "names":
        watched.loaded = True
        work.hear_names(event["names"], event["left_out"])
        _order(child, work.next())
    elif kind == "begin":
        watched.current, watched.location, watched.since = event["name"], event["location"], time.monotonic()
        watched.rule = ""
    elif kind == "rule":
        watched.rule = event["code"]
    elif kind == "done":
        report = LossReport.from_json(event["report"]) if work.options.work == "check" else event["report"]
        watched.current, watched.since = "", time.monotonic()
        work.take(report)
        _order(child, None if event["left"] else work.next())
    elif kind == "problem":
        watched.problem = event["text"]
    elif kind == "drawn":
        work.drawn = event["drawn"]


def _end(child: "subprocess.Popen[bytes]", finished: bool) -> str:
    """How a worker whose pipe has closed ended: empty if well, else the signal or the exit code."""
    try:
        code = child.wait(timeout=10)
    except subprocess.TimeoutExpired:
        return "closed its pipe but did not end"
    if code == 0:
        return ""
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _kill(child: "subprocess.Popen[bytes]", token: str) -> None:
    """End the worker and whatever it has started: by the group they share, and by the mark in their environment."""
    _order(child, None)
    with suppress(ProcessLookupError, PermissionError):  # all of them are gone already
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    mark = f"{TOKEN}={token}".encode()
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # another user's, or gone
            if mark in environment.read_bytes().split(b"\0"):
                os.kill(int(environment.parent.name), signal.SIGKILL)


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
