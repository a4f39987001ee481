"""What is measured is seen in two processes before it is told, and what only the first one saw is not."""

import pytest
import torch

import lossmith
from lossmith.checker import runner
from lossmith.checker.again import ONCE, doubtful, not_asked, seen_twice
from lossmith.checker.finding import Finding, LossReport, Status
from lossmith.checker.process import Options, check_target
from lossmith.checker.stopped import stopped_report

LOSSES = """
import os
from pathlib import Path

import lossmith

BORN = Path(os.environ["XDG_CACHE_HOME"]) / "born"
with BORN.open("a") as file:
    file.write("once more\\n")
FIRST = len(BORN.read_text().splitlines()) == 1
takes = lossmith.contract(pred="real[N,C]", target="real[N,C]")


@takes
def always_loss(pred, target):
    return (pred - target).square().mean().sqrt()


@takes
def once_loss(pred, target):
    return ((pred - target).square().mean() + (0 if FIRST else 1e-6)).sqrt()


@takes
def leaving_loss(pred, target):
    if not FIRST:
        os._exit(9)
    return (pred - target).square().mean().sqrt()


@takes
def last_loss(pred, target):
    return (pred - target).square().mean().sqrt()
"""


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("again")
    (folder / "losses.py").write_text(LOSSES)
    heard = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        found = check_target(str(folder / "losses.py"), Options(select=("LS104",)), on_report=heard.append)
    assert sorted(report.name for report in heard) == sorted(report.name for report in found)
    return {report.name: report for report in found}


def test_a_fault_that_only_the_first_process_saw_is_no_finding(reports):
    assert reports["once_loss"].findings == ()
    assert reports["once_loss"].statuses["LS104"] == ONCE
    assert reports["once_loss"].ok


@pytest.mark.parametrize("name", ["always_loss", "last_loss"])
def test_a_fault_that_comes_again_is_told(reports, name):
    assert [finding.code for finding in reports[name].findings] == ["LS104"]
    assert reports[name].statuses["LS104"] == Status("failed")
    assert reports[name].notes == ()


def test_a_loss_that_ends_the_second_process_keeps_its_findings_and_says_so(reports):
    assert [finding.code for finding in reports["leaving_loss"].findings] == ["LS104"]
    assert [note.partition(":")[0] for note in reports["leaving_loss"].notes] == [
        "its findings were not asked again in a fresh process"
    ]


def _finding(code, severity="error", grade="measured"):
    return Finding(code, "name", severity, grade, "said")


def test_proofs_hints_and_what_did_not_come_back_are_not_asked_again():
    found = (_finding("LS101", grade="proved"), _finding("LS207", "info"), _finding("LS801", "warning", "heuristic"))
    assert doubtful(LossReport("loss", "losses.py:1", findings=found)) == ()
    assert doubtful(stopped_report("loss", "losses.py:1", "LS613", "it hangs")) == ()


def test_what_is_also_proved_stays_failed():
    found = (_finding("LS101"), _finding("LS101", grade="proved"), _finding("LS104", "warning"))
    statuses = {"LS101": Status("failed"), "LS104": Status("failed"), "LS105": Status("passed")}
    left = seen_twice(LossReport("loss", "losses.py:1", findings=found, statuses=statuses), ())
    assert left.findings == found[1:2]
    assert left.statuses == {"LS101": Status("failed"), "LS104": ONCE, "LS105": Status("passed")}
    assert not_asked(left, "").notes


def root(pred, target):
    return (pred - target).square().mean().sqrt()


def test_an_object_is_asked_again_in_this_process(monkeypatch):
    takes = {"pred": "real[N,C]", "target": "real[N,C]"}
    assert [found.code for found in lossmith.check(root, contract=takes, select="LS104").findings] == ["LS104"]
    monkeypatch.setattr(runner, "came_again", lambda *given, **more: [])
    report = lossmith.check(root, contract=takes, select="LS104")
    assert (report.findings, report.statuses["LS104"]) == ((), ONCE)


def test_the_second_look_is_at_a_copy_of_its_own():
    class Worn(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.seen = []

        def forward(self, pred, target):
            self.seen.append(1)
            return (pred - target).square().mean()

    from lossmith.checker.subject import Subject

    subject = Subject.of("worn", Worn())
    other = subject.apart()
    assert other.loss is not subject.loss
    assert other.loss.seen is not subject.loss.seen
