"""What a page shows is measured in the child, reaches the parent as data, and is left out where it cannot be made."""

import json

import pytest

from lossmith.checker import Options, check_target
from lossmith.checker.build import subject_of_object
from lossmith.checker.cost import cost_of
from lossmith.checker.drawn import pictures_of
from lossmith.checker.learned import Learned, known
from lossmith.checker.mathematics import mathematics_of
from lossmith.checker.picture import Pictures
from lossmith.checker.resolve import Declared, resolve
from lossmith.torch import HuberLoss

MINE = """
import torch

def my_loss(pred, target):
    return ((pred - target) ** 2).mean()
"""


def subject(loss, **flags):
    made = subject_of_object(loss)
    return made.with_contract(resolve(made, Declared(flags))[0])


def test_the_child_measures_only_when_it_is_asked_to(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    only = Options(select=["LS104"])
    (plain,) = check_target(f"{tmp_path / 'mine.py'}:my_loss", only)
    assert plain.pictures is None
    (report,) = check_target(f"{tmp_path / 'mine.py'}:my_loss", Options(select=["LS104"], pictures=True))
    made = report.pictures
    assert made.curve.series[0].value == pytest.approx([x * x for x in made.curve.series[0].x], rel=1e-5, abs=1e-6)
    assert made.surface.minimum[:2] == pytest.approx(made.surface.target, abs=0.1)
    assert [one.dtype for one in made.precision.errors] == ["float32", "bfloat16", "float16"]
    assert made.cost.predictions > 10_000
    assert [line.text for line in made.mathematics.lines] == ["r**2", "2*r", "2"]
    assert {fact.code for fact in report.facts} == {f"F{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 10)}


def test_pictures_go_through_json_and_back():
    huber = subject(HuberLoss)
    made = pictures_of(huber, mathematics_of(huber), cost_of(huber))
    back = Pictures.from_json(json.loads(json.dumps(made.as_json())))
    assert json.dumps(back.as_json()) == json.dumps(made.as_json())  # as text: a hole is not equal to itself
    assert Pictures.from_json(json.loads(json.dumps(Pictures().as_json()))) == Pictures()


def test_the_mathematics_are_those_of_the_settings_of_the_loss():
    made = mathematics_of(subject(HuberLoss(delta=2.0)))
    gradients = {line.where: line.text for line in made.lines if line.what == "gradient"}
    assert gradients == {"r < -2": "-2", "-2 < r < 2": "r", "2 < r": "2"}
    assert "<mfrac>" in made.lines[3].mathml


def kept(pred, target):
    return (pred - target).square().mean()


def held_twice(pred, target):
    return ((pred - target).exp() * (pred - target).sin()).mean()


def test_the_bytes_that_are_kept_are_those_of_the_graph():
    flags = {"pred": "real[N]", "target": "real[N]"}
    once, more = cost_of(subject(kept, **flags)), cost_of(subject(held_twice, **flags))
    assert once.kept == 4 * once.predictions  # the difference, in float32
    assert more.kept == 4 * 3 * more.predictions  # its exponential, its sine, and what the sine was taken of
    assert 0 < once.forward <= once.both


def raising(pred, target):
    raise RuntimeError("only on Sundays")


def test_a_loss_that_cannot_be_drawn_has_no_pictures_and_no_error():
    contract = subject(kept, pred="real[N]", target="real[N]").contract
    made = pictures_of(subject_of_object(raising).with_contract(contract))
    assert made.precision is None
    assert pictures_of(subject_of_object(kept)) == Pictures()  # no contract: nothing is known to move


def greedy(pred, target):
    if pred.numel() > 1000:
        raise MemoryError("all pairs")
    return (pred - target).abs().mean()


def test_what_asks_for_too_much_memory_is_a_picture_less_and_no_report_less():
    made = subject(greedy, pred="real[N]", target="real[N]")
    learned = Learned(made)
    assert "more memory than it may have" in learned.cost.why
    assert pictures_of(made, cost=known(learned.cost)).cost is None
