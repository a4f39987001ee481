"""The words of the terminal: one snapshot of every case, and what must hold for any report."""

import io
import re
from pathlib import Path

import pytest
from report_said import left_out
from report_samples import CLEAN, EVERY_CASE, RMSE, UNCHECKED, WARNED, hostile
from rich.console import Console

from lossmith.checker.finding import ContractNote, Finding, LossReport, Report, Status
from lossmith.report import text, words

HERE = Path(__file__).parent
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def plain_console(**options: object) -> Console:
    return Console(file=io.StringIO(), _environ={}, **options)  # type: ignore[arg-type]


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_every_case_prints_as_in_the_snapshot():
    assert text.render(EVERY_CASE) + "\n" == (HERE / "every_case.txt").read_text()


def test_every_case_prints_as_in_the_snapshot_when_verbose_and_narrow():
    snapshot = (HERE / "every_case_verbose.txt").read_text()
    assert text.render(EVERY_CASE, width=72, verbose=True) + "\n" == snapshot


def test_a_report_reads_as_text_when_it_is_printed():
    assert str(EVERY_CASE) == text.render(EVERY_CASE)


@pytest.mark.parametrize("width", [None, 40, 72, 200])
def test_nothing_that_was_found_is_left_out(width):
    assert left_out(EVERY_CASE, text.render(EVERY_CASE, width=width, verbose=True)) == []


@pytest.mark.parametrize("lost", ["grad      [nan, nan]", "dropout is meant", "Triplet", "print(pred.grad)"])
def test_a_word_that_is_left_out_is_noticed(lost):
    whole = text.render(EVERY_CASE, verbose=True)
    assert lost in whole
    assert left_out(EVERY_CASE, whole.replace(lost, ""))


def test_the_reproducer_is_shown_when_asked_for_and_else_there_is_a_line_that_says_how():
    assert "RMSE()(pred" not in text.render(EVERY_CASE)
    assert "--verbose" in text.render(EVERY_CASE)
    assert "RMSE()(pred" in text.render(EVERY_CASE, verbose=True)
    assert "--verbose" not in text.render(EVERY_CASE, verbose=True)
    assert "--verbose" not in text.render(Report((WARNED,)))  # it has no reproducer


def test_colour_changes_no_word():
    painted = text.render(EVERY_CASE, colour=True)
    assert painted != text.render(EVERY_CASE)
    assert ANSI.sub("", painted) == text.render(EVERY_CASE)


