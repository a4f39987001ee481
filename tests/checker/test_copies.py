"""A Keras model in a loss is the same in every call, and is not copied for it."""

import keras
import numpy as np
from ruletest import subject_of

from lossmith.checker.frameworks import copy_of


class Normalised(keras.losses.Loss):
    """Its network counts a mean over all calls."""

    def __init__(self, layer):
        super().__init__()
        self.network = keras.Sequential([keras.Input((3,)), layer])

    def call(self, y_true, y_pred):
        return keras.ops.mean((self.network(y_pred, training=True) - y_true) ** 2, axis=-1)


@keras.saving.register_keras_serializable()
class Own(keras.layers.Dense):
    """A user's layer may keep what it likes."""


def moved(loss):
    """Whether a call moves the state of a copy of a loss, and the state of the copy after it."""
    one = copy_of(loss)
    first = [v.numpy().copy() for v in one.network.variables]
    one(np.zeros((4, 3)), np.full((4, 3), 5.0))
    after = [v.numpy() for v in one.network.variables]
    again = [v.numpy() for v in copy_of(loss).network.variables]
    return any((a != b).any() for a, b in zip(first, after, strict=True)), first, again


def test_a_copy_has_the_state_that_the_loss_had_at_first():
    changed, first, again = moved(Normalised(keras.layers.BatchNormalization()))
    assert changed
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_only_a_model_of_keras_own_layers_is_shared():
    of_keras, of_a_user = (Normalised(layer) for layer in (keras.layers.Dense(3), Own(3)))
    assert copy_of(of_keras).network is of_keras.network
    assert copy_of(of_a_user).network is not of_a_user.network


def test_two_trials_of_such_a_loss_are_one():
    subject = subject_of(Normalised(keras.layers.BatchNormalization()), pred="real[N,3]", target="real[N,3]")
    inputs = subject.draw()
    assert subject.run(inputs).value == subject.run(inputs).value
