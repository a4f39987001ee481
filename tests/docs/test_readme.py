"""The README is run: its Python prints what its comments say, its console lines print what stands below them."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

from lossmith.cli import main
from lossmith.entries import faces

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def run_python(code: str) -> tuple[list[str], list[str]]:
    """What a block prints, and what the comments beside its prints promise."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    promised = re.findall(r"^print\(.*\)  # (.*)$", code, flags=re.MULTILINE)
    return out.getvalue().splitlines(), promised


@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: re.findall(r"def (\w+)", code)[0])
def test_the_python_of_the_readme_prints_what_it_says(code):
    printed, promised = run_python(code)
    assert promised
    assert printed == promised


def test_the_test_above_can_fail():
    printed, promised = run_python("print(1)  # 2\n")
    assert printed != promised


def test_the_console_of_the_readme_shows_what_is_printed(monkeypatch, capfd):
    monkeypatch.chdir(ROOT)
    shown = [block for block in blocks("console") if block.startswith("$ lossmith")]
    assert shown
    for block in shown:
        command, *lines = block.rstrip().splitlines()
        with pytest.raises(SystemExit):
            main(shlex.split(command)[2:])
        printed = capfd.readouterr().out.splitlines()
        assert lines[-1] == "..."
        assert printed[: len(lines) - 1] == lines[:-1]


def test_the_readme_is_short_and_names_every_torch_face():
    assert len(README.splitlines()) < 160
    assert [face.name for face in faces() if face.framework == "torch" and f"`{face.name}`" not in README] == []
