"""Copies of a loss: a Keras model is the same in every call, a torch module is copied as `copy.deepcopy` does."""

import copy
from collections import OrderedDict

import keras
import numpy as np
import torch
from ruletest import subject_of
from torch import nn

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


class Held(nn.Module):
    """A module with everything that a copy can get wrong: a shared weight, a loop, tables in tables, an empty set."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))
        self.register_buffer("count", torch.zeros(1))
        self.inner = nn.Linear(3, 3)
        self.same = self.inner.weight
        self.seen, self.tags, self.table = [], {"a"}, {"plain": [1, {"deep": torch.ones(2)}], "empty": OrderedDict()}
        self.alias = self.table
        self.table["loop"] = self.table

    def forward(self, pred, target):
        self.seen.append(len(pred))
        return (self.inner(pred) - target).square().mean()


class Renewed(Held):
    """It says itself how it is copied."""

    def __deepcopy__(self, memo):
        return Renewed()


def shape_of(value, seen):
    """Types, numbers and which objects are one."""
    if id(value) in seen:
        return seen[id(value)]
    if isinstance(value, torch.Tensor):
        seen[id(value)] = f"tensor {len(seen)}"
        return type(value), value.tolist(), value.requires_grad
    if isinstance(value, (dict, list, set, nn.Module)):
        seen[id(value)] = f"{type(value).__name__} {len(seen)}"
        held = vars(value) if isinstance(value, nn.Module) else value
        rows = held.items() if isinstance(held, dict) else enumerate(held)
        return type(value), [(key, shape_of(each, seen)) for key, each in rows]
    return value


def test_a_copy_of_a_module_is_what_deepcopy_gives_and_shares_nothing():
    loss = Held()
    one = copy_of(loss)
    assert shape_of(one, {}) == shape_of(copy.deepcopy(loss), {})
    assert one.same is one.inner.weight is not loss.inner.weight
    one.seen.append(3)
    one.alias["new"] = 1
    one.tags.add("b")
    assert one.table["new"] == 1
    assert (loss.seen, loss.tags, "new" in loss.table) == ([], {"a"}, False)


def test_a_module_that_says_how_it_is_copied_is_asked():
    loss = Renewed()
    loss.seen.append(7)
    assert copy_of(loss).seen == []
    assert copy_of(nn.Sequential(loss))[0].seen == []
