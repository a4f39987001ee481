"""What the keras faces of two views do alone, and what they learn, on one back end; run by `test_keras_backends.py`."""

from pathlib import Path

import keras
import numpy as np
import pytest
from keras_cases.data import close

import lossmith.keras as faces
from lossmith.errors import SettingError, ShapeError

G = np.random.default_rng(0)
IMAGE, TEXT = G.normal(size=(8, 5)).astype("float32"), G.normal(size=(8, 4)).astype("float32")
PAIRS = G.normal(size=(6, 2, 3)).astype("float32")
LABELS = np.array([0, 1, 0, 2, 1, 0])


def number(x):
    return float(keras.ops.convert_to_numpy(x))


def towers(loss):
    """Two small networks that end in a layer that adds the loss."""
    keras.utils.set_random_seed(0)
    image, text = keras.Input((5,)), keras.Input((4,))
    both = keras.ops.stack([keras.layers.Dense(3)(image), keras.layers.Dense(3)(text)], axis=1)
    return keras.Model([image, text], faces.LossLayer(loss, name="loss")(both))


def compiled(model, **given):
    jit = keras.backend.backend() != "torch"  # there it needs a C++ compiler
    model.compile(keras.optimizers.SGD(0.1), jit_compile=jit, **given)
    return model


@pytest.mark.parametrize(("face", "names"), [("CLIP", ["log_scale"]), ("SigLIP", ["log_scale", "bias"])])
def test_a_layer_trains_and_saves_what_a_loss_learns(tmp_path: Path, face, names):
    loss = getattr(faces, face)()
    start = [number(variable) for variable in loss.variables]
    model = compiled(towers(loss))
    assert [v.name for v in model.trainable_variables][-len(names) :] == names
    history = model.fit([IMAGE, TEXT], epochs=4, batch_size=8, verbose=0).history["loss"]
    assert history[-1] < history[0]
    learned = [number(variable) for variable in loss.variables]
    assert all(abs(a - b) > 1e-5 for a, b in zip(learned, start, strict=True))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert [number(v) for v in again.get_layer("loss").criterion.variables] == learned
    close(again([IMAGE, TEXT]), model([IMAGE, TEXT]))
    close(again.evaluate([IMAGE, TEXT], batch_size=8, verbose=0), loss(None, model([IMAGE, TEXT])), rtol=1e-4)
    fresh = compiled(towers(getattr(faces, face)()))
    model.save_weights(tmp_path / "model.weights.h5")
    fresh.load_weights(tmp_path / "model.weights.h5")
    assert [number(v) for v in fresh.get_layer("loss").criterion.variables] == learned


def test_a_configuration_holds_what_was_learned():
    loss = faces.CLIP()
    loss.variables[0].assign(1.25)
    assert loss.get_config()["log_scale"] == 1.25
    again = faces.CLIP.from_config(loss.get_config())
    close(again(None, PAIRS), faces.CLIP(log_scale=1.25)(None, PAIRS))


def test_labels_and_sample_weights_reach_a_loss_through_the_layer():
    layer, weight = faces.LossLayer(faces.SupCon()), np.arange(6).astype("float32")
    layer(PAIRS, LABELS, weight)
    close(layer.losses[0], faces.SupCon()(LABELS, PAIRS, weight))


def test_a_scale_that_no_layer_holds_stays_as_it_is():
    keras.utils.set_random_seed(0)
    loss = faces.SigLIP()
    before = [number(v) for v in loss.variables]
    model = compiled(keras.Sequential([keras.layers.Dense(6), keras.layers.Reshape((2, 3))]), loss=loss)
    model.fit(IMAGE, np.zeros(8), epochs=2, verbose=0)
    assert [number(v) for v in loss.variables] == before


def test_a_target_that_is_not_read_may_be_anything():
    for loss in (faces.NTXent(), faces.InfoNCE(), faces.CLIP(), faces.SigLIP(), faces.BarlowTwins(), faces.VICReg()):
        want = loss(np.zeros(6), PAIRS)
        for y_true in (None, np.full((6, 7), np.nan), np.zeros(0)):
            close(loss(y_true, PAIRS), want)


def test_further_embeddings_are_negatives_of_their_own_query():
    more = G.normal(size=(6, 2, 3)).astype("float32")
    y_pred = np.concatenate([PAIRS, more], 1)
    unit = lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True)
    cosines = (unit(y_pred)[:, :1] * unit(y_pred)[:, 1:]).sum(-1) / 0.5
    want = (np.log(np.exp(cosines).sum(1)) - cosines[:, 0]).mean()
    close(faces.InfoNCE(temperature=0.5, in_batch=False)(None, y_pred), want)


@pytest.mark.parametrize(
    ("loss", "shape", "error", "says"),
    [
        (faces.InfoNCE(), (6, 1, 3), ShapeError, "two or more embeddings for each sample"),
        (faces.InfoNCE(), (6, 3), ShapeError, "two or more embeddings for each sample"),
        (faces.InfoNCE(in_batch=False), (6, 2, 3), SettingError, "in_batch=False leaves only"),
        (faces.NTXent(), (6, 3, 3), ShapeError, "two embeddings for each sample"),
    ],
)
def test_another_number_of_embeddings_is_refused(loss, shape, error, says):
    with pytest.raises(error, match=says):
        loss(None, np.zeros(shape, "float32"))


def test_views_are_embeddings_of_the_class_of_their_sample():
    values = faces.SupCon(reduction="none")(LABELS[:, None], PAIRS)
    flat = faces.SupCon(reduction="none")(LABELS.repeat(2), PAIRS.reshape(12, 3))
    assert tuple(values.shape) == (6, 2)
    close(keras.ops.reshape(values, (12,)), flat)
    close(faces.SupCon()(LABELS, PAIRS), faces.SupCon()(LABELS.repeat(2), PAIRS.reshape(12, 3)))


def test_an_anchor_without_another_of_its_class_is_not_counted():
    values = keras.ops.convert_to_numpy(faces.SupCon(reduction="none")(LABELS, PAIRS[:, 0]))
    assert values[3] == 0
    close(faces.SupCon()(LABELS, PAIRS[:, 0]), values.sum() / 5)
    ignored = faces.SupCon(ignore_class=2)(LABELS, PAIRS)
    close(ignored, faces.SupCon()(LABELS[LABELS != 2], PAIRS[LABELS != 2]))


def test_a_mask_counts_for_samples_or_for_views():
    keep = np.array([True, False, True, True, False, True])
    want = faces.SupCon()(LABELS[keep], PAIRS[keep])
    for mask in (keep, np.stack([keep, keep], 1)):
        pred = keras.ops.multiply(keras.ops.convert_to_tensor(PAIRS), 1.0)
        keras.src.backend.set_keras_mask(pred, keras.ops.convert_to_tensor(mask))
        close(faces.SupCon()(LABELS, pred), want)
