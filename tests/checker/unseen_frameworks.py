"""Losses for Keras, JAX and TensorFlow as strangers spell them, each with what it takes; see `unseen_structures`."""

import jax
import jax.numpy as jnp
import keras
from keras import ops


def dice_keras(y_true, y_pred, smooth=1.0):
    inter = ops.sum(y_true * y_pred, axis=-1)
    return 1 - (2 * inter + smooth) / (ops.sum(y_true, axis=-1) + ops.sum(y_pred, axis=-1) + smooth)


def focal_keras(y_true, y_pred, gamma=2.0, alpha=0.25):
    y_pred = ops.clip(y_pred, 1e-7, 1 - 1e-7)
    ce = -y_true * ops.log(y_pred)
    return ops.sum(alpha * (1 - y_pred) ** gamma * ce, axis=-1)


class PinballKeras(keras.losses.Loss):
    def __init__(self, tau=0.9, name="pinball"):
        super().__init__(name=name)
        self.tau = tau

    def call(self, y_true, y_pred):
        e = y_true - y_pred
        return ops.mean(ops.maximum(self.tau * e, (self.tau - 1) * e), axis=-1)


def rmsle_keras(y_true, y_pred):
    return ops.sqrt(ops.mean((ops.log1p(ops.relu(y_pred)) - ops.log1p(y_true)) ** 2) + 1e-9)


class SparseKeras(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)


class SmoothedFocalKeras(keras.losses.Loss):
    def __init__(self, gamma=2.0, smoothing=0.1, from_logits=True, name="smoothed_focal"):
        super().__init__(name=name)
        self.gamma, self.smoothing, self.from_logits = gamma, smoothing, from_logits

    def call(self, y_true, y_pred):
        y_true = y_true * (1 - self.smoothing) + self.smoothing / y_pred.shape[-1]
        log_p = ops.log_softmax(y_pred, axis=-1) if self.from_logits else ops.log(ops.clip(y_pred, 1e-7, 1.0))
        return -ops.sum(y_true * ops.power(1 - ops.exp(log_p), self.gamma) * log_p, axis=-1)


def contrastive_keras(y_true, y_pred):
    return ops.mean(y_true * y_pred**2 + (1 - y_true) * ops.maximum(1.0 - y_pred, 0) ** 2)


def _sparse(logits, labels):
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)[:, 0]


def ce_jax(logits, labels):
    return -jnp.mean(jnp.sum(jax.nn.one_hot(labels, logits.shape[-1]) * jax.nn.log_softmax(logits), -1))


def huber_jax(predictions, targets, delta=1.0):
    e = jnp.abs(predictions - targets)
    return jnp.mean(jnp.where(e < delta, 0.5 * e**2, delta * (e - 0.5 * delta)))


def sparse_jax(logits, labels):
    return _sparse(logits, labels).mean()


def policy_value_jax(preds, batch):
    reg = jnp.mean((preds["value"] - batch["returns"]) ** 2)
    policy = _sparse(preds["policy"], batch["action"]).mean()
    return policy + 0.5 * reg


def vae_jax(recon_logits, x, mean, logvar):
    bce = jnp.mean(jnp.sum(jax.nn.softplus(recon_logits) - x * recon_logits, -1))
    kl = -0.5 * jnp.mean(jnp.sum(1 + logvar - mean**2 - jnp.exp(logvar), -1))
    return bce + kl


def ntxent_jax(z1, z2, temperature=0.1):
    z = jnp.concatenate([z1, z2])
    z = z / jnp.linalg.norm(z, axis=-1, keepdims=True)
    s = z @ z.T / temperature - 1e9 * jnp.eye(len(z))
    n = len(z1)
    labels = jnp.concatenate([jnp.arange(n) + n, jnp.arange(n)])
    return _sparse(s, labels).mean()


KERAS = [
    (dice_keras, {"y_true": "binary soft", "y_pred": "prob"}),
    (focal_keras, {"y_true": "onehot dist", "y_pred": "simplex"}),
    (PinballKeras(), {"y_true": "real", "y_pred": "real"}),
    (rmsle_keras, {"y_true": "positive count", "y_pred": "positive"}),
    (SparseKeras(), {"y_true": "index", "y_pred": "logits"}),
    (SmoothedFocalKeras(), {"y_true": "onehot dist binary soft", "y_pred": "logits"}),
    (contrastive_keras, {"y_true": "binary", "y_pred": "positive"}),
]
JAX = [
    (ce_jax, {"logits": "logits", "labels": "index"}),
    (huber_jax, {"predictions": "real", "targets": "real"}),
    (sparse_jax, {"logits": "logits", "labels": "index"}),
    (policy_value_jax, {"*_value": "real", "*_returns": "real", "*_policy": "logits", "*_action": "index"}),
    (vae_jax, {"recon_logits": "logits", "x": "binary soft", "mean": "real", "logvar": "real"}),
    (ntxent_jax, {"z1": "embedding", "z2": "embedding"}),
]
