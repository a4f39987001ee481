"""Runs the files `backend_*.py` on each back end of keras, which is chosen once for a process."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

INNER = [str(path) for path in sorted(Path(__file__).parent.glob("backend_*.py"))]
FEWEST = 500  # how many tests the inner files have at least; a run that collects fewer has tested nothing


def run_inner(backend: str, *more: str) -> subprocess.CompletedProcess[str]:
    """The inner tests in a process of their own, quiet about tensorflow's start."""
    quiet = {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
    workers = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", *INNER, *more]
    return subprocess.run(command, env=workers | quiet, capture_output=True, text=True, check=False, timeout=1500)


def passed(done: subprocess.CompletedProcess[str]) -> int:
    """How many tests passed, or a failure with what the inner run printed."""
    count = re.search(r"(\d+) passed", done.stdout)
    if done.returncode != 0 or count is None:
        pytest.fail(f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}", pytrace=False)
    return int(count[1])


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_the_faces_hold_on_the_back_end(backend):
    assert passed(run_inner(backend)) >= FEWEST


def test_a_failure_inside_is_a_failure_here():
    with pytest.raises(pytest.fail.Exception, match="deselected"):
        passed(run_inner("jax", "-k", "no_test_has_this_name"))
    with pytest.raises(pytest.fail.Exception):
        passed(run_inner("no_such_back_end"))
