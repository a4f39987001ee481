"""The first drafts: every planted mistake is named by its code, and its reproducer runs. The second are clean."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lossmith.checker.process import Options, check_target

ROOT = Path(__file__).parents[2]
# What is wrong with each draft; most also accept shapes that broadcast (LS401, a warning), as first drafts do.
PLANTED = {
    "rmse_loss": "LS104",
    "MSEFunction": "LS101",
    "L1Function": "LS102",
    "FocalLoss": "LS301",
    "percentage_error": "LS103",
    "HuberWithStrayDimension": "LS401",
    "SegmentationLoss": "LS604",
    "trimmed_mae": "LS105",
    "distillation_loss": "LS107",
    "positive_bce": "LS204",
    "smoothed_bce": "LS605",
    "NormalizedL1": "LS607",
    "WeightedBinaryCrossentropy": "LS201",
    "f1_loss": "LS105",
}
ALSO_TRUE = {"LS401", "LS501"}
# Two names of one mistake: the guard of 1e-8 does nothing (LS301) around log(1 - sigmoid), which is what fails (LS307);
# there is no gradient (LS105) since what is returned is a tensor made anew (LS804).
RELATED = {("FocalLoss", "LS307"), ("trimmed_mae", "LS804")}


@pytest.fixture(scope="module")
def first():
    os.chdir(ROOT)
    return {report.name: report for report in check_target("examples/first_drafts.py", Options())}


@pytest.fixture(scope="module")
def second():
    os.chdir(ROOT)
    return {report.name: report for report in check_target("examples/second_drafts.py", Options())}


def test_every_draft_is_found_and_has_a_contract(first):
    assert list(first) == list(PLANTED)
    assert not [report.problem for report in first.values() if report.problem]


@pytest.mark.parametrize("name", PLANTED)
def test_the_planted_mistake_is_named_with_values_that_show_it(first, name):
    found = {finding.code: finding for finding in first[name].findings}
    assert PLANTED[name] in found
    assert found[PLANTED[name]].evidence
    assert found[PLANTED[name]].fix
    assert found[PLANTED[name]].location.startswith("examples/first_drafts.py:")


def test_nothing_else_is_said_of_the_drafts_but_what_is_true_of_them(first):
    others = {
        (name, finding.code)
        for name, report in first.items()
        for finding in report.findings
        if finding.severity != "info" and finding.code not in {PLANTED[name], *ALSO_TRUE}
    }
    assert others == RELATED


def test_the_second_drafts_are_clean(second):
    assert {name: report.problem for name, report in second.items() if report.problem} == {}
    said = [(name, f.code, f.message) for name, r in second.items() for f in r.findings if f.severity != "info"]
    assert said == []


def test_no_rule_failed_by_itself(first, second):
    reasons = [status.reason for r in (*first.values(), *second.values()) for status in r.statuses.values()]
    assert [reason for reason in reasons if "the rule itself failed" in reason] == []


def test_the_reproducers_run_as_they_are_printed(first):
    """One process for all of them: each in a namespace of its own, as pasted into a fresh prompt."""
    scripts = [
        (name, finding.code, finding.reproducer)
        for name, report in first.items()
        for finding in report.findings
        if finding.severity == "error"
    ]
    assert all(script for _, _, script in scripts)
    program = f"""
import contextlib, io, json
scripts = {scripts!r}
for name, code, script in scripts:
    try:
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(script, f"{{name}}-{{code}}", "exec"), {{}})
        print(json.dumps([name, code, "ran", out.getvalue()]))
    except Exception as error:
        print(json.dumps([name, code, type(error).__name__, str(error)]))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    import json

    ended = {(name, code): (how, text) for name, code, how, text in map(json.loads, result.stdout.splitlines())}
    assert len(ended) == len(scripts)
    # A draft may fail by raising; everything else runs to its last line and prints what the finding says.
    raised = {key: text for key, (how, text) in ended.items() if how != "ran"}
    assert {key for key in raised if key[1] not in ("LS605", "LS105", "LS604")} == set(), raised
    assert "nan" in ended["rmse_loss", "LS104"][1]
    assert "nan" in ended["FocalLoss", "LS301"][1]
