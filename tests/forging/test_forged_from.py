"""`lossmith forge --from`: a user's own loss as an expression, compared with itself, written in another framework."""

import copy
import os
import subprocess
import sys
from xml.etree import ElementTree

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lossmith.checker.build import subject_of_object
from lossmith.checker.original import original
from lossmith.checker.resolve import Declared
from lossmith.cli import main
from lossmith.errors import LossmithError, SettingError
from lossmith.forging import emit_tests, tree
from lossmith.forging.forged import forge_from
from lossmith.forging.original import expressed
from lossmith.forging.parse import parse
from lossmith.forging.plan import plan
from lossmith.forging.targets import TARGETS
from lossmith.forging.written import Words, Written

REAL = {"pred": "real[N,C]", "target": "real[N,C]"}
LOGITS = {"pred": "logits[N,C]", "target": "binary[N,C]"}


class Focal(nn.Module):
    def __init__(self, gamma=2.0, alpha=0.25):
        super().__init__()
        self.gamma, self.alpha = gamma, alpha

    def forward(self, logits, target):
        p = torch.sigmoid(logits)
        hit = -self.alpha * (1 - p) ** self.gamma * torch.log(p)
        miss = -(1 - self.alpha) * p**self.gamma * torch.log(1 - p)
        return (target * hit + (1 - target) * miss).mean()


class Scaled(nn.Module):
    """`steep` decides what is computed, `offset` hides in a logarithm, `scale` divides."""

    def __init__(self, scale=4.0, steep=1, offset=2.0):
        super().__init__()
        self.scale, self.steep, self.constant = scale, steep, torch.log(torch.tensor(float(offset)))

    def forward(self, pred, target):
        error = (pred - target).abs() / self.scale
        return ((error if self.steep == 1 else error.square()) * self.constant).sum()


def gelu(pred, target):
    return F.gelu(pred - target).square().mean()


def detached(pred, target):
    return ((pred - target) * (pred - target).detach()).mean()


def dice(pred, target):
    p = torch.sigmoid(pred)
    return 1 - 2 * (p * target).sum() / (p.sum() + target.sum())


def rooted(pred, target, power=1.5):
    return ((pred - target).abs() > 0.5).to(pred.dtype).mul((pred - target).abs().clamp(min=0.1) ** power).mean()


def told(loss, flags):
    return original(subject_of_object(loss), Declared(flags))


@pytest.fixture(scope="module")
def focal():
    return told(Focal, LOGITS)


def test_a_class_is_an_expression_whose_settings_have_their_names(focal):
    made = expressed(focal)
    assert made.params == {"gamma": 2.0, "alpha": 0.25}
    assert made.kinds == ("logits", "binary")
    want = "(1 - target) * (sigmoid(pred) ** gamma * (alpha - 1) * log(1 - sigmoid(pred)))"
    assert made.expression.startswith(want)
    assert any("120 values and slopes of Focal itself" in note for note in made.notes)


def test_a_loss_whose_values_are_others_than_its_trace_is_not_written(focal):
    for column, word in ((2, "its value"), (3, "its slope")):
        other = copy.deepcopy(focal)
        for row in other["points"][:9]:
            row[column] *= 1.001
        with pytest.raises(LossmithError, match="what was traced is not what it computes") as error:
            expressed(other)
        assert word in str(error.value)


def test_what_is_no_name_stays_a_constant_and_is_said():
    made = expressed(told(Scaled, REAL))
    assert made.params == {"scale": 4.0}
    assert "abs(pred - target) / scale" in made.expression
    said = "\n".join(made.notes)
    assert "the setting steep is 1: it decides what is computed" in said
    assert "the setting offset is 2.0: a constant of the trace depends on it in no simple way" in said
    assert "Scaled gives the sum of a batch" in said


def test_truths_count_as_numbers_and_bounds_stay():
    made = expressed(told(rooted, REAL))
    assert made.params == {"power": 1.5}
    assert made.expression == ("where(abs(pred - target) > 0.5, 1, 0) * maximum(abs(pred - target), 0.1) ** power")


@pytest.mark.parametrize(
    ("loss", "flags", "words"),
    [
        (gelu, REAL, "has no erf"),
        (detached, REAL, "a part is detached"),
        (dice, LOGITS, "not a loss of single numbers"),
    ],
)
def test_what_cannot_be_an_expression_is_refused_in_words(loss, flags, words):
    with pytest.raises(LossmithError, match="cannot be forged") as error:
        expressed(told(loss, flags))
    assert words in str(error.value)
    if loss in (gelu, detached):
        assert "test_forged_from.py:" in str(error.value)


@pytest.mark.parametrize(
    "harm",
    [
        lambda data: data["graph"]["calls"].append({"name": "exp"}),
        lambda data: data["graph"].update(output={"eval": "1"}),
        lambda data: data["graph"].update(calls=data["graph"]["calls"] * 100),
        lambda data: data["params"].update({"__import__('os')": 1.0}),
        lambda data: data["graph"]["calls"][0].update(name="__class__"),
    ],
)
def test_what_comes_from_the_child_is_data_and_hostile_data_is_refused(focal, harm):
    other = copy.deepcopy(focal)
    harm(other)
    try:
        made = expressed(other)
    except LossmithError:
        return
    assert "import" not in made.expression  # or the name was dropped, and numbers stand there
    assert made.params == {}


