"""Penalties on the gradient of a critic by its input, on the TensorFlow, JAX and torch back ends.

The mathematics is in `lossmith.formulas.penalty`. The critic is called here: a model, or a function of the samples,
such as `lambda x: critic.stateless_call(variables, state, x)[0]` where JAX differentiates by the variables. A score may
have any shape: its entries of one sample are added up. The gradient of a sample must depend on that sample alone, so
that batch normalisation has no place in such a critic.
"""

from collections.abc import Callable
from math import prod
from typing import Any, Literal

import keras
from keras import ops as kops

from lossmith import formulas
from lossmith.errors import ShapeError, message
from lossmith.keras.align import Array

Critic = Callable[[Array], Array]
Reduction = Literal["none", "sum", "mean"]


def gradient_penalty(
    critic: Critic,
    real: Array,
    fake: Array,
    *,
    seed: int | keras.random.SeedGenerator | None = None,
    norm: float = 1.0,
    one_sided: bool = False,
    reduction: Reduction = "mean",
) -> Any:
    """The penalty of WGAN-GP, (|g| - norm)^2, at one point between each real and each generated sample.

    The norm is over all axes of a sample but the batch. Where the gradient is 0, that of the penalty is 0 too. The
    paper's factor is 10.

    seed       makes the interpolation repeatable: a `keras.random.SeedGenerator` draws anew in each step, a number
               draws the same point each time; `jax.jit` needs one of them
    one_sided  a norm below `norm` costs nothing

    >>> critic = lambda x: keras.ops.sum(x, axis=-1)
    >>> round(float(gradient_penalty(critic, [[0.0] * 4], [[1.0] * 4])), 4)
    1.0
    """
    ends: list[Array] = [kops.stop_gradient(kops.convert_to_tensor(x)) for x in (real, fake)]
    if tuple(ends[0].shape) != tuple(ends[1].shape):
        given = {"real": tuple(ends[0].shape), "fake": tuple(ends[1].shape)}
        raise ShapeError(message("gradient_penalty: real and fake must have one shape", given))
    shape: Any = kops.shape(ends[0])
    share: Array = keras.random.uniform((shape[0], *[1] * (len(shape) - 1)), dtype=ends[0].dtype, seed=seed)
    slopes = _slopes("gradient_penalty", critic, "real", ends[1] + share * (ends[0] - ends[1]))
    return formulas.gradient_penalty.total(slopes, reduction=reduction, norm=norm, one_sided=one_sided)


def r1_penalty(critic: Critic, real: Array, *, reduction: Reduction = "mean") -> Any:
    """Half the squared norm of the critic's gradient at real samples; its factor is the paper's gamma.

    >>> critic = lambda x: keras.ops.sum(x, axis=-1)
    >>> float(r1_penalty(critic, [[0.0] * 4]))
    2.0
    """
    return formulas.zero_centred_penalty.total(_slopes("r1_penalty", critic, "real", real), reduction=reduction)


def r2_penalty(critic: Critic, fake: Array, *, reduction: Reduction = "mean") -> Any:
    """`r1_penalty` at generated samples.

    >>> critic = lambda x: keras.ops.sum(x, axis=-1)
    >>> float(r2_penalty(critic, [[0.0] * 4]))
    2.0
    """
    return formulas.zero_centred_penalty.total(_slopes("r2_penalty", critic, "fake", fake), reduction=reduction)


def _slopes(caller: str, critic: Critic, name: str, samples: Array) -> Array:
    """The gradient of each sample's score by that sample, (N, D)."""
    samples = kops.stop_gradient(kops.convert_to_tensor(samples))

    def total(x: Array) -> Array:
        scores: Array = critic(x)
        if not len(scores.shape) or scores.shape[0] not in (x.shape[0], None):
            given = {name: tuple(x.shape), "score": tuple(scores.shape)}
            why = "a mean over the batch would divide the gradient of each sample"
            raise ShapeError(message(f"{caller}: the critic must give scores for each sample", given, why=why))
        return kops.sum(scores)

    slopes = _GRADIENT[keras.backend.backend()](total, samples)
    return kops.reshape(slopes, (-1, prod(slopes.shape[1:]) if None not in slopes.shape[1:] else -1))


def _tensorflow(total: Critic, x: Array) -> Array:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(x)
        value = total(x)
    return tape.gradient(value, x, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def _jax(total: Critic, x: Array) -> Array:
    import jax

    return jax.grad(total)(x)


def _torch(total: Critic, x: Array) -> Array:
    import torch

    with torch.enable_grad():
        x = x.detach().requires_grad_()
        value = total(x)
        if not value.requires_grad:
            return torch.zeros_like(x)
        return torch.autograd.grad(value, x, create_graph=True, materialize_grads=True)[0]


_GRADIENT: dict[str, Callable[[Critic, Array], Array]] = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
