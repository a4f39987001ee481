"""A TensorFlow loss that runs as a graph gives what it gives when it is called, digits that it loses included."""

import pytest
import torch

from lossmith.checker import bridges, programs
from lossmith.checker.bridges import as_torch, each_as_torch

tf = pytest.importorskip("tensorflow")
COUNT = [0]


def smooth(pred, target):
    return tf.reduce_mean(tf.math.log(1.0 + tf.abs(pred - target) ** 1.5))


def log_of_one_and(pred, target):
    """TensorFlow's own rewriting makes log1p of it, and keeps what this loses."""
    return tf.reduce_mean(tf.math.log(1.0 + tf.abs(pred - target)))


def counting(pred, target):
    COUNT[0] += 1
    return float(COUNT[0]) * tf.reduce_mean((pred - target) ** 2)


def drawing(pred, target):
    return tf.reduce_mean((pred - target + tf.random.normal(pred.shape)) ** 2)


def seeding(pred, target):
    tf.random.set_seed(COUNT[0])
    COUNT[0] += 1
    return tf.reduce_mean((pred - target) ** 2)


def seeded_each_time(pred, target):
    """Two calls give one value; a graph would draw on."""
    tf.random.set_seed(3)
    return tf.reduce_mean((pred - target + tf.random.normal(pred.shape)) ** 2)


@tf.function
def noise(shape):
    return tf.random.normal(shape)


def seeded_inside(pred, target):
    """The same, where the draw is in a graph of its own."""
    tf.random.set_seed(3)
    return tf.reduce_mean((pred - target + noise(tuple(pred.shape))) ** 2)


class Remembering:
    def __init__(self):
        self.seen = tf.Variable(0.0)

    def __call__(self, pred, target):
        self.seen.assign_add(1.0)
        return tf.reduce_mean((pred - target) ** 2)


def asking(pred, target):
    return tf.reduce_mean((pred - target) ** 2) if float(tf.reduce_sum(target)) > -1e9 else 0.0


def of_pred_alone(pred, target):
    return tf.reduce_mean(pred**2) + 0.0 * tf.cast(tf.size(target), pred.dtype)


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch):
    for name, held in (("_pure", set()), ("_impure", set()), ("_programs", {})):
        monkeypatch.setattr(programs, name, held)
    COUNT[0] = 0


def arrays(*shape, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype) for _ in range(2)]


def both(loss, pred, target):
    pred = pred.clone().requires_grad_()
    value = as_torch(loss, "tensorflow")(pred, target)
    return value.detach(), torch.autograd.grad(value, pred)[0]


def made():
    return [one is not None for one in programs._programs.values()]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
@pytest.mark.parametrize("loss", [smooth, of_pred_alone])
def test_value_and_slope_are_those_of_a_plain_call(loss, dtype, monkeypatch):
    compiled = both(loss, *arrays(4, 3, dtype=dtype))
    assert made() == [True]
    monkeypatch.setattr(bridges, "program_of", lambda *_: None)
    near = {torch.float64: 1e-14, torch.float32: 1e-6, torch.float16: 2e-3}[dtype]
    for a, b in zip(compiled, both(loss, *arrays(4, 3, dtype=dtype)), strict=True):
        torch.testing.assert_close(a, b, rtol=near, atol=near)


def test_an_upstream_gradient_counts():
    pred, target = arrays(4, 3)
    pred.requires_grad_()
    value = as_torch(smooth, "tensorflow")(pred, target)
    (once,) = torch.autograd.grad(value, pred, retain_graph=True)
    (thrice,) = torch.autograd.grad(value, pred, torch.full_like(value, 3.0))
    torch.testing.assert_close(thrice, 3.0 * once)


def test_what_is_no_slope_stays_none():
    pred, target = arrays(4, 3)
    target.requires_grad_()
    value = as_torch(of_pred_alone, "tensorflow")(pred.requires_grad_(), target)
    assert torch.autograd.grad(value, target, allow_unused=True) == (None,)


def test_digits_that_a_loss_loses_are_lost_in_the_graph_too():
    pred = torch.full((4,), 1e-9)
    assert as_torch(log_of_one_and, "tensorflow")(pred, torch.zeros(4)) == 0.0
    assert made() == [True]


def test_a_map_is_a_program_of_its_own():
    pred, target = arrays(5, 4, 3)
    each = each_as_torch(smooth, "tensorflow")(pred, target)
    alone = torch.stack([as_torch(smooth, "tensorflow")(*row) for row in zip(pred, target, strict=True)])
    torch.testing.assert_close(each, alone)
    assert made() == [True, True]


@pytest.mark.parametrize("loss", [counting, drawing, seeding, seeded_each_time, seeded_inside, asking, Remembering()])
def test_what_draws_counts_seeds_or_asks_is_called_every_time(loss):
    pred, target = arrays(4, 3)
    values = [float(as_torch(loss, "tensorflow")(pred, target)) for _ in range(3)]
    assert not any(made())
    if isinstance(loss, Remembering):
        assert float(loss.seen) == 3.0
    assert len(set(values)) == {counting: 3, drawing: 3}.get(loss, 1)
