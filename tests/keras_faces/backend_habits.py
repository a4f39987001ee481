"""What the keras faces take and refuse, on one back end; run by `test_keras_backends.py` like `backend_faces.py`."""

import traceback

import keras
import numpy as np
import pytest
from keras_cases import named
from keras_cases.data import close

import lossmith.keras as faces
from lossmith import formulas
from lossmith.errors import SettingError, ShapeError

WEIGHT = np.array([1.0, 2.0, 0.5, 3.0, 1.5, 0.25], dtype="float32")


def test_labels_may_come_as_floats_and_as_a_column():
    y_true, y_pred = named("scce logits").arrays()
    loss = faces.SparseCategoricalCrossentropy(from_logits=True)
    want = float(loss(y_true, y_pred))
    assert float(loss(y_true.astype("float32"), y_pred)) == want
    assert float(loss(y_true[:, None], y_pred)) == want
    assert float(loss(y_true.astype("uint8"), y_pred)) == want


def test_a_column_stands_beside_a_vector_as_in_keras():
    y, p = np.array([1.0, 2.0, 4.0], "float32"), np.array([0.0, 2.0, 1.0], "float32")
    for y_true, y_pred in ((y, p[:, None]), (y[:, None], p)):
        for reduction in ("sum_over_batch_size", "sum", "none"):
            ours, theirs = faces.Huber(reduction=reduction), keras.losses.Huber(reduction=reduction)
            close(ours(y_true, y_pred, WEIGHT[:3]), theirs(y_true, y_pred, WEIGHT[:3]))
    close(faces.Huber()(y, np.tile(p[:, None], (1, 1))), faces.Huber()(y, p))


def test_a_vector_of_predictions_is_a_batch_of_samples():
    y, p = np.array([1.0, 2.0, 4.0], "float32"), np.array([0.0, 2.0, 1.0], "float32")
    close(faces.MeanSquaredError(reduction="none")(y, p), [1.0, 0.0, 9.0])
    close(faces.MeanSquaredError()(y, p), keras.losses.MeanSquaredError()(y, p))


@pytest.mark.parametrize(("true", "pred"), [((3,), (3, 2)), ((3, 1), (3, 2)), ((1, 2), (3, 2)), ((2, 3), (3, 2))])
def test_shapes_that_would_broadcast_are_refused(true, pred):
    with pytest.raises(ShapeError, match="MeanSquaredError: y_pred and y_true must have one shape"):
        faces.MeanSquaredError()(np.zeros(true, "float32"), np.zeros(pred, "float32"))


@pytest.mark.parametrize("shape", [(3,), (1,), (2, 6), (6, 3)])
def test_sample_weights_that_would_broadcast_are_refused(shape):
    with pytest.raises(ShapeError, match="weight must have the shape of the values"):
        faces.MeanSquaredError()(np.zeros((6, 3), "float32"), np.ones((6, 3), "float32"), np.ones(shape, "float32"))


def test_labels_where_a_distribution_belongs_are_refused():
    with pytest.raises(ShapeError, match="y_true must hold a distribution for each prediction"):
        faces.CategoricalCrossentropy()(np.array([0, 1]), np.full((2, 3), 1 / 3, "float32"))
    with pytest.raises(ShapeError, match="two embeddings for each sample"):
        faces.Contrastive()(np.zeros(2, "float32"), np.zeros((2, 3, 4), "float32"))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: faces.Huber(beta=1.0), "Huber has no setting 'beta'"),
        (lambda: faces.Huber(1.0, 2.0), "Huber takes its settings by name"),
        (lambda: faces.Huber(delta=-1.0), "Huber: delta must be a finite number above 0"),
        (lambda: faces.Huber(reduction="average"), "Huber: reduction must be"),
        (lambda: faces.BinaryCrossentropy(label_smoothing=2.0), "label_smoothing must be a number from 0 to 1"),
        (lambda: faces.Loss(), "Loss is a base"),
    ],
)
def test_a_setting_that_does_not_exist_or_fit_is_refused(make, says):
    with pytest.raises(SettingError) as error:
        make()
    assert says in str(error.value)


def test_a_face_that_differs_from_its_formula_is_refused_when_it_is_made():
    with pytest.raises(SettingError, match=r"Wrong\.delta must have its formula's default"):

        class Wrong(faces.Loss, formula=formulas.huber):
            delta: float = 2.0

    with pytest.raises(SettingError, match=r"Same\.delta must differ from its formula's default"):

        class Same(faces.Loss, formula=formulas.huber, differs=("delta",)):
            delta: float = 1.0


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="autograph is TensorFlow's")
def test_tensorflow_rewrites_nothing_of_a_face(monkeypatch):
    """Its autograph would spend seconds on code that has nothing to be rewritten."""
    import tensorflow as tf

    own, rewritten = formulas.huber.body, []

    def watching(ops, *arrays, **settings):
        rewritten.extend(one.name for one in traceback.extract_stack() if "autograph_generated" in one.filename)
        return own(ops, *arrays, **settings)

    monkeypatch.setattr(formulas.huber, "body", watching)
    loss = faces.Huber()
    tf.function(lambda y, p: loss(y, p))(tf.zeros((2, 3)), tf.ones((2, 3)))
    assert set(rewritten) == {"<lambda>"}  # the user's own
