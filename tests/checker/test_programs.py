"""A JAX loss that runs as a program gives what it gives when it is called; what is no function never becomes one."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from lossmith.checker import bridges, programs
from lossmith.checker.bridges import as_torch, each_as_torch
from lossmith.checker.programs import identity

COUNT, KEY = [0], [jax.random.PRNGKey(0)]
DRAWS = np.random.default_rng(0)


def smooth(pred, target, power=2.0):
    return jnp.mean(jnp.log1p(jnp.abs(pred - target) ** power))


def counting(pred, target):
    COUNT[0] += 1
    return COUNT[0] * jnp.mean((pred - target) ** 2)


def drawing(pred, target):
    return jnp.mean((pred - target + DRAWS.normal()) ** 2)


def splitting(pred, target):
    KEY[0], key = jax.random.split(KEY[0])
    return jnp.mean((pred - target + jax.random.normal(key, pred.shape)) ** 2)


def seeding(pred, target):
    np.random.seed(COUNT[0])
    return jnp.mean((pred - target) ** 2)


class Remembering:
    def __init__(self):
        self.calls = 0

    def __call__(self, pred, target):
        self.calls += 1
        return jnp.mean((pred - target) ** 2)


def asking(pred, target):
    return jnp.mean((pred - target) ** 2) if float(jnp.sum(target)) > -1e9 else 0.0


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch):
    monkeypatch.setattr(programs, "_pure", set())
    monkeypatch.setattr(programs, "_impure", set())
    monkeypatch.setattr(programs, "_programs", {})


def arrays(*shape, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype) for _ in range(2)]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
def test_value_and_slope_are_those_of_a_plain_call(dtype, monkeypatch):
    def both():
        pred, target = arrays(4, 3, dtype=dtype)
        value = as_torch(smooth, "jax")(pred.requires_grad_(), target)
        return value.detach(), torch.autograd.grad(value, pred, torch.full_like(value, 3.0))[0]

    compiled = both()
    assert [made is not None for made in programs._programs.values()] == [True]
    monkeypatch.setattr(bridges, "program_of", lambda *_: None)
    near = {torch.float64: 1e-14, torch.float32: 1e-6, torch.float16: 2e-3}[dtype]
    for a, b in zip(compiled, both(), strict=True):
        torch.testing.assert_close(a, b, rtol=near, atol=near)


def test_a_map_is_a_program_of_its_own():
    pred, target = arrays(5, 4, 3)
    each = each_as_torch(smooth, "jax")(pred, target)
    alone = torch.stack([as_torch(smooth, "jax")(*row) for row in zip(pred, target, strict=True)])
    torch.testing.assert_close(each, alone)
    assert len(programs._programs) == 2


@pytest.mark.parametrize("loss", [counting, drawing, splitting, seeding, Remembering()])
def test_what_draws_counts_or_seeds_is_called_every_time(loss):
    pred, target = arrays(4, 3)
    for _ in range(3):
        as_torch(loss, "jax")(pred, target)
    assert not any(programs._programs.values())
    if isinstance(loss, Remembering):
        assert loss.calls == 3


def test_a_generator_of_jax_is_left_usable():
    pred, target = arrays(4, 3)
    values = {float(as_torch(splitting, "jax")(pred, target)) for _ in range(3)}
    assert len(values) == 3


def test_code_that_asks_for_numbers_is_called_as_it_is():
    pred, target = arrays(4, 3)
    torch.testing.assert_close(as_torch(asking, "jax")(pred, target), (pred - target).square().mean())
    assert list(programs._programs.values()) == [None]


class HoldingItself:
    def __init__(self, *held):
        self.held = [self, *held]

    def __call__(self, pred, target):
        return jnp.mean((pred - target) ** 2)


@pytest.mark.parametrize("held", [(), ({1, 2},)])
def test_what_has_no_identity_is_called_as_it_is(held):
    pred, target = arrays(4, 3)
    loss = HoldingItself(*held)
    loss.held = loss.held[len(held) :]
    torch.testing.assert_close(as_torch(loss, "jax")(pred, target), (pred - target).square().mean())
    assert programs._programs == {}


def test_other_settings_and_other_state_are_other_losses():
    settings = [functools.partial(smooth, power=power) for power in (1.0, 2.0, 2.0)]
    assert identity(settings[1]) == identity(settings[2]) != identity(settings[0])
    fresh, used = Remembering(), Remembering()
    assert identity(fresh) == identity(used)
    used.calls = 3
    assert identity(fresh) != identity(used)
    pred, target = arrays(4, 3)
    values = [float(as_torch(each, "jax")(pred, target)) for each in settings]
    assert values[1] == values[2] != values[0]
