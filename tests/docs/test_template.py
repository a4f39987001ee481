"""The template of CONTRIBUTING is a loss that passes: written into a copy of the tree, it is held to every judge."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
JUDGES = (
    "tests/formulas",
    "tests/torch_faces/test_torch_module.py",
    "tests/torch_faces/test_torch_removed.py",
    "tests/test_catalogue.py",
    "tests/checker/test_shipped.py",
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the tree with a new loss in it."""
    home = tmp_path_factory.mktemp("tree")
    for part in ("src", "tests", "docs", "changelog.d"):
        shutil.copytree(ROOT / part, home / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", home)
    inside(home, "docs/templates/new_loss.py", "dead_zone", "DeadZoneLoss")
    inside(home, "tests/formulas/accuracy.py", "dead_zone")
    return home


def inside(home: Path, *command: str) -> str:
    """Run Python in the copy; what it prints."""
    environment = {"PATH": "", "PYTHONPATH": str(home / "src"), "HOME": str(home), "KERAS_BACKEND": "torch"}
    done = subprocess.run(
        [sys.executable, *command], cwd=home, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    return done.stdout + done.stderr


def judged(home: Path) -> str:
    chosen = "dead_zone or DeadZone"
    return inside(home, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", chosen, *JUDGES)


def test_a_loss_from_the_template_passes_every_generic_test(copy):
    said = judged(copy)
    count = re.search(r"(\d+) passed", said)
    assert count, said[-3000:]
    assert " failed" not in said, said[-3000:]
    assert int(count[1]) > 60
    assert (copy / "changelog.d" / "dead_zone.added.md").exists()
    assert "| `dead_zone` |" in (copy / "docs" / "accuracy.md").read_text(encoding="utf-8")


def test_a_wrong_formula_in_the_same_place_fails(copy):
    file = copy / "src" / "lossmith" / "formulas" / "dead_zone.py"
    right = file.read_text(encoding="utf-8")
    file.write_text(right.replace("a - width, ", "a + width, "), encoding="utf-8")
    try:
        textbook = "tests/formulas/test_textbook.py"
        assert " failed" in inside(
            copy, "-m", "pytest", "-qx", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", "dead_zone", textbook
        )
    finally:
        file.write_text(right, encoding="utf-8")


def test_a_loss_that_exists_is_not_overwritten(copy):
    file = copy / "src" / "lossmith" / "formulas" / "dead_zone.py"
    before = file.read_text(encoding="utf-8")
    assert "exists already" in inside(copy, "docs/templates/new_loss.py", "dead_zone", "DeadZoneLoss")
    assert file.read_text(encoding="utf-8") == before
