"""Limits on a stranger's code: how long one call may take and how much memory it may ask for.

They hold in the worker process, which dies with what it runs. Inside a user's own Python session nothing is limited.
Both are raised as `BaseException`s, so that no `except Exception` of a loss or a rule takes them for an ordinary error.
"""

import mmap
import signal
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

PATIENCE = 3  # times the limit, for a call that was given less than its seconds of the processor
CALL_SECONDS = 10.0  # for one call of a loss
CALLS = "calls"  # the file of `mark_calls`, in the folder of a worker
MARK = struct.Struct("d")

_seconds: list[float] = []  # empty: no limit
_begun: dict[str, float] = {}  # when the call that is limited began, on both clocks, and what it is allowed
_marks: list[mmap.mmap] = []  # where the parent reads since when a call has lasted


class OverTime(BaseException):
    """One call of the loss ran longer than allowed."""


class OverMemory(BaseException):
    """The loss asked for more memory than allowed."""


def limit_calls(seconds: float) -> None:
    """From now on, stop every call of a loss after this many seconds. For the main thread of a worker only."""
    _seconds[:] = [seconds]


def mark_calls(file: Path) -> None:
    """From now on, write into this file since when a call lasts; until the first one ends, it lasts since now."""
    file.write_bytes(MARK.pack(time.monotonic()))
    with file.open("r+b") as opened:
        _marks[:] = [mmap.mmap(opened.fileno(), MARK.size)]


def called_for(file: Path) -> float:
    """How many seconds the call has lasted that a process of `mark_calls` is at; 0 if it is at none."""
    try:
        (since,) = MARK.unpack(file.read_bytes())
    except (OSError, struct.error):  # it never came to a call
        return 0.0
    return time.monotonic() - since if since else 0.0


def _mark(since: float) -> None:
    for one in _marks:
        MARK.pack_into(one, 0, since)


def _ring(number: int, frame: FrameType | None) -> None:
    raise OverTime


def _ring_unless_starved(number: int, frame: FrameType | None) -> None:
    """A busy machine is not the fault of a loss: it may have its seconds of the processor, within reason."""
    seconds, waited = _begun["seconds"], time.monotonic() - _begun["at"]
    if time.process_time() - _begun["spent"] < 0.9 * seconds and waited < PATIENCE * seconds:
        signal.setitimer(signal.ITIMER_REAL, max(0.1, seconds / 4))
        return
    raise OverTime


@contextmanager
def limited_call(calls: float = 1.0) -> Iterator[None]:
    """Around one call of the loss, or as many: raises `OverTime` when it takes too long."""
    if not _seconds:
        yield
        return
    now = time.monotonic()
    _begun.update(seconds=calls * _seconds[0], at=now, spent=time.process_time())
    _mark(now)
    signal.signal(signal.SIGALRM, _ring_unless_starved)
    signal.setitimer(signal.ITIMER_REAL, _begun["seconds"])
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        _mark(0.0)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Around work of our own on a stranger's loss: `OverTime` after so many seconds of the processor.

    Its timer is not that of `prove`, which limits parts of the same work inside.
    """
    if not hasattr(signal, "ITIMER_PROF") or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGPROF, _ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def limit_memory(more: int) -> None:
    """Allow this process `more` bytes of data beyond what it holds now; without effect where the system cannot."""
    try:
        import resource

        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        held = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmData")) * 1024
        resource.setrlimit(resource.RLIMIT_DATA, (held + more, held + more))
    except (ImportError, OSError, StopIteration, ValueError):
        return


def is_over_memory(error: BaseException) -> bool:
    text = str(error)
    return isinstance(error, MemoryError) or "can't allocate memory" in text or "not enough memory" in text
