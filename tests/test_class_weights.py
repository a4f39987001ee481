"""Weights for classes of different sizes, on the arrays of every framework."""

import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf
import torch

from lossmith.class_weights import balanced_class_weights
from lossmith.errors import DtypeError, SettingError

LABELS = [0, 0, 2, 1, 0, 2, 0, 0]  # 5, 1 and 2 of 8
WANT = [8 / 15, 8 / 3, 8 / 6]
MAKERS = [np.array, torch.tensor, jnp.array, tf.constant]


@pytest.mark.parametrize("make", MAKERS)
def test_labels_and_counts_give_the_same_in_every_framework(make):
    for got in (balanced_class_weights(make(LABELS)), balanced_class_weights(counts=make([5, 1, 2]))):
        assert isinstance(got, type(make([1.0])))
        np.testing.assert_allclose(np.asarray(got), WANT, rtol=1e-6)
    assert balanced_class_weights(counts=make([5.0, 1.0, 2.0])).dtype == make([5.0]).dtype


def test_the_mean_weight_of_a_sample_is_one():
    labels = np.random.default_rng(0).integers(0, 7, (30, 5))
    assert balanced_class_weights(labels)[labels].mean() == pytest.approx(1.0, rel=1e-12)


def test_a_list_gives_numpy_in_float64():
    got = balanced_class_weights(LABELS)
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, WANT, rtol=1e-15)


def test_a_class_without_samples_is_an_error_or_has_the_weight_that_is_named():
    with pytest.raises(SettingError, match="without samples  3, 4"):
        balanced_class_weights(LABELS, classes=5)
    got = balanced_class_weights(LABELS, classes=4, absent=0.0)
    np.testing.assert_allclose(got, [8 / 20, 8 / 4, 8 / 8, 0.0])


def test_labels_that_are_no_class_are_not_counted():
    np.testing.assert_allclose(balanced_class_weights([*LABELS, -100, -1]), WANT)
    np.testing.assert_allclose(balanced_class_weights([*LABELS, 9], classes=3), WANT)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "labels or counts"),
        ({"labels": LABELS, "counts": [1, 2]}, "labels or counts"),
        ({"counts": [1.0, -2.0]}, "counts must be one number for each class"),
        ({"counts": [[1.0, 2.0]]}, "counts must be one number for each class"),
        ({"counts": [1, 2], "classes": 3}, "one entry for each class"),
        ({"labels": np.zeros(0, int)}, "there is no label"),
        ({"labels": [-1, -1]}, "there is no label"),
    ],
)
def test_what_gives_no_weights_is_refused(given, says):
    with pytest.raises(SettingError, match=says):
        balanced_class_weights(**given)


def test_labels_must_be_integers():
    with pytest.raises(DtypeError, match="labels must be integers"):
        balanced_class_weights([0.0, 1.0])


def test_it_is_found_where_it_is_looked_for():
    import lossmith.keras
    import lossmith.torch

    assert lossmith.balanced_class_weights is balanced_class_weights
    assert lossmith.torch.balanced_class_weights is lossmith.keras.balanced_class_weights is balanced_class_weights
    criterion = lossmith.torch.CrossEntropyLoss(balanced_class_weights(torch.tensor(LABELS)))
    assert criterion(torch.zeros(8, 3), torch.tensor(LABELS)).item() == pytest.approx(np.log(3.0), rel=1e-6)
