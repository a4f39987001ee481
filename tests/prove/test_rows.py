"""Bounds of losses of rows: they hold what differences find at random logits, and are as tight as theory."""

import numpy as np
import pytest
import torch

import lossmith
import lossmith.formulas
from lossmith.ops.ball import around, precision
from lossmith.prove import rows
from lossmith.prove.rows import FLOOR, bounds_of, enclosed
from lossmith.spec import FORMULAS

LOSSES = ("softmax_cross_entropy", "softmax_focal", "generalized_cross_entropy", "ldam")


@pytest.fixture(scope="module")
def found():
    return {name: {one.of: one for one in bounds_of(FORMULAS[name]).bounds} for name in LOSSES}


def seen(name):
    """Value, and slope and bend in the first two logits, at many rows: by autograd."""
    logits = np.random.default_rng(0).uniform(-5.0, 5.0, size=(400, 3))
    z = torch.tensor(logits, requires_grad=True)
    labels = torch.zeros(len(z), dtype=torch.long)
    others = [torch.tensor([5.0, 5.0, 5.0], dtype=torch.float64)] if name == "ldam" else []
    value = FORMULAS[name](z, labels, *others)
    (slopes,) = torch.autograd.grad(value.sum(), z, create_graph=True)
    yield "value", value.detach()
    for place in (0, 1):
        yield f"slope in z{place + 1}", slopes[:, place].detach()
        (bends,) = torch.autograd.grad(slopes[:, place].sum(), z, retain_graph=True)
        yield f"second derivative in z{place + 1}", bends[:, place]


def outside(name, bounds):
    return [
        of
        for of, numbers in seen(name)
        if float(numbers.min()) < bounds[of].low - 1e-9 or float(numbers.max()) > bounds[of].high + 1e-9
    ]


@pytest.mark.parametrize("name", LOSSES[:3])
def test_bounds_hold_what_autograd_finds(name, found):
    assert outside(name, found[name]) == []


def test_the_test_above_can_fail(found, monkeypatch):
    wrong = dict(found["softmax_focal"])
    wrong["slope in z1"] = found["softmax_cross_entropy"]["slope in z1"]  # the slope of focal loss goes beyond -1
    assert outside("softmax_focal", wrong) == ["slope in z1"]


def test_cross_entropy_has_the_constants_of_theory(found):
    of = found["softmax_cross_entropy"]
    assert of["value"].low >= 0.0
    assert of["slope in z1"].low == pytest.approx(-1.0, abs=1e-5)
    assert 0.25 <= of["second derivative in z1"].high < 0.2513
    assert of["second derivative in z1"].low >= 0.0
    assert found["ldam"]["second derivative in z2"].high == pytest.approx(900 / 4, rel=2e-3)


def test_what_is_not_said_in_shares_stays_open():
    assert bounds_of(FORMULAS["kl_divergence"]).bounds == ()
    assert "shares" in bounds_of(FORMULAS["kl_divergence"]).open


def test_no_boxes_are_too_wide_and_never_wrong(monkeypatch):
    monkeypatch.setattr(rows, "BOXES", 1)
    (value, *_, bend) = bounds_of(FORMULAS["softmax_cross_entropy"]).bounds
    assert bend.high >= 0.25
    assert value.low <= FLOOR * 2.1


def test_an_expression_over_balls_is_enclosed():
    derivation = lossmith.derive("softmax_focal", gamma=2.0)
    region = derivation.cases[0].regions[0]
    p1, p2 = (next(one for one in derivation.families[0].shares if str(one) == name) for name in ("p1", "p2"))
    with precision():
        over = enclosed(next(iter(region.curvature.values())), {p1: around(0.3, 0.4)})
    for share in (0.3, 0.35, 0.4):
        want = float(next(iter(region.curvature.values())).subs({p1: share, p2: 0.1}))
        assert float(over.low) <= want <= float(over.high)


def test_the_command_line_prints_bounds_of_rows(capsys):
    from lossmith.cli import app

    app(["show", "softmax_cross_entropy"], standalone_mode=False)
    said = capsys.readouterr().out
    assert "slope in z1              from -1 to" in said
    assert "logits less than 13.9 apart" in said
