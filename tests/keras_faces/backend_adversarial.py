"""The two sides of a GAN and the gradient penalties on one back end of keras; run by `test_keras_backends.py`."""

import keras
import numpy as np
import pytest
from keras_cases.data import close

from lossmith import formulas
from lossmith.errors import LossmithError, SettingError, ShapeError
from lossmith.keras import GAN, gradient_penalty, r1_penalty, r2_penalty
from lossmith.sides import LABELS, Scores, Sides

ops = keras.ops
every_mode = pytest.mark.parametrize("mode", LABELS)


def scores(n=6, m=6):
    g = np.random.default_rng(0)
    return [(2 * g.normal(size=(k, 2))).astype("float32") for k in (n, m)]


@every_mode
def test_each_side_is_that_of_the_framework_free_sides_on_numpy(mode):
    r, f = scores()
    sides, loss = Sides("test", mode), GAN(mode)
    want, _ = sides.discriminator(Scores("real", r), Scores("fake", f))
    close(loss.discriminator(real=r, fake=f), want)
    real = {"real": r} if sides.relative else {}
    want, _ = sides.generator(Scores("fake", f), Scores("real", r) if sides.relative else None)
    close(loss.generator(fake=f, **real), want)


@pytest.mark.parametrize("mode", ["hinge", "relativistic_average"])
def test_masked_scores_are_removed_and_weights_count(mode):
    r, f = scores()
    keep = np.array([True, False, True, True, False, True])
    bad = [np.where(keep[:, None], x, np.float32(np.nan)) for x in (r, f)]
    loss = GAN(mode)
    got = loss.discriminator(real=bad[0], fake=bad[1], real_mask=keep, fake_mask=keep)
    close(got, loss.discriminator(real=r[keep], fake=f[keep]))
    ones = np.ones(6, "float32")
    close(loss.discriminator(real=r, fake=f, real_weight=ones), loss.discriminator(real=r, fake=f))
    total, terms = loss.discriminator(real=r, fake=f, return_terms=True)
    close(total, sum(terms.values()))


def test_it_is_not_called_itself_nor_by_position():
    r, f = scores()
    with pytest.raises(LossmithError, match="not called itself"):
        GAN()(r, f)
    with pytest.raises(TypeError, match="positional"):
        GAN().discriminator(r, f)
    with pytest.raises(SettingError, match="GAN: this mode has no real_label"):
        GAN("hinge", real_label=0.9)


def test_a_configuration_brings_it_back():
    loss = GAN("least_squares", real_label=0.9)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert (
        repr(again)
        == repr(loss)
        == ("GAN(mode='least_squares', real_label=0.9, fake_label=0.0, generator_label=1.0, reduction='mean')")
    )


def critic_of(weight, bias=0.5):
    """s(x) = sum(a x) + b sum(x^2) / 2, so that g = a + b x."""
    return lambda x: ops.sum(weight * x + bias * x * x / 2, axis=-1)


def differentiated(function, weight):
    """A function of an array, and its gradient, on the back end in use."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        x = tf.Variable(weight)
        with tf.GradientTape() as tape:
            value = function(x + 0.0)
        return float(value), tape.gradient(value, x).numpy()
    if backend == "jax":
        import jax

        value, slope = jax.jit(jax.value_and_grad(function))(jax.numpy.asarray(weight))
        return float(value), np.asarray(slope)
    import torch

    x = torch.tensor(weight, requires_grad=True)
    value = function(x)
    return float(value.detach()), torch.autograd.grad(value, x)[0].numpy()


def samples():
    g = np.random.default_rng(1)
    return [g.normal(size=(5, 3, 2)).astype("float32") for _ in range(2)], g.normal(size=(3, 2)).astype("float32")


def test_the_penalty_takes_the_norm_over_all_axes_and_has_a_gradient_by_the_critic():
    (real, fake), weight = samples()
    value, slope = differentiated(lambda w: gradient_penalty(critic_of(w), real, fake, seed=3), weight)
    share = np.asarray(ops.convert_to_numpy(keras.random.uniform((5, 1, 1), seed=3)))
    g = weight + 0.5 * (fake + share * (real - fake))
    norm = np.sqrt((g**2).sum((1, 2)))
    close(value, ((norm - 1) ** 2).mean())
    close(slope, (2 * (norm - 1) / norm / 5)[:, None, None].__mul__(g).sum(0))


@pytest.mark.parametrize("penalty", [r1_penalty, r2_penalty])
def test_a_zero_centred_penalty_is_half_the_squared_norm(penalty):
    (x, _), weight = samples()
    value, slope = differentiated(lambda w: penalty(critic_of(w), x), weight)
    g = weight + 0.5 * x
    close(value, (g**2).sum((1, 2)).mean() / 2)
    close(slope, g.mean(0))
    close(penalty(critic_of(ops.convert_to_tensor(weight)), x, reduction="none"), (g**2).sum((1, 2)) / 2)


def test_a_gradient_of_zero_has_a_finite_penalty():
    (real, fake), _ = samples()
    value, slope = differentiated(
        lambda w: gradient_penalty(critic_of(w, 0.0), real, fake, seed=0), np.zeros((3, 2), "float32")
    )
    assert value == 1
    assert not slope.any()
    assert float(r1_penalty(lambda x: ops.ones((5,)), real)) == 0


def test_a_seed_repeats_the_draw_and_a_seed_generator_goes_on():
    (real, fake), weight = samples()
    critic = critic_of(ops.convert_to_tensor(weight))
    draw = lambda seed: float(ops.stop_gradient(gradient_penalty(critic, real, fake, seed=seed)))
    assert draw(1) == draw(1) != draw(2)
    seeds = keras.random.SeedGenerator(1)
    assert draw(seeds) != draw(seeds)


def test_what_would_be_a_wrong_penalty_is_refused():
    (real, fake), weight = samples()
    critic = critic_of(ops.convert_to_tensor(weight))
    with pytest.raises(ShapeError, match="one shape"):
        gradient_penalty(critic, real, fake[:3])
    with pytest.raises(ShapeError, match="scores for each sample"):
        r1_penalty(lambda x: ops.mean(critic(x)), real)


def test_a_small_gan_trains_both_players():
    """One step down each loss makes that loss smaller, through keras layers."""
    keras.utils.set_random_seed(0)
    real = np.random.default_rng(2).normal(2.0, 0.5, (16, 2)).astype("float32")
    critic = keras.layers.Dense(1)
    critic.build((None, 2))
    kernel = np.asarray(ops.convert_to_numpy(critic.kernel))
    loss = GAN("hinge")
    fake = np.zeros_like(real)

    def total(w):
        score = lambda x: ops.matmul(x, w)
        return loss.discriminator(real=score(real), fake=score(fake)) + 10.0 * gradient_penalty(
            score, real, fake, seed=0
        )

    before, slope = differentiated(total, kernel)
    after, _ = differentiated(total, kernel - 0.01 * slope)
    assert after < before


def test_the_formulas_take_back_end_arrays():
    r, _ = scores()
    close(formulas.gan_generator(ops.convert_to_tensor(r), mode="hinge"), -r)
