"""Workers are forks of one process that imported all and ran nobody's code; each begins as a new Python would."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from lossmith.checker import Options, check_target, forkserver

linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every worker is a new Python")
ONE_RULE = Options(select=("LS103",), flags={"pred": "real[N]", "target": "real[N]"})

RANDOM = """
import os
import numpy as np
import torch

def loss(pred, target):
    open(os.path.join(os.environ["TMPDIR"], "x"), "w")
    raise ValueError(f"said {np.random.rand()} in {os.getcwd()} with {os.environ.get('SEEN')}")
"""
PLAIN = "def loss(pred, target):\n    return ((pred - target) ** 2).mean()\n"
ENDLESS = "import time\ndef loss(pred, target):\n    time.sleep(60)\n"


def written(folder: Path, text: str) -> str:
    (folder / "mine.py").write_text(text, encoding="utf-8")
    return str(folder / "mine.py")


def passes(target: str) -> bool:
    (report,) = check_target(target, ONE_RULE)
    return report.problem == "" and report.statuses["LS103"].status == "passed"


@linux
def test_one_server_serves_until_it_dies_and_then_another_does(tmp_path):
    target = written(tmp_path, PLAIN)
    assert passes(target)
    first = forkserver._server.process
    assert passes(target)
    assert forkserver._server.process is first
    first.kill()
    first.wait()
    assert passes(target)
    assert forkserver._server.process is not first


@linux
def test_a_worker_has_random_numbers_a_folder_and_an_environment_of_its_own(tmp_path, monkeypatch):
    target = written(tmp_path, RANDOM)
    (one,), (other,) = check_target(target, ONE_RULE), check_target(target, ONE_RULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEEN", "this")
    (two,) = check_target(target, ONE_RULE)
    assert f"in {tmp_path} with this" in two.problem
    assert "with None" in one.problem
    assert one.problem.split("said ")[1].split()[0] != other.problem.split("said ")[1].split()[0]  # of one server


@linux
def test_a_parent_that_is_killed_leaves_nothing_behind(tmp_path):
    target = written(tmp_path, ENDLESS)
    command = [sys.executable, "-m", "lossmith.cli", "check", target, "--pred", "real[N]", "--target", "real[N]"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as parent:
        until = time.monotonic() + 60
        while len(below := list(forkserver_family(parent.pid))) < 3 and time.monotonic() < until:
            time.sleep(0.1)
        parent.send_signal(signal.SIGKILL)
    assert len(below) >= 3  # the server, the keeper of the worker and the worker
    until = time.monotonic() + 4  # long before the limit of one call would end it
    while any(map(alive, below)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(map(alive, below))


def forkserver_family(pid: int) -> list[int]:
    from lossmith.checker.family import descendants

    return list(descendants(pid))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_where_a_fork_is_not_safe_a_worker_is_a_new_python(tmp_path, monkeypatch):
    begun = []
    monkeypatch.setattr(forkserver, "sys", SimpleNamespace(platform="darwin", executable=sys.executable))
    monkeypatch.setattr(
        forkserver.subprocess, "Popen", lambda *a, made=subprocess.Popen, **k: begun.append(a[0]) or made(*a, **k)
    )
    assert passes(written(tmp_path, PLAIN))
    assert begun[0][1:3] == ["-m", "lossmith.checker.worker"]


@linux
def test_a_server_that_does_not_live_is_no_hindrance(tmp_path, monkeypatch):
    begun = []

    def dead(server):
        server.end()
        server.socket, theirs = socket.socketpair()
        theirs.close()
        server.process, server.read = subprocess.Popen([sys.executable, "-c", ""]), forkserver._lasting(os.environ)
        begun.append(server.process.pid)

    monkeypatch.setattr(forkserver.Server, "_begin", dead)
    forkserver._server.end()
    assert passes(written(tmp_path, PLAIN))
    assert len(begun) > 1


def test_a_server_without_a_worker_is_not_waited_for_and_one_with_workers_is():
    ends = []
    for served in (False, True):
        server = forkserver.Server()
        server.socket, theirs = socket.socketpair()
        wait = f"import socket; socket.socket(fileno={theirs.fileno()}).recv(1)"
        endless = "import time; time.sleep(60)"
        server.process = subprocess.Popen(
            [sys.executable, "-c", wait if served else endless], pass_fds=[theirs.fileno()]
        )
        theirs.close()
        server.served, process = served, server.process
        server.end()
        ends.append(process.returncode)
    assert ends == [-signal.SIGKILL, 0]
