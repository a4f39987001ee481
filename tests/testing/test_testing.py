"""`parametrize_with_checks` and `pytest --lossmith`, run by pytest itself on files written here."""

import os
import re
import subprocess
import sys

import pytest

from lossmith.errors import SettingError
from lossmith.testing import parametrize_with_checks

LOSSES = """
def rmse_loss(pred, target):
    if pred.shape != target.shape:
        raise ValueError("shapes")
    return ((pred - target) ** 2).mean().sqrt()


# lossmith: allow LS104 the batch is never perfect
def excused_loss(pred, target):
    if pred.shape != target.shape:
        raise ValueError("shapes")
    return ((pred - target) ** 2).mean().sqrt()
"""
TESTS = """
from losses import excused_loss, rmse_loss
from lossmith.testing import parametrize_with_checks

EXPECTED = {"rmse_loss": {"LS104": "issue 7", "LS605": "it mutates nothing, in truth"}}


@parametrize_with_checks([rmse_loss, excused_loss], expected_failures=EXPECTED, select=["LS104", "LS605"])
def test_loss(loss, check):
    check(loss)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("tested")
    (path / "losses.py").write_text(LOSSES)
    (path / "test_them.py").write_text(TESTS)
    (path / "pytest.ini").write_text("[pytest]\n")
    (path / "pyproject.toml").write_text('[tool.lossmith]\nselect = ["LS104", "LS605"]\n')
    return path


def run(folder, *arguments):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", "-v", *arguments]
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    return dict(
        re.findall(r"^(?:\S*::)(?:test_loss\[)?([\w-]+)\]? (PASSED|FAILED|XFAIL|SKIPPED)", result.stdout, re.M)
    ), (result.stdout + result.stderr)


def test_each_check_is_a_test_with_a_readable_id(folder):
    said, text = run(folder, "test_them.py")
    assert said == {
        "rmse_loss-LS104-nan-at-perfect-prediction": "XFAIL",
        "rmse_loss-LS605-mutates-input": "FAILED",
        "excused_loss-LS104-nan-at-perfect-prediction": "XFAIL",
        "excused_loss-LS605-mutates-input": "PASSED",
    }
    assert "LS605 is expected to fail, and there is nothing to find" in text


def test_the_plugin_checks_a_file_of_losses(folder):
    said, text = run(folder, "--lossmith", "losses.py")
    assert said["rmse_loss-LS104-nan-at-perfect-prediction"] == "FAILED"
    assert said["excused_loss-LS104-nan-at-perfect-prediction"] == "XFAIL"
    assert said["rmse_loss-LS605-mutates-input"] == "PASSED"
    assert "grad pred" in text, "the finding is printed with its values"
    assert "Traceback" not in text


def test_without_the_flag_it_collects_nothing(folder):
    _, text = run(folder, "losses.py")
    assert "no tests ran" in text


def test_two_forms_of_expected_failures_do_not_mix():
    with pytest.raises(SettingError, match="mixes two forms"):
        parametrize_with_checks([print], expected_failures={"LS104": "why", "print": {"LS104": "why"}})
