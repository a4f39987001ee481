"""Gradient penalties in torch, against their closed forms and where the plain norm fails."""

import pytest
import torch
from torch import nn
from torch_cases.data import close

from lossmith.errors import DtypeError, SettingError, ShapeError
from lossmith.torch import gradient_penalty, r1_penalty, r2_penalty


class Critic(nn.Module):
    """A critic whose gradient has a closed form: s(x) = sum(a x) + b sum(x^2) / 2, g = a + b x."""

    def __init__(self, shape=(3, 2, 2)):
        super().__init__()
        values = torch.randn(shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
        self.a, self.b = nn.Parameter(values), nn.Parameter(torch.tensor(0.5, dtype=torch.float64))

    def forward(self, x):
        return (self.a * x + self.b * x**2 / 2).flatten(2)  # a score for each channel


def samples(seed=0):
    g = torch.Generator().manual_seed(seed)
    return [torch.randn(5, 3, 2, 2, generator=g, dtype=torch.float64) for _ in range(2)]


def test_the_penalty_takes_the_norm_over_all_axes_of_a_sample():
    real, fake = samples()
    critic = Critic()
    got = gradient_penalty(critic, real, fake, generator=torch.Generator().manual_seed(7))
    share = torch.rand(5, generator=torch.Generator().manual_seed(7), dtype=torch.float64)[:, None, None, None]
    slopes = critic.a + critic.b * (share * real + (1 - share) * fake)
    want = ((slopes.flatten(1).norm(dim=1) - 1) ** 2).mean()
    close(got, want)
    for one, other in zip(*(torch.autograd.grad(x, list(critic.parameters())) for x in (got, want)), strict=True):
        close(one, other)


@pytest.mark.parametrize("penalty", [r1_penalty, r2_penalty])
def test_a_zero_centred_penalty_is_half_the_squared_norm(penalty):
    critic, (x, _) = Critic(), samples()
    want = ((critic.a + critic.b * x) ** 2).flatten(1).sum(1) / 2
    close(penalty(critic, x, reduction="none"), want)
    close(penalty(critic, x), want.mean())
    close(penalty(critic, x, reduction="sum"), want.sum())
    for one, other in zip(
        *(torch.autograd.grad(total, list(critic.parameters())) for total in (penalty(critic, x), want.mean())),
        strict=True,
    ):
        close(one, other)


def test_a_gradient_of_zero_has_a_finite_penalty_where_the_plain_norm_gives_nan():
    critic = nn.Linear(4, 1).double()
    nn.init.zeros_(critic.weight)
    real, fake = torch.ones(3, 4, dtype=torch.float64), torch.zeros(3, 4, dtype=torch.float64)
    total = gradient_penalty(critic, real, fake)
    assert total == 1
    assert torch.autograd.grad(total, critic.weight)[0].eq(0).all()
    x = real.clone().requires_grad_()
    (slopes,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    naive = (((slopes**2).sum(1).sqrt() - 1) ** 2).mean()
    assert torch.autograd.grad(naive, critic.weight)[0].isnan().all()


def test_one_side_alone_and_another_norm():
    critic = nn.Linear(2, 1, bias=False).double()
    real, fake = torch.zeros(3, 2, dtype=torch.float64), torch.ones(3, 2, dtype=torch.float64)
    with torch.no_grad():
        critic.weight.copy_(torch.tensor([[0.3, 0.4]]))
    close(gradient_penalty(critic, real, fake), torch.tensor(0.25, dtype=torch.float64), rtol=1e-7)
    assert gradient_penalty(critic, real, fake, one_sided=True) == 0
    assert gradient_penalty(critic, real, fake, norm=0.25) > 0
    with pytest.raises(SettingError, match="norm must be a finite number above 0"):
        gradient_penalty(critic, real, fake, norm=0.0)


def test_a_generator_repeats_the_draw_and_leaves_the_global_one_alone():
    critic, (real, fake) = Critic(), samples()
    torch.manual_seed(0)
    before = torch.get_rng_state()
    draw = lambda seed: gradient_penalty(critic, real, fake, generator=torch.Generator().manual_seed(seed))
    assert draw(1) == draw(1)
    assert draw(1) != draw(2)
    assert torch.equal(torch.get_rng_state(), before)


def test_without_a_graph_the_penalty_is_only_a_number_and_no_grad_mode_is_no_hindrance():
    critic, (real, fake) = Critic(), samples()
    with torch.no_grad():
        assert not gradient_penalty(critic, real, fake, create_graph=False).requires_grad
    assert not r1_penalty(critic, real, create_graph=False).requires_grad
    fake = fake.requires_grad_()
    penalty = gradient_penalty(critic, real, fake)
    assert torch.autograd.grad(penalty, fake, allow_unused=True)[0] is None  # the generator is left alone


def test_an_empty_batch_and_a_critic_that_ignores_its_input_cost_what_the_formula_says():
    critic, (real, fake) = Critic(), samples()
    assert gradient_penalty(critic, real[:0], fake[:0]) == 0
    assert r1_penalty(lambda x: x.new_ones(len(x)), real) == 0
    assert gradient_penalty(lambda x: x.new_ones(len(x)), real, fake) == 1


def test_what_would_be_a_wrong_penalty_is_refused():
    critic, (real, fake) = Critic(), samples()
    with pytest.raises(ShapeError, match="one shape"):
        gradient_penalty(critic, real, fake[:3])
    with pytest.raises(ShapeError, match="scores for each sample"):
        r1_penalty(lambda x: critic(x).mean(), real)
    with pytest.raises(DtypeError, match="floating-point"):
        r1_penalty(critic, torch.ones(2, 3, dtype=torch.long))
    with pytest.raises(SettingError, match="reduction must be"):
        r1_penalty(critic, real, reduction="average")


def test_half_precision_slopes_do_not_overflow():
    critic = nn.Linear(2, 1, bias=False).half()
    nn.init.constant_(critic.weight, 300.0)  # 300^2 is beyond float16
    x = torch.ones(2, 2, dtype=torch.float16)
    got = gradient_penalty(critic, x, x, norm=400.0)
    assert torch.isclose(got.float(), torch.tensor((300 * 2**0.5 - 400) ** 2), rtol=1e-2)
