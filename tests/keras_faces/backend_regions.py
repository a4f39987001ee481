"""Losses of segmented images on one back end of keras: regions, class numbers, edges. See `test_keras_backends.py`."""

import keras
import numpy as np
import pytest
from keras_cases.data import close, gradient, softmax

import lossmith.keras as faces
from lossmith import formulas
from lossmith.errors import SettingError, ShapeError

G = np.random.default_rng(0)
X = G.normal(size=(2, 4, 5, 3)).astype("float32")
Y = G.integers(0, 3, (2, 4, 5))
HOT = np.eye(3, dtype="float32")[Y]
FLAT = X.reshape(2, 20, 3), Y.reshape(2, 20)
EVERY = [
    (faces.Dice(axis=(1, 2), from_logits=True, reduction=None), formulas.dice),
    (faces.Jaccard(from_logits=True, reduction=None), formulas.jaccard),
    (faces.Tversky(axis=(1, 2), from_logits=True, reduction=None), formulas.tversky),
    (faces.FocalTversky(from_logits=True, reduction=None), formulas.focal_tversky),
    (faces.LovaszHinge(reduction=None), formulas.lovasz_hinge),
    (faces.LovaszSoftmax(from_logits=True, reduction=None), formulas.lovasz_softmax),
]


@pytest.mark.parametrize(("face", "formula"), EVERY)
def test_class_numbers_and_shares_give_the_values_of_the_formula(face, formula):
    want = formula(*FLAT)
    for y_true in (Y, Y[..., None], Y.astype("float32"), HOT):
        close(face(y_true, X), want)


@pytest.mark.parametrize(("face", "formula"), EVERY)
def test_masked_and_ignored_pixels_are_removed(face, formula):
    keep = G.random((2, 4, 5)) < 0.7
    want = formula(*FLAT, kept=keep.reshape(2, 20))
    broken = np.where(keep[..., None], X, np.nan)
    value, slope = gradient(face, np.where(keep, Y, 9), broken, mask=keep)
    close(value, want)
    assert not slope[~keep].any()
    again = type(face).from_config({**face.get_config(), "ignore_class": 9})
    close(again(np.where(keep, Y, 9), broken), want)


def test_a_region_may_be_any_axes_as_in_keras():
    p = softmax(X)
    for axis in (None, 0, (0, 1, 2), (1, 2, 3), [1, 2], -1, (0, 3)):
        axes = axis if axis is None or isinstance(axis, int) else tuple(axis)
        for ours, theirs in ((faces.Dice, keras.losses.Dice), (faces.Tversky, keras.losses.Tversky)):
            more = {"alpha": 0.2, "beta": 0.7} if ours is faces.Tversky else {}
            close(ours(axis=axis, reduction=None, **more)(HOT, p), theirs(axis=axes, reduction=None, **more)(HOT, p))


def test_nothing_there_and_nothing_predicted_costs_nothing_where_keras_says_one():
    zero = np.zeros((1, 2, 2, 1), "float32")
    assert float(faces.Dice()(zero, zero)) == 0.0
    assert float(keras.losses.Dice()(zero, zero)) == 1.0


def test_one_class_is_the_foreground():
    one, inside = X[..., :1], (Y == 1).astype("int32")
    want = formulas.dice(one.reshape(2, 20, 1), inside.reshape(2, 20))
    for y_true in (inside, inside[..., None], inside.astype("float32")):
        close(faces.Dice(axis=(1, 2), from_logits=True, reduction=None)(y_true, one), want)
    close(faces.Dice(axis=(1, 2, 3), from_logits=True, reduction=None)(inside[..., None], one), want[:, 0])
    ignored = np.where(Y == 2, 9, inside)[..., None]
    want = formulas.dice(one.reshape(2, 20, 1), inside.reshape(2, 20), kept=(Y != 2).reshape(2, 20))
    close(faces.Dice(axis=(1, 2, 3), from_logits=True, reduction=None, ignore_class=9)(ignored, one), want[:, 0])


def test_what_does_not_fit_is_refused():
    with pytest.raises(SettingError, match=r"fix     axis=\(1, 2\), or activation='sigmoid'"):
        faces.Dice(from_logits=True)(HOT, X)
    for y_true in (Y[:, :3], HOT[..., :2], HOT[:1]):
        with pytest.raises(ShapeError, match="y_true must have the shape"):
            faces.Jaccard()(y_true, X)
    with pytest.raises(ShapeError, match="y_pred has no such axis"):
        faces.Dice(axis=7)(HOT, X)


