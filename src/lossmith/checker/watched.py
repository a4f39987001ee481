"""One worker process from its start to its end: what it is told, what it says, how it ends and what it leaves."""

import json
import os
import selectors
import signal
import subprocess
import tempfile
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from lossmith.checker.family import TOKEN, end_family
from lossmith.checker.finding import LossReport
from lossmith.checker.forkserver import Child, start
from lossmith.checker.limits import CALLS, called_for
from lossmith.checker.work import Watched, Work

IMPORT_SECONDS = 180.0  # frameworks included; a cold disk and two cores are slow


def one_worker(work: Work) -> tuple[Watched, str]:
    """Run one worker to its end; returns what it was at, and how it ended (empty: of its own accord)."""
    (reading, events), (orders, ordering) = os.pipe(), os.pipe()
    token = uuid.uuid4().hex
    with tempfile.TemporaryDirectory(prefix="lossmith-", ignore_cleanup_errors=True) as folder:
        crash = Path(folder) / "crash.txt"
        job = {**work.options.as_job(), "target": work.target, "crash_file": str(crash), "folder": folder}
        watched = Watched()
        with open(ordering, "wb", buffering=0) as told, open(reading, "rb", buffering=0) as heard:
            try:
                child = start(orders, events, {**os.environ, TOKEN: token, "TMPDIR": folder})
            finally:
                os.close(orders)
                os.close(events)
            try:
                _order(told, json.dumps(job))
                finished = _listen(heard.fileno(), watched, work, told)
                watched.called_for = called_for(Path(folder) / CALLS)
                ended = _end(child, finished) if finished else _late(watched, work)
            finally:
                heard.close()
                told.close()
                end_family(child.pid, token)
                child.wait()
        where = crash.read_text(encoding="utf-8", errors="replace") if crash.exists() else ""
    return watched, ended + _crash_line(where) if ended else ""


def _late(watched: Watched, work: Work) -> str:
    """Why a worker was not waited for."""
    if watched.babbled:
        return "it wrote into a pipe of lossmith"
    return f"stopped after {_allowed(watched, work):g} s"


def _allowed(watched: Watched, work: Work) -> float:
    """The seconds that a worker may be silent: at a loss, or while it imports."""
    return work.options.timeout if watched.current else IMPORT_SECONDS


def _order(told: IO[bytes], line: str | None) -> None:
    """Tell a worker what to do next; None: nothing more."""
    with suppress(BrokenPipeError, ValueError):  # it died before it heard: the end of its own pipe says so
        if line is None:
            told.close()
        else:
            told.write(line.encode() + b"\n")


def _listen(pipe: int, watched: Watched, work: Work, told: IO[bytes]) -> bool:
    """Read events until the pipe closes (True) or the current loss runs out of time (False)."""
    selector = selectors.DefaultSelector()
    selector.register(pipe, selectors.EVENT_READ)
    rest = b""
    while True:
        left = watched.since + _allowed(watched, work) - time.monotonic()
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
                _hear(json.loads(line), watched, work, told)
            except (ValueError, KeyError, TypeError):  # a stranger has written into the pipe: nothing it says counts
                watched.babbled = True
                return False


def _hear(event: dict[str, Any], watched: Watched, work: Work, told: IO[bytes]) -> None:
    kind = event["event"]
    if kind == "names":
        watched.loaded = True
        work.hear_names(event["names"], event["left_out"])
        _order(told, work.next())
    elif kind == "begin":
        watched.current, watched.location, watched.since = event["name"], event["location"], time.monotonic()
        watched.rule = ""
    elif kind == "rule":
        watched.rule = event["code"]
    elif kind == "done":
        report = LossReport.from_json(event["report"]) if work.options.work == "check" else event["report"]
        watched.current, watched.since = "", time.monotonic()
        work.take_first(report)
        _order(told, None if event["left"] else work.next())
    elif kind == "problem":
        watched.problem = event["text"]
    elif kind == "drawn":
        work.drawn = event["drawn"]


def _end(child: Child, finished: bool) -> str:
    """How a worker whose pipe has closed ended: empty if well, else the signal or the exit code."""
    try:
        code = child.wait(timeout=10)
    except subprocess.TimeoutExpired:
        return "closed its pipe but did not end"
    if code == 0:
        return ""
    number = -code if code < 0 else code - 128  # the keeper of a worker tells a signal as 128 and its number
    known = {each.value: each.name for each in signal.Signals}
    return f"signal {known[number]}" if number in known else f"exit code {code}"


def _crash_line(text: str) -> str:
    """The innermost line of the user's own code in a crash report of faulthandler."""
    frames = [line.strip() for line in text.splitlines() if line.strip().startswith("File ")]
    own = [frame for frame in frames if not any(part in frame for part in ("/torch/", "/lossmith/", "/lib/python"))]
    return f", at {own[0].removeprefix('File ')}" if own else ""
