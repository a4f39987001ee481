"""`lossmith check` as a newcomer types it: exit codes, messages, files. No traceback, whatever is given."""

import json

import pytest

from lossmith.cli import main

LOSSES = """
import torch
import torch.nn as nn
import torch.nn.functional as F


def clean_loss(logits, target):
    return F.cross_entropy(logits, target)


def rmse_loss(pred, target):
    if pred.shape != target.shape:
        raise ValueError("shapes")
    return ((pred - target) ** 2).mean().sqrt()


class PowerLoss(nn.Module):
    def __init__(self, power=2.0):
        super().__init__()
        self.power = power

    def forward(self, pred, target):
        if pred.shape != target.shape:
            raise ValueError("shapes")
        return (pred - target).abs().pow(self.power).mean()


class NeedsMargin(nn.Module):
    def __init__(self, margin):
        super().__init__()
        self.margin = margin

    def forward(self, x, y):
        return F.relu(self.margin - x * y).mean()


def picky_loss(pred, target):
    raise RuntimeError("only on Sundays")


object_loss = PowerLoss(3.0)
not_a_loss = 3
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli")
    (path / "losses.py").write_text(LOSSES)
    (path / "broken.py").write_text("def my_loss(pred, target):\n    return (pred - target\n")
    (path / "raising.py").write_text("import torch\nraise RuntimeError('no data here')\n")
    (path / "missing.py").write_text("import a_module_that_is_not_there\n")
    (path / "empty.py").write_text("x = 1\n")
    return path


@pytest.fixture
def run(folder, monkeypatch, capfd):
    monkeypatch.chdir(folder)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["check", *arguments])
        output = capfd.readouterr()
        assert "Traceback" not in output.out + output.err
        return ended.value.code or 0, output.out, output.err

    return run


BAD = [
    (["nope.py"], "nope.py: there is no such file"),
    (["loses.py"], "did you mean losses.py?"),
    (["losses.py:rmse_los"], "did you mean losses.py:rmse_loss?"),
    (["losses.py:not_a_loss"], "losses.py:not_a_loss is a int, not a loss"),
    (["broken.py"], "broken.py does not parse"),
    (["raising.py"], "RuntimeError: no data here"),
    (["missing.py"], "a_module_that_is_not_there"),
    (["empty.py"], "empty.py: no loss found in it"),
    (["a_module.that_is_not:There"], "there is no such module"),
    (["torch.nn:HuberLos"], "did you mean torch.nn:HuberLoss?"),
    ([".:x"], "not a Python file"),
    (["losses.py:PowerLoss", "--arg", "powr=3"], "did you mean --arg power=3?"),
    (["losses.py:PowerLoss", "--arg", "power"], "not NAME=VALUE"),
    (["losses.py:PowerLoss", "--arg", "power='a'"], "no combination of inputs was accepted"),
    (["losses.py:object_loss", "--arg", "power=1"], "already built"),
    (["losses.py:NeedsMargin"], "--arg margin=..."),
    (["losses.py:picky_loss"], "only on Sundays"),
    (["losses.py:clean_loss", "--pred", "logit[N,C]"], "'logit[N,C]' is not a domain"),
    (
        ["losses.py:clean_loss", "--pred", "logits[N,C]", "--target", "real[N]"],
        "does not accept what its contract says",
    ),
    (["losses.py:clean_loss", "--select", "LS999"], "'LS999' is no rule"),
    (["losses.py:clean_loss", "--html", "no/such/folder/report.html"], "mkdir -p"),
    (["losses.py:clean_loss", "--no-such-flag"], "No such option"),
]


@pytest.mark.parametrize(("arguments", "says"), BAD, ids=[" ".join(arguments) for arguments, _ in BAD])
def test_what_cannot_be_run_is_a_message_and_exit_2(run, arguments, says):
    code, out, err = run(*arguments)
    assert code == 2
    assert says in out + err


def test_a_clean_loss_exits_0(run):
    code, out, _ = run("losses.py:clean_loss")
    assert code == 0
    assert "logits: logits[N,C], target: index[N]" in out


def test_a_fault_exits_1_and_is_printed_with_its_values(run):
    code, out, _ = run("losses.py:rmse_loss", "--select", "LS104")
    assert code == 1
    assert "LS104 nan-at-perfect-prediction" in out
    assert "grad pred" in out


def test_json_alone_goes_to_standard_output_and_nothing_else_does(run):
    code, out, _ = run("losses.py:rmse_loss", "--select", "LS104,LS201", "--json")
    assert code == 1
    (loss,) = json.loads(out)["losses"]
    assert {"name", "location", "contract", "findings", "statuses", "seconds"} <= set(loss)
    assert loss["name"] == "rmse_loss"
    assert loss["location"].startswith("losses.py:")
    (finding,) = loss["findings"]
    wanted = "code name severity grade message evidence why fix location reproducer"
    assert set(finding) == set(wanted.split())
    assert finding["severity"] in ("error", "warning", "info")
    assert loss["statuses"]["LS104"] == {"status": "failed", "reason": ""}
    assert loss["statuses"]["LS201"]["status"] == "passed"
    assert loss["statuses"]["LS401"] == {"status": "skipped", "reason": "not selected"}


def test_files_are_written_where_they_are_asked_for(run, folder):
    code, out, _ = run("losses.py:clean_loss", "--select", "LS1", "--json", "out.json", "--html", "out.html")
    assert code == 0
    assert json.loads((folder / "out.json").read_text())["losses"][0]["name"] == "clean_loss"
    assert "<html" in (folder / "out.html").read_text()
    assert "report: out.html" in out


def test_ignored_rules_are_allowed_with_the_reason(run):
    code, out, _ = run("losses.py:rmse_loss", "--ignore", "LS104,LS3", "--json")
    assert code == 0
    assert json.loads(out)["losses"][0]["statuses"]["LS104"] == {"status": "allowed", "reason": "--ignore"}


def test_a_setting_reaches_the_loss(run):
    code, out, _ = run("losses.py:PowerLoss", "--arg", "power=0.5", "--select", "LS104", "--json")
    assert code == 1, "|r|^0.5 has an infinite slope at 0"
    assert "PowerLoss(power=0.5)" in json.loads(out)["losses"][0]["findings"][0]["reproducer"]


def test_objects_of_a_file_are_found_like_classes_and_functions(run):
    code, out, _ = run("losses.py", "--select", "LS605", "--json")
    assert code == 2, "two losses of the file could not be checked"
    losses = {loss["name"]: loss for loss in json.loads(out)["losses"]}
    assert list(losses) == ["clean_loss", "rmse_loss", "PowerLoss", "NeedsMargin", "picky_loss", "object_loss"]
    assert [name for name, loss in losses.items() if loss["problem"]] == ["NeedsMargin", "picky_loss"]
    assert losses["object_loss"]["statuses"]["LS605"]["status"] == "passed"


def test_a_declared_contract_is_used_and_its_origin_is_printed(run):
    code, out, _ = run("losses.py:rmse_loss", "--pred", "real[N]", "--target", "real[N]", "--select", "LS605", "--json")
    assert code == 0
    contract = json.loads(out)["losses"][0]["contract"]
    assert contract["arguments"] == {"pred": "real[N]", "target": "real[N]"}
    assert contract["origin"] == "command line"


def test_a_module_of_a_package_is_a_target(run):
    code, out, _ = run("torch.nn:HuberLoss", "--arg", "delta=2.0", "--json")
    assert code == 0
    assert json.loads(out)["losses"][0]["contract"]["origin"] == "known: torch.nn.HuberLoss"


def test_every_code_is_explained(capsys):
    from lossmith.checker.rules import known_codes

    for code in known_codes():
        with pytest.raises(SystemExit) as ended:
            main(["explain", code])
        text = capsys.readouterr().out
        assert not ended.value.code
        assert code in text
        assert all(heading in text for heading in ("Why it matters", "When to allow it"))


SCAN = """
import tensorflow as tf
import torch
import torch.nn as nn
import torch.nn.functional as F


