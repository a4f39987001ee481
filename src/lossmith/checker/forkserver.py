"""Workers that begin with their imports done: forks of a process that has run no stranger's code.

Importing torch, its tracer and sympy takes longer than most losses do, and every worker needs them. On Linux one
process imports them once, and each worker is a fork of it; elsewhere a fork after such imports is not safe, and each
worker is a new Python. The server ends with the process that started it, or after a minute without work.
"""

import atexit
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

IDLE_SECONDS = 60.0
LARGEST = 1 << 20  # bytes of one order: an environment


class Child(Protocol):
    """A worker as its parent sees it. `wait` gives its exit code, negative for a signal, or `TimeoutExpired`."""

    @property
    def pid(self) -> int: ...
    def wait(self, timeout: float | None = None) -> int: ...


def start(orders: int, events: int, environment: Mapping[str, str]) -> Child:
    """A worker that reads its orders from one end of a pipe and is handed another, `events`; both stay the caller's."""
    if sys.platform == "linux" and (forked := _server.start(orders, events, environment)) is not None:
        return forked
    return subprocess.Popen(
        [sys.executable, "-m", "lossmith.checker.worker", str(events)],
        stdin=orders,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(events,),
        start_new_session=True,
        env=dict(environment),
    )


@dataclass
class Forked:
    """A fork of the server, which tells through a pipe what it is and, once it has ended, how."""

    pid: int
    status: int
    code: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        if self.code is None:
            ready, _, _ = select.select([self.status], [], [], timeout)
            if not ready:
                raise subprocess.TimeoutExpired("worker", timeout or 0.0)
            said = os.read(self.status, 64)
            os.close(self.status)
            self.code = int(said) if said else -signal.SIGKILL  # the server itself was killed
        return self.code


class Server:
    """The parent's side. A change of the environment asks for another server: imports have read the old one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.socket: socket.socket | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.read: dict[str, str] = {}
        self.served = False

    def start(self, orders: int, events: int, environment: Mapping[str, str]) -> Forked | None:
        """A fork, or None where the server does not live: what it fails on, a worker of its own can tell."""
        with self.lock:
            if self.socket is None or self.read != _lasting(os.environ):
                self._begin()
            for _ in range(2):
                try:
                    return self._asked(orders, events, environment)
                except OSError:  # it went after its idle minute, or was killed
                    self._begin()
            return None

    def _begin(self) -> None:
        self.end()
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "lossmith.checker.forkserver", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # its threads would not outlive a fork
                start_new_session=True,  # Ctrl-C is for the parent, which ends its workers one by one
            )
        self.socket, self.read = ours, _lasting(os.environ)

    def _asked(self, orders: int, events: int, environment: Mapping[str, str]) -> Forked:
        assert self.socket is not None
        reading, writing = os.pipe()
        order = json.dumps({"environment": dict(environment), "folder": os.getcwd()}).encode()
        try:
            socket.send_fds(self.socket, [len(order).to_bytes(4, "big")], [orders, events, writing])
            self.socket.sendall(order)
        except OSError:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        said = b""
        while not said.endswith(b"\n"):
            if not (more := os.read(reading, 64)):
                os.close(reading)
                raise ConnectionError("the server has gone")
            said += more
        self.served = True
        return Forked(int(said), reading)

    def end(self) -> None:
        """Let the server and what it runs go. Before its first worker, at its imports, it is not waited for."""
        if self.socket is not None and self.process is not None:
            self.socket.close()
            if not self.served:  # else it ends its workers first, and then itself
                self.process.kill()
            self.process.wait()
        self.socket = self.process = None
        self.served = False


_server = Server()
atexit.register(_server.end)


def _lasting(environment: Mapping[str, str]) -> dict[str, str]:
    """Without the variable that pytest changes from test to test."""
    return {name: value for name, value in environment.items() if name != "PYTEST_CURRENT_TEST"}


def main() -> None:
    """The server's side: import, then fork for every order and tell of every end."""
    _import_all()
    asked = socket.socket(fileno=int(sys.argv[1]))
    waking, woken = os.pipe()
    os.set_blocking(waking, False)
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(woken)
    running: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([asked, waking], [], [], None if running else IDLE_SECONDS)
        if waking in ready:
            os.read(waking, 4096)
            _tell_ends(running)
        if asked in ready:
            head, given, _, _ = socket.recv_fds(asked, 4, 3)
            if not head:
                break
            order = json.loads(_received(asked, int.from_bytes(head, "big")))
            pid = os.fork()
            if pid == 0:
                _become_worker(order, given)
            orders, events, status = given
            os.close(orders)
            os.close(events)
            running[pid] = status
            with suppress(OSError):
                os.write(status, f"{pid}\n".encode())
        if not ready:
            break
    for pid in running:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


NEEDED = ("torch._dynamo", "build", "cost", "discover", "drawn", "load", "mathematics", "runner", "worker")
TRACED = ("lossmith.trace.torch", "lossmith.trace.rows", "lossmith.trace.single", "lossmith.checker.study")


def _import_all() -> None:
    """What a worker needs. Nothing that starts threads or chooses a back end: no keras, jax or tensorflow."""
    gc.disable()  # an import leaves hardly any garbage to look for
    for name in NEEDED:
        import_module(name if "." in name else f"lossmith.checker.{name}")
    import_module("lossmith.checker.rules").all_rules()
    with suppress(ModuleNotFoundError):  # the extra `prove` is not installed
        for name in TRACED:
            import_module(name)
    gc.collect()
    gc.freeze()  # a million objects that no worker need look through again
    gc.enable()


def _received(asked: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length and (more := asked.recv(min(length - len(found), LARGEST))):
        found += more
    return found


def _tell_ends(running: dict[int, int]) -> None:
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            status = running.pop(ended[0])
            with suppress(OSError):  # nobody waits for it any more
                os.write(status, str(os.waitstatus_to_exitcode(ended[1])).encode())
            os.close(status)


def _become_worker(order: Mapping[str, Any], given: Sequence[int]) -> None:
    """As a new Python would begin: its own session, streams, environment, folder and random numbers."""
    import numpy as np

    from lossmith.checker.worker import main as work

    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        os.dup2(given[0], 0)
        events = os.dup2(given[1], 3)
        os.closerange(4, 4096)
        os.environ.clear()
        os.environ.update(order["environment"])
        os.chdir(order["folder"])
        sys.path[0] = order["folder"]
        np.random.seed()
        work(events)
    finally:
        os._exit(1)


if __name__ == "__main__":
    main()