def test_colour_is_painted_on_the_severity_and_the_code(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")  # `colour=True` is explicit: the environment does not answer for it
    monkeypatch.setenv("TERM", "dumb")
    painted = text.render(Report((RMSE,)), colour=True)
    assert "\x1b[1mLS104 nan-at-perfect-prediction\x1b[0m" in painted
    assert "\x1b[1;31merror\x1b[0m, measured" in painted


def test_a_pipe_gets_the_plain_text():
    console = plain_console(width=40)
    text.show(EVERY_CASE, console)
    assert printed(console) == text.render(EVERY_CASE) + "\n"


def test_a_terminal_gets_colour_and_prose_as_wide_as_itself():
    console = plain_console(width=60, force_terminal=True, color_system="standard")
    text.show(EVERY_CASE, console, verbose=True)
    assert "\x1b[" in printed(console)
    assert ANSI.sub("", printed(console)) == text.render(EVERY_CASE, width=60, verbose=True) + "\n"


def test_a_pipe_that_cannot_hold_a_letter_gets_its_escape():
    raw = io.BytesIO()
    console = Console(file=io.TextIOWrapper(raw, encoding="ascii"))
    text.show(Report((LossReport("\N{GREEK SMALL LETTER LAMDA}", "x.py:1"),)), console)
    console.file.flush()
    assert raw.getvalue().startswith(b"x.py:1  \\u03bb  clean\n")


def test_prose_is_wrapped_and_a_flag_or_a_line_of_code_is_not():
    pin = "--pred 'real[N]' --target 'real[N]' --arg margin=1"
    name, code = "module.submodule.a_name_that_one_may_want_to_copy_whole", "call(" + "1, " * 40 + ")"
    long = Finding("LS1", "x", "error", "proved", "word " * 30, why="word " * 30, fix=name, reproducer=code)
    loss = LossReport("L", "x.py:1", ContractNote({"pred": "real[N]"}, "inferred", "sure", pin), (long,))
    lines = text.render(Report((loss,)), width=50, verbose=True).splitlines()
    assert all(len(line) <= 50 for line in lines if "word" in line)
    assert sum("word" in line for line in lines) > 4
    assert f"  pin     {pin}" in lines
    assert f"    fix     {name}" in lines
    assert f"      {code}" in lines


@pytest.mark.parametrize("width", [None, 40])
def test_no_line_ends_in_white_space(width):
    lines = text.render(EVERY_CASE, width=width, verbose=True).split("\n")
    assert [line for line in lines if line != line.rstrip()] == []


MOVING = "a\x1b[2Jb\u202ec\x00d\re\x9bf\u2028g\ud800h"


def unprintable(text: str) -> list[str]:
    return [letter for letter in text if letter != "\n" and not letter.isprintable()]


def test_characters_that_move_a_cursor_or_hide_are_printed_as_their_escapes():
    rendered = text.render(hostile(MOVING), verbose=True)
    assert r"a\x1b[2Jb\u202ec\x00d\re\x9bf\u2028g\ud800h" in rendered
    assert unprintable(rendered) == []


def test_such_characters_are_noticed():
    assert len(unprintable(MOVING)) == 7


def test_markup_of_the_terminal_library_is_printed_as_it_stands():
    console = plain_console(width=80, force_terminal=True, color_system="standard")
    text.show(Report((LossReport("[red]L[/red] :bug: [/]", "x.py:1"),)), console)
    assert "[red]L[/red] :bug: [/]" in ANSI.sub("", printed(console))


def test_a_name_stays_on_its_line():
    assert text.render(Report((LossReport("a\nb", "x\ty.py:1"),))).startswith("x\\ty.py:1  a\\nb  clean\n")


def test_findings_are_told_apart_from_where_the_loss_is_only_where_they_differ():
    rendered = text.render(EVERY_CASE)
    assert rendered.count("examples/first_drafts.py:31") == 1
    assert "error, measured  examples/first_drafts.py:15" in rendered


NONE_WRONG = "0 with errors, 0 with warnings only, 2 clean, 0 not checked"


@pytest.mark.parametrize(
    ("losses", "sentence"),
    [
        ((), "0 losses: nothing was checked"),
        ((CLEAN,), "1 loss: clean; 0 errors, 0 warnings; 12 s"),
        ((RMSE,), "1 loss: with errors; 2 errors, 1 warning; 1.3 s"),
        ((WARNED,), "1 loss: with warnings only; 0 errors, 1 warning, 1 info; 0.5 s"),
        ((UNCHECKED,), "1 loss: not checked; 0 errors, 0 warnings; 0.2 s"),
        ((CLEAN, CLEAN), f"2 losses: {NONE_WRONG}; 0 errors, 0 warnings; 25 s"),
    ],
)
def test_the_summary_is_one_sentence_over_all_losses(losses, sentence):
    assert words.summary(Report(losses)) == sentence
    assert text.render(Report(losses)).splitlines()[-1] == sentence


def test_the_kinds_of_loss_add_up_even_when_one_failed_and_could_not_be_finished():
    half = LossReport("L", "x.py:1", findings=RMSE.findings, problem="it took longer than 10 s")
    numbers = re.findall(r"(\d+) (?:with|clean|not)", words.summary(Report((half, CLEAN, RMSE))))
    assert sum(map(int, numbers)) == 3
    assert words.verdict(half) == "not checked, 2 errors, 1 warning"


def test_rules_that_share_a_reason_are_grouped_in_their_order():
    statuses = {
        "LS1": Status("skipped", "slow"),
        "LS2": Status("skipped", "no mask"),
        "LS3": Status("skipped", "slow"),
        "LS4": Status("allowed", "slow"),
    }
    assert words.reasons(LossReport("L", "", statuses=statuses), "skipped") == [
        ("LS1, LS3", "slow"),
        ("LS2", "no mask"),
    ]


def test_a_loss_with_a_problem_says_what_to_do_and_no_count_of_rules_that_were_not_run():
    rendered = text.render(Report((UNCHECKED,)))
    assert "fix     write example_Triplet(seed=0) beside it" in rendered
    assert "no rule was run" not in rendered
    assert "no rule was run" in text.render(Report((LossReport("L", "x.py:1"),)))
