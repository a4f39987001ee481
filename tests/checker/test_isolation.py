"""A loss that hangs, exits, crashes or eats memory is a finding; the other losses of its file are still checked."""

import json
import subprocess
import sys
import time
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest

from lossmith.checker import limits
from lossmith.checker.fence import Kept
from lossmith.checker.process import Options, check_target
from lossmith.errors import MissingExtraError, TargetError

HOSTILE = """
import ctypes, os, signal, subprocess, sys
import torch
import torch.nn.functional as F


def first_loss(pred, target):
    return F.mse_loss(pred, target)


def exit_loss(pred, target):
    sys.exit(3)


def die_loss(pred, target):
    os._exit(9)


def segfault_loss(pred, target):
    ctypes.string_at(0)


def greedy_loss(pred, target):
    return ((pred - target) ** 2).mean() + torch.ones(10**11).mean()


def noisy_loss(pred, target):
    print("x" * 100_000)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    input("anything? ")


def forking_loss(pred, target):
    if os.fork() == 0:
        while True:
            pass
    return F.mse_loss(pred, target)


def escaping_loss(pred, target, started=[]):
    if not started:
        waiting = [sys.executable, "-S", "-c", "import time; time.sleep(600)", "lossmith-escaped"]
        started.append(subprocess.Popen(waiting, start_new_session=True))
    return F.mse_loss(pred, target)


def deleting_loss(pred, target):
    os.remove(__file__)
    return F.mse_loss(pred, target)


def writing_loss(pred, target):
    with open(__file__, "a") as file:
        file.write("# more")
    return F.mse_loss(pred, target)


def patching_loss(pred, target):
    F.l1_loss = lambda pred, target: (pred - target).sum() * float("nan")
    torch.set_default_dtype(torch.float64)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.chdir("/")
    return ((pred - target) ** 2).mean()


def babbling_loss(pred, target):
    for pipe in range(3, 30):
        try:
            os.write(pipe, b"nonsense\\n")
        except OSError:
            pass
    return F.mse_loss(pred, target)


def last_loss(pred, target):
    return F.l1_loss(pred, target)
"""

HANGING = """
import torch.nn.functional as F


def hanging_loss(pred, target):
    while True:
        pass


def last_loss(pred, target):
    return F.l1_loss(pred, target)
"""