def test_written_numbers_are_the_tree_that_the_parser_reads():
    pred, target = Written(tree.PRED), Written(tree.TARGET)
    words = Words()
    made = words.where((pred > target) & ~(pred < 0), 2.0 * words.exp(-pred), 1.0 / (1.0 + words.square(target)))
    text = "where((pred > target) & ~(pred < 0), 2 * exp(-pred), 1 / (1 + square(target)))"
    assert made.node == parse(text)
    assert words.where(words.truth(0.0), pred, target).node == tree.TARGET  # decided while it was traced
    with pytest.raises(NotImplementedError, match="depends on the numbers"):
        bool(pred > target)


MINE = """
import torch

class Pinball(torch.nn.Module):
    def __init__(self, q=0.9):
        super().__init__()
        self.q = q

    def forward(self, pred, target):
        error = target - pred
        return torch.maximum(self.q * error, (self.q - 1) * error).mean()
"""


def test_the_command_writes_a_file_of_another_framework(tmp_path, capsys):
    (tmp_path / "mine.py").write_text(MINE)
    place = tmp_path / "pinball.py"
    words = ["forge", "--from", f"{tmp_path}/mine.py:Pinball", "--arg", "q=0.8", "--to", "numpy", "-o", str(place)]
    with pytest.raises(SystemExit) as done:
        main([*words, "--pred", "real", "--target", "real"])
    assert done.value.code == 0
    said = capsys.readouterr().out
    assert "traced as maximum((target - pred) * q, (target - pred) * (q - 1))" in said
    assert "no finding of the checker is an error" in said
    assert "q: float = 0.8" in place.read_text()


def test_an_expression_and_a_loss_do_not_go_together(capsys):
    with pytest.raises(SystemExit):
        main(["forge", "square(pred - target)", "--name", "Square", "--from", "mine.py:Loss"])
    assert "--from takes the place of an expression" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["forge", "--name", "Square"])
    assert "an expression and --name, or --from" in capsys.readouterr().err
    assert issubclass(SettingError, LossmithError)


class Tilted(nn.Module):
    """Log-cosh as it is often written, which overflows, and a slope that is another one below the target."""

    def __init__(self, tilt=0.25):
        super().__init__()
        self.tilt = tilt

    def forward(self, pred, target):
        error = pred - target
        return (torch.log(torch.cosh(error)) + torch.where(error < 0, self.tilt, 0.0) * error.square()).mean()


CARRIERS = [to for to in TARGETS if to != "latex"]


@pytest.fixture(scope="module")
def carried(tmp_path_factory):
    """Every target of one traced loss with the tests that it carries, run in one process: how each file did."""
    folder = tmp_path_factory.mktemp("forged")
    found = expressed(told(Tilted, REAL))
    kinds = dict(zip(("pred", "target"), found.kinds, strict=True))
    made = plan(found.expression, found.name, found.params, **kinds)
    for to in CARRIERS:
        stem = f"tilted_{to.replace('-', '_')}"
        (folder / f"{stem}.py").write_text(TARGETS[to].write(made))
        (folder / f"test_{stem}.py").write_text(emit_tests.tests(made, TARGETS[to], stem))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=done.xml", "--rootdir=."]
    quiet = {**os.environ, "KERAS_BACKEND": "torch", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    said = subprocess.run(command, cwd=folder, env=quiet, capture_output=True, text=True, timeout=300, check=False)
    cases = ElementTree.parse(folder / "done.xml").iter("testcase")
    return found, made, [(case.get("classname", ""), [part.tag for part in case]) for case in cases], said.stdout


def test_a_naive_log_cosh_is_seen_for_what_it_is(carried):
    found, made, _, _ = carried
    assert "log(cosh(pred - target))" in found.expression
    assert any("log_cosh" in str(one) for one in made.rewrites)
    assert found.params == {"tilt": 0.25}


@pytest.mark.parametrize("to", CARRIERS)
def test_a_traced_loss_carries_tests_that_pass_in_every_framework(to, carried):
    _, _, cases, said = carried
    own = [tags for name, tags in cases if name == f"test_tilted_{to.replace('-', '_')}"]
    assert len(own) >= 3, said
    assert not any("failure" in tags or "error" in tags for tags in own), said


@pytest.mark.parametrize("asked", [{"to": "latex", "with_tests": True}, {"out": "loss.txt"}, {"name": "not a name"}])
def test_what_cannot_be_written_is_refused_before_anything_is_traced(asked):
    with pytest.raises(SettingError):  # not TargetError: nobody has looked for the file
        forge_from("nowhere.py:Nothing", **asked)


def test_a_traced_loss_is_written_as_latex(carried):
    assert r"\log" in TARGETS["latex"].write(carried[1])
