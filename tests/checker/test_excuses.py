"""What is allowed and expected: beside the loss, in pyproject.toml, in Python; with a reason, while needed."""

import pytest
import torch
import torch.nn.functional as F

import lossmith
from lossmith.checker.beside import allowed_in
from lossmith.checker.build import example_of  # noqa: F401  (the loader of examples is next door to the table)
from lossmith.checker.place import Place
from lossmith.checker.process import Options, check_target
from lossmith.checker.project import said_of
from lossmith.errors import SettingError


def rmse(pred, target):
    return F.mse_loss(pred, target).sqrt()


# lossmith: allow LS104 the batch is never perfect
def excused(pred, target):
    return F.mse_loss(pred, target).sqrt()


REAL = {"pred": "real[N]", "target": "real[N]"}


def statuses(loss, **said):
    return lossmith.check(loss, contract=REAL, select="LS104", **said)


def test_without_an_excuse_it_fails():
    assert not statuses(rmse).ok


def test_a_comment_above_the_loss_allows():
    report = statuses(excused)
    assert report.ok
    assert report.statuses["LS104"].status == "allowed"
    assert report.statuses["LS104"].reason == "the batch is never perfect"


def test_an_expected_failure_is_allowed_while_it_fails():
    report = statuses(rmse, expected_failures={"LS104": "issue 7"})
    assert report.ok
    assert report.statuses["LS104"].reason == "expected: issue 7"


def test_an_expected_failure_that_passes_is_an_error():
    report = statuses(F.mse_loss, expected_failures={"LS104": "issue 7"})
    (found,) = report.findings
    assert (found.code, found.severity) == ("LS104", "error")
    assert found.message == "LS104 is expected to fail, and there is nothing to find"


def test_an_allowance_that_is_not_needed_is_an_error_only_if_strict():
    assert statuses(F.mse_loss, allow={"LS104": "no reason at all"}).ok
    assert not statuses(F.mse_loss, allow={"LS104": "no reason at all"}, strict=True).ok


def test_a_warning_fails_if_strict():
    loss = lambda pred, target: F.mse_loss(pred, target)
    assert lossmith.check(loss, select="LS401").ok
    assert not lossmith.check(loss, select="LS401", strict=True).ok


@pytest.mark.parametrize("said", [{"LS104": ""}, {"LS104": " "}, {"LS999": "why"}])
def test_a_code_that_is_none_and_a_reason_that_is_none_are_refused(said):
    for keyword in ("allow", "expected_failures"):
        with pytest.raises(SettingError):
            statuses(rmse, **{keyword: said})


HEADS = [
    ("# lossmith: allow LS501 tokens\ndef f(a, b):\n    return a\n", 2, {"LS501": "tokens"}),
    ("def f(a, b):  # lossmith: allow LS501, LS502 two\n    return a\n", 1, {"LS501": "two", "LS502": "two"}),
    ("@g\n# lossmith: allow LS501: tokens\ndef f(\n    a,  # lossmith: allow LS104 here\n    b,\n):\n    return a\n", 1,
     {"LS501": "tokens", "LS104": "here"}),
    ("class F:  # lossmith: allow LS501 tokens\n    pass\n", 1, {"LS501": "tokens"}),
    ("x = 1  # lossmith: allow LS501 of x\ndef f(a, b):\n    return a  # lossmith: allow LS104 inside\n", 2, {}),
    ("def f(a, b='# lossmith: allow LS501 text'):\n    return a\n", 1, {}),
]  # fmt: skip


@pytest.mark.parametrize(("source", "line", "codes"), HEADS)
def test_where_a_comment_counts(source, line, codes, monkeypatch):
    monkeypatch.setattr("lossmith.checker.beside.known_codes", lambda: ["LS104", "LS501", "LS502"])
    assert allowed_in(source, line, "f.py:1") == codes


@pytest.mark.parametrize(
    ("comment", "says"),
    [
        ("# lossmith: allow LS501", "LS501 is allowed without a reason"),
        ("# lossmith: allow nothing", "names no rule"),
        ("# lossmith: ignore LS501 why", "means nothing"),
        ("# lossmith: allow LS999 why", "LS999 is no rule"),
    ],
)
def test_a_slip_in_a_comment_is_told(comment, says):
    with pytest.raises(SettingError, match=says):
        allowed_in(f"{comment}\ndef f(a, b):\n    return a\n", 2, "f.py:2")


PROJECT = """
[tool.lossmith]
ignore = ["LS6"]
allow = { LS502 = "by design" }

[tool.lossmith."pkg.mod:my_loss"]
contract = { pred = "real[N]", target = "real[N]" }
allow = { LS104 = "never perfect" }
range = 50
"""
LOSS = "def my_loss(pred, target):\n    return ((pred - target) ** 2).mean().sqrt()\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "mod.py").write_text(LOSS)
    (tmp_path / "pyproject.toml").write_text(PROJECT.replace("LS502", "LS501"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_pyproject_speaks_for_all_and_for_one(project):
    said = said_of(Place.parse("pkg/mod.py"), "my_loss")
    assert said.contract == {"pred": "real[N]", "target": "real[N]"}
    assert said.allow == {"LS501": "by design", "LS104": "never perfect"}
    assert (said.ignore, said.range) == (("LS6",), 50)
    assert said_of(Place.parse("pkg.mod"), "my_loss").range == 50
    assert said_of(Place.parse("pkg.mod"), "another").range is None


def test_pyproject_reaches_the_worker(project):
    (report,) = check_target("pkg/mod.py", Options(select=("LS104", "LS605")))
    assert report.ok
    assert report.contract.origin == "pyproject.toml"
    assert report.statuses["LS104"].reason == "never perfect"
    assert report.statuses["LS605"].status == "allowed"


@pytest.mark.parametrize(
    ("line", "says"), [("rnage = 3", "did you mean range"), ("range = 'far'", "a number"), ("ignore = 'LS6'", "a list")]
)
def test_a_slip_in_pyproject_is_told(project, line, says):
    (project / "pyproject.toml").write_text(f"[tool.lossmith]\n{line}\n")
    with pytest.raises(SettingError, match=says):
        said_of(Place.parse("pkg/mod.py"), "my_loss")


def test_beyond_the_range_nothing_is_asked():
    def overflows(logits, target):
        return (torch.exp(logits) * (1 - target) + torch.exp(-logits) * target).mean()

    contract = {"logits": "logits[N]", "target": "binary[N]"}
    assert not lossmith.check(overflows, contract=contract, select="LS201").ok
    assert lossmith.check(overflows, contract=contract, select="LS201", range=10.0).ok