UNMARKED = """
import os, subprocess, sys


def leaving_loss(pred, target):
    waiting = [sys.executable, "-S", "-c", "import time; time.sleep(600)", "lossmith-unmarked"]
    subprocess.Popen(waiting, start_new_session=True, env={})
    os._exit(0)
"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    file = tmp_path_factory.mktemp("hostile") / "hostile.py"
    file.write_text(HOSTILE)
    return file


@pytest.fixture(scope="module")
def reports(hostile):
    options = Options(select=("LS104", "LS605"), memory=2**30, timeout=90.0)
    return {report.name: report for report in check_target(str(hostile), options, workers=2)}


def codes(report):
    return [finding.code for finding in report.findings]


def test_every_loss_of_the_file_is_reported(reports):
    assert list(reports) == [
        "first_loss",
        "exit_loss",
        "die_loss",
        "segfault_loss",
        "greedy_loss",
        "noisy_loss",
        "forking_loss",
        "escaping_loss",
        "deleting_loss",
        "writing_loss",
        "patching_loss",
        "babbling_loss",
        "last_loss",
    ]


def test_the_innocent_losses_are_checked_as_if_alone(reports):
    for name in ("first_loss", "last_loss"):
        assert reports[name].ok
        assert reports[name].statuses["LS104"].status == "passed"


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("exit_loss", "LS614", "SystemExit(3)"),
        ("die_loss", "LS614", "exit code 9"),
        ("segfault_loss", "LS614", "SIGSEGV"),
        ("greedy_loss", "LS615", "more memory than it may have"),
    ],
)
def test_what_does_not_come_back_is_a_finding_that_says_how_it_ended(reports, name, code, says):
    report = reports[name]
    assert codes(report) == [code]
    assert report.findings[0].severity == "error"
    assert says in report.findings[0].message + " ".join(report.findings[0].evidence.values())
    assert report.statuses["LS104"].status == "skipped"
    assert code in report.statuses["LS104"].reason


def test_a_crash_names_the_line_of_the_loss(reports):
    assert "hostile.py" in reports["segfault_loss"].findings[0].evidence["ended"]
    assert "segfault_loss" in reports["segfault_loss"].findings[0].evidence["ended"]


def test_a_loss_that_prints_and_asks_gets_no_terminal(reports):
    assert "EOFError" in reports["noisy_loss"].problem


def test_what_a_loss_forks_dies_with_its_worker(reports):
    assert reports["forking_loss"].contract is not None
    left = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    assert "lossmith.checker.forkserver" not in left or _all_young(left)


def _all_young(listing):
    """Other tests may run workers of their own at the same time; none may be an orphan of init."""
    pids = [line.split()[0] for line in listing.splitlines() if "lossmith.checker.forkserver" in line]
    parents = subprocess.run(["ps", "-o", "ppid=", "-p", ",".join(pids)], capture_output=True, text=True, check=False)
    return "1" not in parents.stdout.split()


def test_what_a_loss_starts_in_a_session_of_its_own_dies_too(reports):
    assert reports["escaping_loss"].contract is not None
    assert not running("lossmith-escaped")


def running(mark):
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found += [line] if mark.encode() in line.read_bytes() else []
    return found


def test_the_test_above_can_fail():
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "lossmith-seen"]) as child:
        until = time.monotonic() + 30.0
        while not running("lossmith-seen") and time.monotonic() < until:
            time.sleep(0.05)
        seen = running("lossmith-seen")
        child.kill()
    assert seen


def test_a_loss_can_neither_delete_nor_change_its_file(reports, hostile):
    assert hostile.read_text() == HOSTILE
    for name in ("deleting_loss", "writing_loss"):
        assert "PermissionError" in reports[name].problem


def test_a_loss_that_patches_torch_is_the_last_of_its_worker(reports):
    note = " ".join(reports["patching_loss"].notes)
    assert "torch.nn.functional.l1_loss" in note
    assert "handlers" in note
    assert not reports["first_loss"].notes


def test_a_loss_that_writes_into_every_pipe_ends_its_own_examination_only(reports):
    assert codes(reports["babbling_loss"]) == ["LS614"]


def test_a_loop_without_end_is_stopped_and_the_next_loss_is_checked(tmp_path):
    file = tmp_path / "hanging.py"
    file.write_text(HANGING)
    started = time.monotonic()
    hanging, last = check_target(str(file), Options(select=("LS104",), timeout=60.0))
    assert codes(hanging) == ["LS613"]
    assert last.ok
    assert time.monotonic() - started < 60.0


def test_a_loss_that_is_slow_or_on_a_busy_machine_is_not_accused(tmp_path):
    file = tmp_path / "slow.py"
    file.write_text(
        "import time\ndef slow_loss(pred, target):\n    time.sleep(0.3)\n    return ((pred - target) ** 2).mean()\n"
    )
    (slow,) = check_target(str(file), Options(select=("LS104",), timeout=4.0))
    assert slow.findings == ()
    assert "every call of the loss came back" in slow.problem
    assert "--timeout 20" in slow.problem


@pytest.mark.parametrize(("works", "seconds", "stopped"), [(False, 0.3, False), (False, 3.0, True), (True, 3.0, True)])
def test_a_call_may_have_its_seconds_of_the_processor(monkeypatch, works, seconds, stopped):
    monkeypatch.setattr(limits, "_seconds", [0.2])
    if not works:
        monkeypatch.setattr(limits.time, "process_time", lambda: 0.0)  # as on a machine that has none to give
    until = time.monotonic() + seconds
    with pytest.raises(limits.OverTime) if stopped else nullcontext(), limits.limited_call():
        while time.monotonic() < until:
            pass
    assert (time.monotonic() < until) is stopped


def test_a_file_that_exits_while_it_is_imported_is_a_message(tmp_path):
    file = tmp_path / "rude.py"
    file.write_text("import os\nos._exit(7)\n")
    with pytest.raises(TargetError, match=r"rude\.py could not be loaded[\s\S]*exit code 7"):
        check_target(str(file), Options())


def test_the_users_file_and_folder_are_left_as_they_were(tmp_path):
    file = tmp_path / "plain.py"
    file.write_text("def my_loss(pred, target):\n    return ((pred - target) ** 2).mean()\n")
    check_target(str(file), Options(select=("LS104",)))
    assert [entry.name for entry in tmp_path.iterdir() if entry.name != "__pycache__"] == ["plain.py"]
    assert "my_loss" in file.read_text()


def test_without_a_fence_a_file_that_is_gone_is_put_back(tmp_path):
    file = tmp_path / "gone.py"
    file.write_text("x = 1\n")
    kept = Kept.of(str(file))
    assert kept is not None
    assert not kept.restore()
    file.unlink()
    assert kept.restore()
    assert file.read_text() == "x = 1\n"


def test_importing_the_parents_side_imports_no_framework():
    code = "import json, sys, lossmith.checker.process; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert not {"torch", "keras", "tensorflow", "jax"} & set(loaded)


def test_without_torch_the_install_line_is_printed(monkeypatch, tmp_path):
    file = tmp_path / "losses.py"
    file.write_text("def my_loss(pred, target):\n    return pred - target\n")
    monkeypatch.setattr("lossmith.checker.process.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'lossmith\[torch\]'"):
        check_target(str(file), Options())


def test_what_is_started_without_the_mark_ends_too(tmp_path):
    file = tmp_path / "unmarked.py"
    file.write_text(UNMARKED)
    (report,) = check_target(str(file), Options(select=("LS605",), timeout=60.0))
    assert codes(report) == ["LS614"]
    assert not running("lossmith-unmarked")


def test_the_mode_of_the_users_file_is_put_back(tmp_path):
    file = tmp_path / "modes.py"
    file.write_text("x = 1\n")
    file.chmod(0o640)
    kept = Kept.of(str(file))
    file.chmod(0)
    assert kept is not None
    kept.restore()
    assert file.stat().st_mode & 0o777 == 0o640
