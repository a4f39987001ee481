"""`lossmith forge` and `lossmith.forge`: what is printed, written, refused and left alone."""

import os

import pytest

import lossmith
from lossmith.cli import main
from lossmith.errors import SettingError
from lossmith.forging.forged import write_whole
from lossmith.report.forging import said

EXPRESSION = "where(target > pred, under, over) * square(target - pred)"
NAIVE = "-target * log(sigmoid(pred)) - (1 - target) * log(1 - sigmoid(pred))"


def run(*words):
    try:
        main(["forge", *words])
    except SystemExit as done:
        return done.code
    return 0


def test_a_file_and_its_tests_are_written_once(tmp_path, capsys):
    place = tmp_path / "asymmetric_mse.py"
    words = (EXPRESSION, "--name", "AsymmetricMSE", "--param", "under=2.0", "--param", "over=1.0", "-o", str(place))
    assert run(*words, "--with-tests") == 0
    told = capsys.readouterr().out
    assert "numbers with fifty digits" in told
    assert f"written    {place}" in told
    assert "def asymmetric_mse(" in place.read_text()
    assert "from asymmetric_mse import asymmetric_mse" in (tmp_path / "test_asymmetric_mse.py").read_text()
    assert sorted(os.listdir(tmp_path)) == ["asymmetric_mse.py", "test_asymmetric_mse.py"]
    before = place.read_text()
    assert run(*words) == 2
    assert "exists" in capsys.readouterr().err
    assert place.read_text() == before


def test_a_failing_check_is_shown_and_nothing_is_written_without_force(tmp_path, capsys):
    place = tmp_path / "naive.py"
    words = (NAIVE, "--name", "Naive", "--no-rewrite", "-o", str(place))
    assert run(*words) == 2
    shown = capsys.readouterr().err
    assert "does not pass its checks" in shown
    assert "LS2" in shown
    assert os.listdir(tmp_path) == []
    made = lossmith.forge(NAIVE, name="Naive", rewrite=False, out=place, force=True)
    assert made.problems
    assert made.written == (place,)
    assert "  failed     LS2" in said(made)
    assert "torch.log(" in place.read_text()  # as it was written


def test_the_python_door_says_what_the_command_says():
    made = lossmith.forge(NAIVE, name="Logits", to="numpy", check=False)
    assert (made.pred, made.target, made.convex) == ("logits", "binary", "curved")
    assert [text.partition(" -> ")[0] for text in made.rewrites] == ["log(sigmoid(x))", "log(1 - sigmoid(x))"]
    assert "def logits(" in str(made)


def test_latex_is_the_derivation(capsys):
    made = lossmith.forge("0.5 * square(pred - target)", name="Half", to="latex", check=False)
    assert r"\begin{align*}" in made.source
    assert r"\frac{\partial \ell}{\partial r} &= r" in made.source


@pytest.mark.parametrize("text", ["__import__('os')", "pred + 9**9**9", "pred - tgt", "(" * 500])
def test_hostile_words_end_with_a_message_and_code_2(text, capsys):
    assert run(text, "--name", "Loss") == 2
    shown = capsys.readouterr().err
    assert shown.startswith("lossmith: ")
    assert "Traceback" not in shown


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("mean(square(pred - target))", "leave it out"),
        ("-log_softmax(pred)", "sum(...) of it"),
        ("sum(2) * pred", "sum is of the numbers of a row"),
        ("square(pred - target) / classes", "makes it a loss of rows"),
        ("cross_entropy(pred, target)", "-sum(target * log_softmax(pred))"),
        ("argmax(pred)", "a place has no gradient"),
        ("softmax", "softmax takes arguments"),
    ],
)
def test_a_word_of_several_numbers_says_what_to_do(text, fix, capsys):
    assert run(text, "--name", "Loss") == 2
    assert fix in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_told_before_the_work(capsys, monkeypatch, tmp_path):
    def closed(**_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("lossmith.forging.names.tempfile.TemporaryFile", closed)
    assert run("square(pred - target)", "--name", "Square", "-o", str(tmp_path / "square.py")) == 2
    assert "Read-only file system" in capsys.readouterr().err


def test_tests_need_a_file(capsys):
    assert run("square(pred - target)", "--name", "Square", "--with-tests") == 2
    assert "-o FILE" in capsys.readouterr().err


def test_a_file_is_whole_or_not_there(tmp_path, monkeypatch):
    place = tmp_path / "loss.py"
    write_whole(place, "first", force=False)
    with pytest.raises(SettingError, match="exists"):
        write_whole(place, "second", force=False)
    assert place.read_text() == "first"

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        write_whole(place, "second", force=True)
    assert place.read_text() == "first"
    assert os.listdir(tmp_path) == ["loss.py"]
