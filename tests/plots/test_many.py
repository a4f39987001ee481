"""A loss at many points at once is the loss at each of them, whichever way it was computed."""

import jax.numpy as jnp
import pytest
import tensorflow as tf
import torch
from torch import nn
from torch.nn import functional as F

from lossmith.checker import many
from lossmith.checker.build import subject_of_object
from lossmith.checker.curve import curve_of, path_of
from lossmith.checker.precision import precision_of
from lossmith.checker.resolve import Declared, resolve
from lossmith.checker.surface import surface_of

X = torch.linspace(-3.0, 3.0, 25, dtype=torch.float64)


def subject(loss, **flags):
    made = subject_of_object(loss)
    return made.with_contract(resolve(made, Declared(flags or {"pred": "real[N]", "target": "real[N]"}))[0])


def smooth(pred, target):
    return ((pred - target) ** 3).mean()


class Branching(nn.Module):
    """It looks at its values, so that it cannot be mapped; and it gives a value for each sample."""

    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, pred, target):
        if pred.isnan().any():
            raise ValueError("NaN")
        values = (pred - target) ** 3
        return values if self.reduction == "none" else values.mean()


def looking(pred, target):
    return ((pred - target) ** 3).mean() if float(pred.sum()) > -1e9 else pred.sum()


class Drifting(nn.Module):
    """Its answer depends on how many samples there are: a thousand at a time it is another loss."""

    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, pred, target):
        if pred.isnan().any():
            raise ValueError("NaN")
        values = (pred - target) ** 3 * len(pred)
        return values if self.reduction == "none" else values.mean()


WAYS = {"vmap": smooth, "batch": Branching, "loop": looking}


@pytest.mark.parametrize(("how", "loss"), WAYS.items())
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_value_slope_and_curvature_are_those_of_the_loss(how, loss, dtype):
    one = subject(loss)
    (move,) = path_of(one).moves.values()
    made = many.at_many(one, move, (X,), dtype=dtype, second=True)
    near = {"rtol": 1e-5, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 1e-12, "atol": 1e-12}
    assert made.how == how
    torch.testing.assert_close(made.value, X**3, **near)
    torch.testing.assert_close(made.slopes[0], 3 * X**2, **near)
    torch.testing.assert_close(made.curvature, 6 * X, **near)


def smooth_in_jax(pred, target):
    return jnp.mean((pred - target) ** 3)


def smooth_in_tensorflow(pred, target):
    return tf.reduce_mean((pred - target) ** 3)


@pytest.mark.parametrize("loss", [smooth_in_jax, smooth_in_tensorflow])
def test_another_framework_maps_its_own_loss_and_has_no_second_derivative_here(loss):
    one = subject(loss)
    (move,) = path_of(one).moves.values()
    made = many.at_many(one, move, (X,), dtype=torch.float64, second=True)
    assert made.how == "vmap"
    torch.testing.assert_close(made.value, X**3)
    torch.testing.assert_close(made.slopes[0], 3 * X**2)
    assert made.curvature is None
    assert curve_of(one).series[0].curvature == []


def test_a_bridge_refuses_a_second_derivative_which_would_be_zero():
    pred = torch.tensor([1.0, 2.0], requires_grad=True)
    value = subject(smooth_in_jax).call(smooth_in_jax, (pred, torch.zeros(2)))
    with pytest.raises(RuntimeError, match="second derivative"):
        torch.autograd.grad(value, pred, create_graph=True)


def test_a_way_that_gives_another_answer_is_not_believed():
    one = subject(Drifting)
    (move,) = path_of(one).moves.values()
    made = many.at_many(one, move, (X,))
    assert made.how == "loop"
    torch.testing.assert_close(made.value, X**3, rtol=1e-5, atol=1e-5)


class Remembering(nn.Module):
    """It divides by a running mean of itself."""

    def __init__(self):
        super().__init__()
        self.scale = 1.0

    def forward(self, pred, target):
        loss = ((pred - target) ** 2).mean()
        self.scale = 0.5 * self.scale + 0.5 * float(loss.detach())
        return loss / self.scale


def test_what_one_point_leaves_behind_does_not_colour_the_next():
    one = subject(Remembering)
    (move,) = path_of(one).moves.values()
    made = many.at_many(one, move, (X,), dtype=torch.float64)
    torch.testing.assert_close(made.value, X**2 / (0.5 + 0.5 * X**2))


def test_chunks_change_nothing(monkeypatch):
    one = subject(smooth)
    (move,) = path_of(one).moves.values()
    whole = many.at_many(one, move, (X,), second=True)
    monkeypatch.setattr(many, "ENTRIES", 7)
    parts = many.at_many(one, move, (X,), second=True)
    assert torch.equal(whole.value, parts.value)
    assert torch.equal(whole.curvature, parts.curvature)


def picky(pred, target):
    if float(pred.abs().max()) > 2.6:
        raise ValueError("too far")
    return ((pred - target) ** 2).mean()


def test_where_the_loss_raises_there_is_a_hole():
    one = subject(picky)
    (move,) = path_of(one).moves.values()
    made = many.at_many(one, move, (X,), second=True)
    assert torch.equal(made.value.isnan(), X.abs() > 2.6)


def test_a_curve_for_class_numbers_moves_the_lead_of_the_right_logit():
    curve = curve_of(subject(F.cross_entropy, pred="logits[N,C]", target="index[N]"), dtype=torch.float64)
    x = torch.tensor(curve.series[0].x)
    others = 4.0  # five classes
    expected = torch.log1p(others * torch.exp(-x.double()))
    torch.testing.assert_close(torch.tensor(curve.series[0].value).double(), expected, rtol=1e-6, atol=1e-6)


def test_a_surface_has_its_minimum_at_the_target():
    made = surface_of(subject(F.mse_loss), points=17)
    assert made.target == [1.0, -1.0]
    assert made.minimum == [1.0, -1.0, 0.0]
    at = made.value[made.y.index(2.0)][made.x.index(-1.0)]
    assert at == pytest.approx(((-1 - 1) ** 2 + (2 + 1) ** 2) / 2)
    assert made.slope_x[0][0] == pytest.approx(made.x[0] - 1.0)


def careful_log_sigmoid(logits, target):
    return F.softplus(torch.where(target > 0.5, -logits, logits)).mean()


def naive_log_sigmoid(logits, target):
    p = torch.sigmoid(logits)
    return -(target * torch.log(p) + (1 - target) * torch.log(1 - p)).mean()


def test_the_errors_of_a_dtype_tell_a_naive_loss_from_a_careful_one():
    flags = {"pred": "logits[N]", "target": "binary[N]"}
    careful = precision_of(subject(careful_log_sigmoid, **flags)).errors[0]
    naive = precision_of(subject(naive_log_sigmoid, **flags)).errors[0]
    assert careful.dtype == "float32"
    assert max(error for error in careful.value if error == error) < 1e-6
    assert max(error for error in naive.value if error == error) > 0.5


def in_double_only(pred, target):
    if pred.dtype == torch.bfloat16:
        raise TypeError("no kernel")
    return ((pred - target) ** 2).mean()


def test_a_dtype_that_the_loss_refuses_is_absent_with_its_reason():
    by_dtype = {one.dtype: one for one in precision_of(subject(in_double_only)).errors}
    assert by_dtype["bfloat16"].absent == "it raises TypeError in bfloat16"
    assert by_dtype["float32"].absent == ""
