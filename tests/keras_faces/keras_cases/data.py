"""A keras face with data that it takes, and the value and gradient of a loss on the back end in use."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

import lossmith.keras as faces

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    # two devices, for the test of replicas; tensorflow takes this only before its first operation
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )

N, C = 6, 4
Arrays = tuple[np.ndarray, np.ndarray]  # y_true, y_pred


@dataclass(frozen=True)
class Case:
    """One face with some settings, and keras's own loss where it has it."""

    name: str
    make: Callable[..., Any]
    data: Callable[[np.random.Generator], Arrays]
    keras: Callable[..., Any] | None = None

    def arrays(self, seed: int = 0) -> Arrays:
        return self.data(np.random.default_rng(seed))


def normal(g: np.random.Generator, *shape: int) -> np.ndarray:
    return (2.0 * g.normal(size=shape)).astype("float32")


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def real(g: np.random.Generator) -> Arrays:
    return normal(g, N, 3), normal(g, N, 3)


def steps(g: np.random.Generator) -> Arrays:
    return normal(g, N, 5, 3), normal(g, N, 5, 3)


def binary(g: np.random.Generator) -> Arrays:
    return g.integers(0, 2, (N, C)).astype("float32"), normal(g, N, C)


def probability(g: np.random.Generator) -> Arrays:
    return g.integers(0, 2, (N, C)).astype("float32"), g.uniform(0.05, 0.95, (N, C)).astype("float32")


def one_hot(g: np.random.Generator) -> Arrays:
    return np.eye(C, dtype="float32")[g.integers(0, C, N)], normal(g, N, C)


def one_hot_steps(g: np.random.Generator) -> Arrays:
    return softmax(normal(g, N, 5, C)), normal(g, N, 5, C)


def one_hot_channels(g: np.random.Generator) -> Arrays:
    target, pred = one_hot_steps(g)
    return target.swapaxes(1, 2), pred.swapaxes(1, 2)


def labels(g: np.random.Generator) -> Arrays:
    return g.integers(0, C, N), normal(g, N, C)


def label_steps(g: np.random.Generator) -> Arrays:
    return g.integers(0, C, (N, 5)), normal(g, N, 5, C)


def one_hot_probability(g: np.random.Generator) -> Arrays:
    target, logits = one_hot(g)
    return target, softmax(logits)


def label_probability(g: np.random.Generator) -> Arrays:
    target, logits = labels(g)
    return target, softmax(logits)


def distributions(g: np.random.Generator) -> Arrays:
    return softmax(normal(g, N, C)), softmax(normal(g, N, C))


def pairs(g: np.random.Generator) -> Arrays:
    return g.integers(0, 2, N).astype("float32"), 0.4 * normal(g, N, 2, 3)


def grouped(g: np.random.Generator) -> Arrays:
    """Embeddings of two classes, each of which is there twice at least among those that tests keep."""
    return np.array([0, 1, 0, 1, 1, 1]), normal(g, N, C)


def case(name: str, face: str, data: Callable[..., Arrays], **settings: Any) -> Case:
    own = getattr(keras.losses, face, None)
    build = lambda cls: None if cls is None else lambda **more: cls(**settings, **more)
    return Case(name, build(getattr(faces, face)), data, build(own))


def close(got: Any, want: Any, rtol: float = 2e-5) -> None:
    """Float32 sums of two ways to one number; keras moves probabilities by 1e-7, which is 1e-6 of the smallest."""
    got, want = (keras.ops.convert_to_numpy(number) for number in (got, want))
    np.testing.assert_allclose(got, want, rtol=rtol, atol=2e-6)


def gradient(loss: Callable[..., Any], y_true: Any, y_pred: Any, mask: Any = None, **given: Any) -> Arrays:
    """The loss and its gradient with respect to y_pred, which carries the mask that a layer would leave on it."""

    def total(pred: Any) -> Any:
        if mask is not None:
            pred = keras.ops.multiply(pred, 1.0)  # a mask belongs to an output of a model, not to its variable
            keras.src.backend.set_keras_mask(pred, keras.ops.convert_to_tensor(mask))
        return loss(y_true, pred, **given)

    return _GRADIENT[keras.backend.backend()](total, y_pred)


def _tensorflow(total: Callable[..., Any], y_pred: Any) -> Arrays:
    import tensorflow as tf

    pred = tf.Variable(y_pred)
    with tf.GradientTape() as tape:
        value = total(pred + 0.0)
    return value.numpy(), tape.gradient(value, pred).numpy()


def _jax(total: Callable[..., Any], y_pred: Any) -> Arrays:
    import jax

    @jax.jit  # one compilation in place of one for each operation
    def both(pred: Any) -> Any:
        value, slope = jax.vjp(total, pred)
        return value, slope(jax.numpy.ones_like(value))[0]

    value, slope = both(jax.numpy.asarray(y_pred))
    return np.asarray(value), np.asarray(slope)


def _torch(total: Callable[..., Any], y_pred: Any) -> Arrays:
    import torch

    pred = torch.tensor(y_pred, requires_grad=True)
    value = total(pred)
    value.sum().backward()
    return value.detach().numpy(), pred.grad.numpy()


_GRADIENT = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
