"""A traced loss computes in every number system what it computes in torch, and what cannot be traced names its line."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lossmith import formulas
from lossmith.errors import LossmithError
from lossmith.ops import balls, digits, series
from lossmith.ops import numpy as doubles
from lossmith.ops.ball import precision
from lossmith.prove.facts import facts_of
from lossmith.prove.slice import Slice
from lossmith.prove.slices import elementwise
from lossmith.trace import aten
from lossmith.trace.graph import TraceError
from lossmith.trace.single import formula_of
from lossmith.trace.torch import record


def tensors(*numbers):
    return tuple(torch.tensor([x], dtype=torch.float64) for x in numbers)


INPUTS = [tensors(0.37, 0.8), tensors(-2.6, 0.1), tensors(5.1, 1.0)]


def wing(pred, target, width=5.0, curve=0.5):
    d = (pred - target).abs()
    near = width * torch.log(1 + d / curve)
    return torch.where(d < width, near, d - (width - width * math.log(1 + width / curve))).mean()


def in_place(pred, target):
    d = (pred - target).clone()
    d.mul_(2).pow_(2)
    return d.mean()


LOSSES = {
    "huber": F.huber_loss,
    "smooth l1": F.smooth_l1_loss,
    "mse": F.mse_loss,
    "l1": F.l1_loss,
    "bce logits": F.binary_cross_entropy_with_logits,
    "bce": lambda p, t: F.binary_cross_entropy(torch.sigmoid(p), t),
    "soft margin": F.soft_margin_loss,
    "poisson": F.poisson_nll_loss,
    "wing": wing,
    "in place": in_place,
    "hinge": lambda p, t: F.relu(1 - p * t).sum(),
    "clamped": lambda p, t: -(t * torch.sigmoid(p).clamp(1e-7, 1 - 1e-7).log()).mean(),
    "log cosh": lambda p, t: torch.log(torch.cosh(p - t)).mean(),
    "tanh": lambda p, t: torch.tanh(p - t).sum(),
    "waves": lambda p, t: (torch.sin(5.0 * (p - t)) + torch.cos(p) * t).mean(),
    "gelu": lambda p, t: F.gelu(p - t).mean(),
    "cube": lambda p, t: ((p - t).abs() ** 3).mean(),
    "power": lambda p, t: ((p - t).abs() ** 1.7).mean(),
    "inverse": lambda p, t: (1 + (p - t) ** 2).pow(-2).mean(),
    "softplus": lambda p, t: F.softplus(p - t, beta=2.0).mean(),
    "softplus, cut early": lambda p, t: F.softplus(p - t, threshold=1.0).mean(),
    "elu": lambda p, t: F.elu(p - t, alpha=0.7).mean(),
    "leaky relu": lambda p, t: F.leaky_relu(p - t, 0.2).mean(),
    "asinh": lambda p, t: torch.asinh(p - t).mean(),
    "atanh": lambda p, t: torch.atanh((p - t) / 10).mean(),
    "nan_to_num": lambda p, t: torch.nan_to_num((p - t) ** 2).mean(),
    "sign": lambda p, t: (torch.sign(p - t) * (p - t)).mean(),
    "mask": lambda p, t: ((p > t) * (p - t) ** 2 + torch.logical_not(p > t).double()).mean(),
    "maximum": lambda p, t: torch.maximum(0.9 * (t - p), -0.1 * (t - p)).mean(),
    "kl": lambda p, t: torch.xlogy(t, t).mean() - (t * F.logsigmoid(p)).mean(),
}
SYSTEMS = [(doubles, np.asarray), (digits.ops, digits.array), (balls.ops, balls.array), (series.ops, series.array)]


def number(x):
    entry = np.asarray(x).reshape(-1)[0]
    entry = entry.value.middle if isinstance(entry, balls.Jet) else entry
    return float(entry.terms[0].mid() if isinstance(entry, series.Series) else entry)


def misses(function):
    """The number systems in which a replay differs from torch."""
    graph, want = record(function, INPUTS), [float(function(*pair)) for pair in INPUTS]
    assert graph.single
    found = []
    with precision():
        for ops, make in SYSTEMS:
            got = [number(graph.replay(ops, *(make([float(x)]) for x in pair))) for pair in INPUTS]
            found += [] if np.allclose(got, want, rtol=1e-12, atol=1e-13) else [(ops, got, want)]
    return found


@pytest.mark.parametrize("name", LOSSES)
def test_a_replay_agrees_with_torch(name):
    assert misses(LOSSES[name]) == []


def test_the_test_above_can_fail(monkeypatch):
    monkeypatch.setitem(aten.RULES, "abs", lambda on, x: x)
    assert misses(F.l1_loss) != []


def test_a_number_without_a_dtype_is_the_decimal_that_was_written():
    graph = record(lambda p, t: (torch.where(p > t, 0.8, 0.2) * (p - t)).mean(), INPUTS)
    assert number(graph.replay(digits.ops, digits.array([1.0]), digits.array([0.0]))) == 0.8
    assert torch.get_default_dtype() == torch.float32


def branch(pred, target):
    if pred.sum() > 0:
        return (pred - target).pow(2).mean()
    return (pred - target).abs().mean()


def scaled_by_itself(pred, target):
    return (pred - target).mean() * pred.max().item()


def unknown(pred, target):
    return torch.special.bessel_j0(pred - target).mean()


def selected(pred, target):
    return (pred - target)[target > 0.05].mean()


def constant(pred, target):
    return torch.ones(())


def through_numpy(pred, target):
    return torch.tensor(np.abs(pred.numpy() - target.numpy())).mean()


@pytest.mark.parametrize(
    ("function", "line", "why"),
    [
        (branch, 2, "depends on the numbers"),
        (scaled_by_itself, 1, "depends on the numbers"),
        (unknown, 1, "not among the operations"),
        (selected, 1, "aten.index"),
        (through_numpy, None, "depends on the numbers|cannot be traced"),
        (constant, None, "nothing of its inputs reaches its value"),
    ],
)
def test_what_cannot_be_traced_is_told_with_its_line(function, line, why):
    with pytest.raises(TraceError, match=why) as raised:
        record(function, INPUTS).replay(digits.ops, digits.array([0.3]), digits.array([0.1]))
    if line is not None:
        assert f"{Path(__file__).name}:{function.__code__.co_firstlineno + line}" in str(raised.value)


def test_every_call_has_the_line_of_its_user():
    lines = {int(call.place.rpartition(":")[2]) for call in record(wing, INPUTS).calls}
    first = wing.__code__.co_firstlineno
    assert lines == {first + 1, first + 2, first + 3}


def test_a_part_without_gradient_is_noticed():
    def weighted(pred, target):
        return ((pred - target).abs().detach() * (pred - target)).mean()

    def without(pred, target):
        with torch.no_grad():
            weight = pred * 2
        return (weight + target).mean()

    assert record(F.mse_loss, INPUTS).stopped == ""
    constant = record(lambda p, t: ((p - t) ** 2 / torch.tensor(2.0)).mean(), INPUTS)  # which torch detaches
    assert constant.stopped == ""
    for function in (weighted, without):
        assert Path(__file__).name in record(function, INPUTS).stopped


def test_a_traced_loss_has_the_facts_of_the_formula():
    made, _ = formula_of(lambda p, t: F.huber_loss(p, t, delta=0.5), "mine", "real", "real")
    own, ours = facts_of(elementwise(made)), facts_of(elementwise(formulas.huber, delta=0.5))
    assert [one.verdict for one in own.statements] == ["proved"] * 3
    assert (own.variable, own.smooth_to, own.slopes, own.elicits) == ("r", 1, ours.slopes, ours.elicits)


def test_an_epsilon_inside_a_logarithm_is_seen_in_the_facts():
    def clipped(pred, target):
        p = torch.sigmoid(pred)
        return -(target * torch.log(p + 1e-7) + (1 - target) * torch.log(1 - p + 1e-7)).mean()

    said = str(facts_of(elementwise(formula_of(clipped, "clipped", "logits", "binary")[0])))
    assert "levels off at 16.12, the size of the slope falls exponentially: no gradient" in said
    assert "  convex                            no: " in said


def test_two_axes_and_shared_constants_are_read_entry_by_entry():
    def summed(pred, target):
        weight = torch.full_like(pred, 3.0)
        return (weight * (pred - target) ** 2).sum(dim=1).mean()

    made, _ = formula_of(summed, "summed", "real", "real", axes=2)
    x = np.array([0.5, -1.0, 2.0])
    assert made(x, np.zeros(3)) == pytest.approx(3 * x**2)
    with precision():
        assert float(Slice(lambda ops, z: made.outcome(ops, z, 0.0 * z).values).at(2.0).slope.middle) == 12.0


@pytest.mark.parametrize(
    ("loss", "target", "why"),
    [
        (lambda p, t: 1 - 2 * (p * t).sum() / (p.sum() + t.sum() + 1), "soft", "neither the values, the mean nor"),
        (lambda p, t: (p - t).pow(2).max(), "real", "neither the values, the mean nor"),
        (F.cross_entropy, "index", "its target is index"),
    ],
)
def test_a_loss_that_is_not_one_of_single_numbers_is_refused(loss, target, why):
    with pytest.raises(LossmithError, match=why):
        formula_of(loss, "theirs", "logits", target)
