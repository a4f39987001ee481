"""What the faces of regression do beyond what every face does."""

from functools import partial
from math import inf, log

import pytest
import torch
from torch import nn
from torch_cases.data import close, gradients
from torch_cases.likelihood import rates, spread

import lossmith.torch as faces
from lossmith import formulas
from lossmith.errors import SettingError, ShapeError

G = torch.Generator().manual_seed(5)
RESIDUALS = torch.linspace(-6.0, 6.0, 41, dtype=torch.float64)
ZERO = torch.zeros_like(RESIDUALS)
NAMED = {
    2.0: lambda r: r**2 / 2,
    1.0: formulas.charbonnier(RESIDUALS, ZERO),
    0.0: formulas.cauchy(RESIDUALS, ZERO),
    -2.0: formulas.geman_mcclure(RESIDUALS, ZERO),
    -inf: formulas.welsch(RESIDUALS, ZERO),
}


@pytest.mark.parametrize("alpha", NAMED)
def test_the_special_alphas_are_the_named_losses(alpha):
    want = NAMED[alpha](RESIDUALS) if callable(NAMED[alpha]) else NAMED[alpha]
    close(formulas.general_robust(RESIDUALS, ZERO, alpha=alpha), want)
    close(formulas.general_robust(RESIDUALS, ZERO, alpha=torch.tensor(alpha, dtype=torch.float64)), want)


@pytest.mark.parametrize("alpha", [3.0, 2.0, 2 - 1e-9, 1.0, 0.5, 1e-9, 0.0, -1.0, -1e9])
def test_an_alpha_in_a_tensor_is_the_number(alpha):
    for scale in (1.0, torch.tensor(0.5, dtype=torch.float64)):
        got, want = (
            gradients(partial(formulas.general_robust, alpha=each, scale=scale), (RESIDUALS, ZERO))
            for each in (torch.tensor(alpha, dtype=torch.float64), alpha)
        )
        for one, other in zip(got, want, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-13)


def slope_in(setting, formula, at, **settings):
    """The gradient in a setting, and the central difference."""
    x = torch.tensor(at, dtype=torch.float64, requires_grad=True)
    total = lambda value: formula(RESIDUALS, ZERO, **{**settings, setting: value}).mean()
    (slope,) = torch.autograd.grad(total(x), x)
    h = 1e-5
    ends = [total(torch.tensor(at + step, dtype=torch.float64)) for step in (h, -h)]
    return slope, (ends[0] - ends[1]) / (2 * h)


@pytest.mark.parametrize("formula", [formulas.general_robust, formulas.adaptive_robust])
@pytest.mark.parametrize(
    ("setting", "at"), [("alpha", a) for a in (1.7, 1.0, 0.6, 1e-3, 1e-4)] + [("scale", 0.3), ("scale", 2.0)]
)
def test_gradients_in_alpha_and_scale_are_right(formula, setting, at):
    slope, difference = slope_in(setting, formula, at)
    torch.testing.assert_close(slope, difference, rtol=1e-7, atol=1e-9)