def test_edges_are_weighted_for_every_channel():
    ours = keras.ops.convert_to_numpy(faces.edge_weights(HOT, max_weight=4.0))
    assert ours.shape == HOT.shape
    assert ours.min() >= 1
    assert (ours.max((1, 2, 3)) == 4).all()
    squares = faces.MeanSquaredError(reduction="none")(HOT[..., None], X[..., None])
    loss = faces.RegionWeighted(faces.MeanSquaredError(), max_weight=4.0)
    close(loss(HOT, X), np.mean(keras.ops.convert_to_numpy(squares) * ours))
    labels = keras.ops.convert_to_numpy(faces.edge_weights(Y, max_weight=4.0))
    close(labels, ours.max(-1))  # one-hot channels together are scaled as the classes are
    base = faces.SparseCategoricalCrossentropy(from_logits=True, reduction="none")
    close(faces.RegionWeighted(base, max_weight=4.0)(Y, X), keras.ops.convert_to_numpy(base(Y, X)) * labels)
    soft = faces.CategoricalCrossentropy(from_logits=True, reduction="none")
    close(faces.RegionWeighted(soft, max_weight=4.0)(HOT, X), keras.ops.convert_to_numpy(soft(HOT, X)) * labels)


def test_sample_weights_are_region_weights_that_are_given():
    weights = G.random((2, 4, 5)).astype("float32")
    base = faces.SparseCategoricalCrossentropy(from_logits=True)
    loss = faces.RegionWeighted(base, max_weight=1.0)
    close(loss(Y, X, weights), base(Y, X, weights))
    close(loss(Y, X, weights[..., None]), base(Y, X, weights))
    close(loss(Y, X, weights[:, 0, 0]), base(Y, X, weights[:, 0, 0]))


def test_ignored_and_masked_pixels_have_no_edge():
    keep = G.random((2, 4, 5)) < 0.7
    base = faces.SparseCategoricalCrossentropy(from_logits=True, ignore_class=9)
    broken = np.where(keep[..., None], X, np.nan)
    value, slope = gradient(faces.RegionWeighted(base), np.where(keep, Y, 9), broken)
    plain = faces.RegionWeighted(faces.SparseCategoricalCrossentropy(from_logits=True))
    for junk in (0, 2):
        again, _ = gradient(plain, np.where(keep, Y, junk), broken, mask=keep)
        close(again, value)
    assert np.isfinite(value)
    assert not slope[~keep].any()
    whole = faces.RegionWeighted(faces.MeanSquaredError())
    values = [gradient(whole, np.where(keep[..., None], HOT, junk), X, mask=keep)[0] for junk in (np.nan, 0.0)]
    close(*values)


def test_a_region_weighted_loss_trains_and_comes_back(tmp_path):
    keras.utils.set_random_seed(0)
    loss = faces.RegionWeighted(faces.SparseCategoricalCrossentropy(from_logits=True), max_weight=3.0)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert again.get_config() == loss.get_config()
    close(again(Y, X), loss(Y, X))
    model = keras.Sequential([keras.Input((4, 5, 3)), keras.layers.Conv2D(3, 1)])
    model.compile("sgd", loss, jit_compile=False)
    history = model.fit(X, Y, epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]
    model.save(tmp_path / "model.keras")
    close(keras.models.load_model(tmp_path / "model.keras").evaluate(X, Y, verbose=0), loss(Y, model(X)), rtol=1e-4)


def test_a_dice_loss_trains():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4, 5, 3)), keras.layers.Conv2D(3, 1)])
    model.compile("sgd", faces.Dice(axis=(1, 2), from_logits=True), jit_compile=False)
    history = model.fit(X, Y, epochs=3, batch_size=2, verbose=0).history["loss"]
    assert history[-1] < history[0]


def test_only_a_loss_of_single_pixels_is_a_base():
    for base in (faces.Dice(), keras.losses.MeanSquaredError(), None):
        with pytest.raises(SettingError, match="one value for each pixel"):
            faces.RegionWeighted(base)
    with pytest.raises(SettingError, match="1 or more"):
        faces.RegionWeighted(faces.MeanSquaredError(), max_weight=0.0)
    with pytest.raises(ShapeError, match="RegionWeighted"):
        faces.RegionWeighted(faces.MeanSquaredError())(HOT[0], X[0])
