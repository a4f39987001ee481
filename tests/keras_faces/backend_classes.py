"""What keras faces over classes take, on one back end."""

import keras
import numpy as np
import pytest
from keras_cases import CASES
from keras_cases.data import C, close, gradient

from lossmith.errors import SettingError, ShapeError
from lossmith.keras import BalancedSoftmax
from lossmith.keras.classes import ClassesLoss

EITHER = [
    case
    for case in CASES
    if isinstance(loss := case.make(), ClassesLoss)
    and not loss.labels
    and loss.axis == -1
    and loss.ignore_class is None
]
LABELS = np.array([0, 3, 1, 1, 2, 0])


@pytest.mark.parametrize("case", EITHER, ids=lambda case: case.name)
def test_class_numbers_and_distributions_are_told_apart_by_their_shape(case):
    loss = case.make()
    pred = np.random.default_rng(0).dirichlet(np.ones(C), 6).astype("float32")
    value, slope = gradient(loss, LABELS, pred)
    for other in (LABELS[:, None], LABELS.astype("float32")):
        close(loss(other, pred), value)
    again, slope_again = gradient(loss, np.eye(C, dtype="float32")[LABELS], pred)
    close(again, value)
    close(slope_again, slope)


def test_the_test_above_has_cases():
    assert len(EITHER) >= 5


def test_the_classes_may_be_on_another_axis():
    pred = np.random.default_rng(0).normal(size=(2, C, 3)).astype("float32")
    labels = np.array([[0, 1, 2], [3, 3, 0]])
    sizes = [5.0, 1.0, 2.0, 9.0]
    want = BalancedSoftmax(sizes)(labels, pred.swapaxes(1, 2))
    close(BalancedSoftmax(sizes, axis=1)(labels, pred), want)
    close(BalancedSoftmax(sizes, axis=1)(np.eye(C)[labels].swapaxes(1, 2), pred), want)


def test_what_is_neither_is_refused():
    with pytest.raises(ShapeError):
        BalancedSoftmax([1.0, 2.0])(np.zeros((3, 3), "float32"), np.zeros((3, 2), "float32"))
    with pytest.raises(SettingError, match="class_counts must be"):
        BalancedSoftmax([0.0, 0.0])


def test_a_model_trains_with_counts_and_keeps_them_when_saved(tmp_path):
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(6, 5)).astype("float32")
    model = keras.Sequential([keras.layers.Dense(C)])
    model.compile("sgd", BalancedSoftmax([5.0, 1.0, 2.0, 9.0]))
    history = model.fit(x, LABELS, epochs=5, verbose=0).history["loss"]
    assert history[-1] < history[0]
    model.save(tmp_path / "model.keras")
    assert keras.models.load_model(tmp_path / "model.keras").loss.get_config() == model.loss.get_config()