def test_the_gradient_in_alpha_is_right_at_zero_and_finite_at_two():
    slope, difference = slope_in("alpha", formulas.general_robust, 0.0)
    torch.testing.assert_close(slope, difference, rtol=1e-7, atol=1e-9)
    for alpha in (2.0, -inf):
        x = torch.tensor(alpha, dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(formulas.general_robust(RESIDUALS, ZERO, alpha=x).sum(), x)
        assert slope.isfinite()


@pytest.mark.parametrize(("alpha", "log_z"), [(2.0, 0.9189385332046727), (0.0, 1.4913034761293729)])
def test_the_likelihood_is_the_normal_and_the_cauchy_one_at_its_ends(alpha, log_z):
    loss = formulas.general_robust(RESIDUALS, ZERO, alpha=alpha, scale=2.0)
    close(formulas.adaptive_robust(RESIDUALS, ZERO, alpha=alpha, scale=2.0), loss + log_z + log(2.0))


def test_a_parameter_is_learned_and_a_tensor_is_saved():
    face = faces.GeneralRobustLoss(alpha=nn.Parameter(torch.tensor(1.0)), scale=torch.tensor([1.0, 2.0]))
    assert [name for name, _ in face.named_parameters()] == ["alpha"]
    assert set(face.state_dict()) == {"alpha", "scale"}
    face(torch.ones(3, 2), torch.zeros(3, 2)).backward()
    assert face.alpha.grad is not None


def test_the_adaptive_loss_learns_the_shape_of_its_residuals():
    """Normal residuals draw alpha up, residuals with outliers draw it down; the scale leaves 1 for theirs."""
    residuals = 0.5 * torch.randn(400, generator=torch.Generator().manual_seed(0))
    outliers = torch.where(torch.arange(400) % 10 == 0, 20 * residuals, residuals)
    found = {}
    for name, data in (("normal", residuals), ("outliers", outliers)):
        face = faces.AdaptiveRobustLoss()
        optimizer = torch.optim.Adam(face.parameters(), lr=0.1)
        for _ in range(150):
            optimizer.zero_grad()
            face(data, torch.zeros_like(data)).backward()
            optimizer.step()
        found[name] = {key: value.item() for key, value in face.learned().items()}
    assert found["normal"]["alpha"] > 1.4
    assert found["outliers"]["alpha"] < 0.7
    assert all(0.2 < each["scale"] < 0.5 for each in found.values())


def test_an_adaptive_loss_that_learns_does_not_begin_at_an_end():
    with pytest.raises(SettingError, match="begins between 0 and 2"):
        faces.AdaptiveRobustLoss(alpha=2.0)
    with pytest.raises(SettingError, match="alpha must be a number from 0 to 2"):
        faces.AdaptiveRobustLoss(alpha=-1.0, learn=False)
    fixed = faces.AdaptiveRobustLoss(alpha=2.0, learn=False)
    assert list(fixed.parameters()) == []
    close(fixed(RESIDUALS, ZERO), (RESIDUALS**2 / 2).mean() + 0.9189385332046727)


def test_several_quantiles_are_the_mean_of_each():
    levels = [0.05, 0.5, 0.9]
    x, t = torch.randn(7, 4, 3, generator=G, dtype=torch.float64), torch.randn(7, 4, generator=G, dtype=torch.float64)
    each = [faces.QuantileLoss(quantile=q)(x[..., i], t) for i, q in enumerate(levels)]
    close(faces.QuantileLoss(quantile=levels)(x, t), sum(each) / 3)
    close(faces.QuantileLoss(quantile=0.5)(x[..., 0], t), nn.L1Loss()(x[..., 0], t) / 2)


def test_the_best_constants_are_quantiles_and_expectiles():
    sample = torch.randn(2001, generator=G, dtype=torch.float64)
    at = torch.quantile(sample, 0.9)
    losses = [faces.QuantileLoss(quantile=0.9)(at.expand(2001) + h, sample) for h in (-0.05, 0.0, 0.05)]
    assert losses[1] < min(losses[0], losses[2])
    mean = sample.mean().expand(2001).clone().requires_grad_()
    assert torch.autograd.grad(faces.ExpectileLoss(expectile=0.5)(mean, sample), mean)[0].sum().abs() < 1e-12


@pytest.mark.parametrize("levels", [[0.1, 0.5], [0.1, 0.5, 0.9, 0.95]])
def test_as_many_predictions_as_quantiles(levels):
    with pytest.raises(ShapeError, match="quantile must be one number, or one for each"):
        faces.QuantileLoss(quantile=levels)(torch.zeros(5, 3), torch.zeros(5))


@pytest.mark.parametrize("quantile", [0.0, 1.0, 1.5, [0.1, 1.0], [-0.1, 0.5]])
def test_a_quantile_outside_its_range_is_refused(quantile):
    with pytest.raises(SettingError, match="quantile must be a number between 0 and 1"):
        faces.QuantileLoss(quantile=quantile)


def test_a_rate_of_zero_and_its_neighbours_where_torch_moves_them():
    ours, theirs = faces.PoissonNLLLoss(log_input=False), nn.PoissonNLLLoss(log_input=False)
    x, t = rates(G)
    torch.testing.assert_close(ours(x, t), theirs(x, t), rtol=1e-7, atol=1e-7)
    zero = torch.tensor([0.0, 0.0, 1e-9])
    want = torch.tensor([0.0, inf, 1e-9 - torch.log(torch.tensor(1e-9))])
    values = faces.PoissonNLLLoss(log_input=False, reduction="none")(zero, torch.tensor([0.0, 1.0, 1.0]))
    torch.testing.assert_close(values, want)
    assert nn.PoissonNLLLoss(log_input=False, reduction="none")(zero, torch.tensor([0.0, 1.0, 1.0]))[2] < 18.5


def test_variances_in_every_form_that_torch_takes():
    mean, target, _ = spread(G)
    row, one = torch.rand(6, generator=G, dtype=torch.float64) + 0.1, 0.7
    for full in (False, True):
        ours, theirs = faces.GaussianNLLLoss(full=full), nn.GaussianNLLLoss(full=full)
        close(ours(mean, target, row), theirs(mean, target, row))
        close(ours(mean, target, row[:, None]), theirs(mean, target, row[:, None]))
        close(ours(mean, target, one), theirs(mean, target, torch.full((6, 1), one, dtype=torch.float64)))
    with pytest.raises(ShapeError, match="input and target and var must have one shape"):
        faces.GaussianNLLLoss()(mean, target, row[None, :3])


def test_a_variance_has_its_gradient_also_where_torch_holds_it():
    mean, target, var = spread(G)
    both = [
        torch.autograd.grad(loss(mean, target, v), v)[0]
        for loss in (faces.GaussianNLLLoss(), nn.GaussianNLLLoss())
        for v in [var.clone().requires_grad_()]
    ]
    close(*both)
    tight = torch.tensor([1e-9], requires_grad=True)
    (slope,) = torch.autograd.grad(faces.GaussianNLLLoss()(torch.zeros(1), torch.zeros(1), tight), tight)
    torch.testing.assert_close(slope, torch.tensor([0.5e9]))


@pytest.mark.parametrize("beta", [0.3, 0.5, 1.0])
def test_beta_multiplies_both_gradients_by_the_variance_to_its_power(beta):
    mean, target, var = spread(G)
    slopes = {}
    for b in (0.0, beta):
        m, v = mean.clone().requires_grad_(), var.clone().requires_grad_()
        slopes[b] = torch.autograd.grad(faces.GaussianNLLLoss(beta=b, reduction="sum")(m, target, v), (m, v))
    for plain, weighted in zip(slopes[0.0], slopes[beta], strict=True):
        close(weighted, plain * var**beta)
