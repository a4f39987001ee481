"""LS104: the gradient is not finite where the prediction is perfect."""

import jax.numpy as jnp
import keras
import torch
import torch.nn.functional as F
from keras import ops
from ruletest import answer, printed
from torch import nn

from lossmith.checker.rules import ls104_nan_at_perfect_prediction as rule


def rmse(pred, target):
    return ((pred - target) ** 2).mean().sqrt()


class PairDistance(nn.Module):
    def forward(self, emb_a, emb_b):
        return ((emb_a - emb_b) ** 2).sum(1).sqrt().mean()


class KerasRMSE(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return ops.sqrt(ops.mean(ops.square(y_true - y_pred), axis=-1))


def rmse_with_a_floor(pred, target):
    return (((pred - target) ** 2).mean() + 1e-12).sqrt()


def norm(pred, target):
    return torch.linalg.vector_norm(pred - target)


def hinge(x, y):
    return F.relu(1 - x * y).mean()


def test_a_root_at_0_is_told_with_the_sample_that_is_right():
    status, (found,) = answer(rule, rmse)
    assert status.status == "failed"
    assert (found.severity, found.grade) == ("error", "measured")
    assert found.evidence["pred"] == found.evidence["target"]
    assert found.evidence["value"] == "0.0"
    assert "nan" in found.evidence["grad pred"]
    assert "requires_grad_" in found.reproducer or found.reproducer == ""


def test_identical_embeddings_and_a_keras_loss_are_told():
    assert answer(rule, PairDistance())[0].status == "failed"
    _, (found,) = answer(rule, KerasRMSE(), pred="real[N,C]", target="real[N,C]")
    assert "nan" in found.evidence["grad y_pred"]


def test_a_floor_and_a_norm_are_innocent():
    for loss in (rmse_with_a_floor, norm, nn.TripletMarginLoss()):
        assert answer(rule, loss)[0].status == "passed"


def test_a_margin_has_a_flat_optimum_and_is_innocent():
    assert answer(rule, hinge)[0].status == "passed"


def test_what_is_printed():
    text = printed(rule, rmse, pred="real[N]", target="real[N]")
    assert "LS104 nan-at-perfect-prediction  error, measured" in text
    assert "    the gradient is not finite where the prediction is perfect\n" in text
    assert "    why     the derivative of Sqrt is not finite there\n" in text
    assert "    fix     add a small constant inside the root or under the quotient (x + 1e-12), " in text


def normalised(est, ref, inside):
    square = [x.square().sum(-1, keepdim=True) for x in (est, ref)]
    size = [(s + 1e-8).sqrt() if inside else s.sqrt() + 1e-8 for s in square]
    return 1 - (est / size[0] * ref / size[1]).sum(-1).mean()


def test_a_guard_that_is_added_to_the_root_leaves_a_silent_vector_without_a_gradient():
    vectors = {"est": "embedding[N,D]", "ref": "embedding[N,D]"}
    (found,) = answer(rule, lambda est, ref: normalised(est, ref, False), **vectors)[1]
    assert "where one vector is 0" in found.message
    assert answer(rule, lambda est, ref: normalised(est, ref, True), **vectors)[1] == []
    assert (
        answer(rule, lambda est, ref: 1 - (est / est.norm(dim=1, keepdim=True) * ref).sum(-1).mean(), **vectors)[1]
        == []
    )


def jax_cosine(prediction, velocity, inside=0.0):
    dot = jnp.sum(prediction * velocity, -1)
    size = jnp.sqrt(jnp.sum(prediction**2, -1) + inside) * jnp.sqrt(jnp.sum(velocity**2, -1) + inside)
    return jnp.mean(1.0 - dot / (size + 1e-8))


def jax_cosine_guarded(prediction, velocity):
    safe = jnp.maximum(jnp.sum(prediction**2, -1), 1e-6) * jnp.maximum(jnp.sum(velocity**2, -1), 1e-6)
    return jnp.mean(1.0 - jnp.sum(prediction * velocity, -1) / jnp.sqrt(safe))


def test_a_silent_vector_in_jax():
    vectors = {"prediction": "embedding[N,D]", "velocity": "embedding[N,D]"}
    (found,) = answer(rule, jax_cosine, **vectors)[1]
    assert "where one vector is 0" in found.message
    assert answer(rule, jax_cosine_guarded, **vectors)[1] == []
