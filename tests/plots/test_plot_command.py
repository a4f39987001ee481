"""`lossmith plot` as a newcomer types it: files, words, and errors without a traceback."""

import pytest

from lossmith.cli import main

MINE = """
import torch
from torch import nn

class MyLoss(nn.Module):
    def __init__(self, power=2.0):
        super().__init__()
        self.power = power

    def forward(self, pred, target):
        return (pred - target).abs().pow(self.power).mean()
"""


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["plot", *arguments])
        said = capfd.readouterr()
        assert "Traceback" not in said.out + said.err
        return ended.value.code or 0, said.out, said.err

    return run


GOOD = [
    (
        ["huber", "--vary", "delta=0.5,1,2", "-o", "a.png"],
        "a.png: delta=0.5, delta=1, delta=2, along prediction - target",
    ),
    (["huber", "cauchy", "-o", "a.svg"], "a.svg: huber, cauchy, along prediction - target"),
    (
        ["FocalLoss", "--arg", "gamma=2", "--span=-3,3", "--points", "9"],
        "FocalLoss.png: the right class, along lead of",
    ),
    (
        ["huber", "--surface", "--points", "9", "-o", "a.html"],
        "a.html: prediction 1 and prediction 2; lowest at (1, -1)",
    ),
    (["giou", "--contour", "--points", "9", "-o", "a.pdf"], "a.pdf: offset to the right, in widths"),
    (["huber", "--field", "--points", "9", "-o", "a.png"], "a.png: prediction 1 and prediction 2"),
    (["mine.py:MyLoss", "--vary", "power=1,3", "--points", "9", "-o", "a.png"], "a.png: power=1, power=3, along"),
]


@pytest.mark.parametrize(
    ("arguments", "said"), GOOD, ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else ""
)
def test_it_writes_a_file_and_says_what_is_on_it(run, tmp_path, arguments, said):
    code, out, _ = run(*arguments)
    assert (code, out.startswith(said)) == (0, True), out
    assert (tmp_path / out.partition(":")[0]).stat().st_size > 1000


BAD = [
    (["hubr"], "there is no loss 'hubr'"),
    (["huber", "-o", "there.png"], "there.png exists already"),
    (["huber", "-o", "no/x.png"], "its folder does not exist"),
    (["huber", "-o", "x.gif"], "the ending says the format"),
    (["huber", "--vary", "delta"], "not NAME=VALUE,VALUE"),
    (["huber", "--vary", "delta=-1,2"], "cannot be built with delta=-1"),
    (["huber", "--vary", "delta=1", "--arg", "nonsense=2"], "nonsense"),
    (["huber", "--span", "4,-4"], "not LOW,HIGH"),
    (["huber", "--span", "nan,1"], "not LOW,HIGH"),
    (["huber", "--surface", "--contour"], "one picture at a time"),
    (["huber", "cauchy", "--surface"], "draws one loss"),
    (["huber", "giou"], "no axis in common"),
    (["nope.py:X"], "there is no such file"),
    (["mine.py"], "one loss is drawn at a time"),
    (["mine.py:MyLos"], "did you mean mine.py:MyLoss?"),
    (["vicreg", "--surface"], "to draw"),
]


@pytest.mark.parametrize(
    ("arguments", "said"), BAD, ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else ""
)
def test_what_cannot_be_drawn_is_said(run, tmp_path, arguments, said):
    (tmp_path / "there.png").write_text("mine")
    code, _, err = run(*arguments)
    assert (code, said in err) == (2, True), err
    assert (tmp_path / "there.png").read_text() == "mine"
    assert {file.suffix for file in tmp_path.iterdir()} <= {".py", ".png", ""}


def test_force_replaces_a_file(run, tmp_path):
    (tmp_path / "there.png").write_text("mine")
    assert run("huber", "--points", "9", "-o", "there.png", "--force")[0] == 0
    assert (tmp_path / "there.png").read_bytes().startswith(b"\x89PNG")