class DistillKL(nn.Module):
    def forward(self, y_s, y_t):
        return F.kl_div(y_s.log_softmax(1), y_t.detach().softmax(1), reduction="batchmean")


def rank(scores_a, scores_b, order):
    return F.relu(0.5 - order * (scores_a - scores_b)).mean()


def example_rank(seed=0):
    torch.manual_seed(seed)
    return torch.randn(6), torch.randn(6), (torch.arange(6) % 2) * 2.0 - 1


def combine(first, other):
    return first + other


def log_cosh_loss(y_true, y_pred):
    e = y_pred - y_true
    return tf.reduce_mean(e + tf.nn.softplus(-2.0 * e) - tf.math.log(2.0))
"""


def test_a_scan_finds_what_is_called_or_declared_a_loss_and_names_what_it_left_out(run, folder):
    (folder / "scan.py").write_text(SCAN)
    _, out, err = run("scan.py", "--select", "LS104,LS401", "--json")
    losses = {loss["name"]: loss for loss in json.loads(out)["losses"]}
    assert list(losses) == ["DistillKL", "rank", "log_cosh_loss"]
    assert [loss["problem"] for loss in losses.values()] == ["", "", ""]
    assert losses["log_cosh_loss"]["contract"]["arguments"] == {"y_true": "real[N,C]", "y_pred": "real[N,C]"}
    assert "not taken for losses: combine" in " ".join(err.split())
