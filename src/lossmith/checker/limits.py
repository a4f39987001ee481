"""Limits on a stranger's code: how long one call may take and how much memory it may ask for.

They hold in the worker process, which dies with what it runs. Inside a user's own Python session nothing is limited.
Both are raised as `BaseException`s, so that no `except Exception` of a loss or a rule takes them for an ordinary error.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

_seconds: list[float] = []  # empty: no limit


class OverTime(BaseException):
    """One call of the loss ran longer than allowed."""


class OverMemory(BaseException):
    """The loss asked for more memory than allowed."""


def limit_calls(seconds: float) -> None:
    """From now on, stop every call of a loss after this many seconds. For the main thread of a worker only."""
    _seconds[:] = [seconds]


def _ring(number: int, frame: FrameType | None) -> None:
    raise OverTime


@contextmanager
def limited_call(calls: float = 1.0) -> Iterator[None]:
    """Around one call of the loss, or as many: raises `OverTime` when it takes too long."""
    if not _seconds:
        yield
        return
    signal.signal(signal.SIGALRM, _ring)
    signal.setitimer(signal.ITIMER_REAL, calls * _seconds[0])
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


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
