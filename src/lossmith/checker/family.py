"""Ending a worker with all that it has started, whatever that calls itself and whoever it belongs to now.

The worker runs under a keeper, a small process that is made the parent of every orphan below it (Linux: a "child
subreaper"). So the family of the keeper is everything that a stranger's code has started, in sessions of its own and
with an empty environment too. Where there are no subreapers, the group and a mark in the environment are all there is.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

TOKEN = "LOSSMITH_WORKER"
_SET_CHILD_SUBREAPER = 36
PATIENCE = 5.0  # seconds for processes to go once they are killed


def keep() -> int | None:
    """Fork: the child goes on (None); the parent waits for it, ends its family and returns how the child ended.

    The answer is an exit code, or 128 and the number of the signal that ended it.
    """
    if sys.platform != "linux" or ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        return None
    child = os.fork()
    if child == 0:
        return None
    os.closerange(3, 1024)  # the pipe ends with the worker, not with its keeper
    status = _waited(child)
    for pid in descendants(os.getpid()):
        _kill(pid)
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _waited(child: int) -> int:
    """Wait for the child, and collect the orphans that end before it."""
    while True:
        pid, status = os.wait()
        if pid == child:
            return status


def end_family(keeper: int, token: str) -> None:
    """Kill a keeper and everything below it, and whatever else carries its mark."""
    _kill(keeper, signal.SIGSTOP)  # it must not end, and hand its family on, while it is looked through
    until = time.monotonic() + PATIENCE
    while (family := list(descendants(keeper))) and time.monotonic() < until:
        for pid in family:
            _kill(pid)
        time.sleep(0.01)
    with suppress(ProcessLookupError, PermissionError):  # all of them are gone already
        os.killpg(keeper, signal.SIGKILL)
    _kill(keeper)
    mark = f"{TOKEN}={token}".encode()
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # another user's, or gone
            if mark in environment.read_bytes().split(b"\0"):
                _kill(int(environment.parent.name))


def descendants(pid: int) -> Iterator[int]:
    """Every living process below this one, by the parents that the system names."""
    parents: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):  # gone while it was looked at
            fields = status.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
            if fields[0] != "Z":
                parents.setdefault(int(fields[1]), []).append(int(status.parent.name))
    waiting = [pid]
    while waiting:
        below = parents.get(waiting.pop(), [])
        waiting += below
        yield from below


def _kill(pid: int, number: int = signal.SIGKILL) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
