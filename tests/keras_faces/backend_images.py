"""What the losses of images and of networks promise on one back end; run by `test_keras_backends.py`."""

import keras
import numpy as np
import pytest
from keras_cases.data import close, gradient
from keras_cases.networks import small_network

import lossmith.keras as faces
from lossmith.errors import LossmithError, SettingError, ShapeError

IMAGE, TARGET = np.random.default_rng(1).uniform(0, 1, (2, 2, 6, 7, 3)).astype("float32")


def test_features_are_those_of_the_network_in_inference_mode():
    network = small_network()
    loss = faces.Perceptual(backbone=network, layers=["second"], pixel_weight=0.0)
    f, g = (keras.ops.convert_to_numpy(network(image, training=False)) for image in (IMAGE, TARGET))
    close(loss(TARGET, IMAGE), np.mean((f - g) ** 2), rtol=1e-4)


def test_style_compares_gram_matrices_of_images_of_any_size():
    network = small_network()
    loss = faces.Style(backbone=network, layers=["second"], reduction="none")
    wide = np.random.default_rng(2).uniform(0, 1, (2, 9, 6, 3)).astype("float32")

    def gram(image):
        f = keras.ops.convert_to_numpy(network(image, training=False))
        f = f.reshape(2, -1, 2)
        return f.swapaxes(1, 2) @ f / f[0].size

    close(loss(wide, IMAGE), ((gram(IMAGE) - gram(wide)) ** 2).sum((1, 2)), rtol=1e-4)


def test_the_network_is_a_copy_that_nothing_trains():
    network = small_network()
    loss = faces.Perceptual(backbone=network, layers=["second"])
    assert loss._features.trainable_variables == []
    assert network.trainable
    before = [v.copy() for v in loss._network.get_weights()]
    inputs = keras.Input((6, 7, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(3, 1)(inputs))
    model.compile("sgd", loss, jit_compile=False)
    assert len(model.trainable_variables) == 2
    history = model.fit(IMAGE, TARGET, epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]
    assert all(np.array_equal(a, b) for a, b in zip(before, loss._network.get_weights(), strict=True))


def test_a_saved_model_comes_back_with_the_weights_of_the_network(tmp_path):
    inputs = keras.Input((6, 7, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(3, 1)(inputs))
    model.compile("sgd", faces.Perceptual(backbone=small_network(), layers=["first"]), jit_compile=False)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    close(again.loss(TARGET, IMAGE), model.loss(TARGET, IMAGE))
    assert again.loss.get_config() == model.loss.get_config()


def test_weights_may_come_from_a_file(tmp_path):
    network = small_network()
    network.set_weights([1.5 * values for values in network.get_weights()])
    network.save_weights(tmp_path / "own.weights.h5")
    loaded = faces.Perceptual(backbone=small_network(), weights=str(tmp_path / "own.weights.h5"), layers=["first"])
    close(loaded(TARGET, IMAGE), faces.Perceptual(backbone=network, layers=["first"])(TARGET, IMAGE))
    with pytest.raises(SettingError, match="there is no file of weights"):
        faces.Perceptual(weights=str(tmp_path / "missing.weights.h5"))


def stand_in(include_top, weights):
    """A network of VGG's names in place of it."""
    assert not include_top
    inputs = keras.Input((None, None, 3))
    return keras.Model(inputs, keras.layers.Conv2D(2, 3, name="block1_conv2")(inputs))


def test_vgg_sees_bytes_with_blue_first_and_without_their_mean(monkeypatch):
    monkeypatch.setattr(keras.applications, "VGG16", stand_in)
    loss = faces.Perceptual(layers=["block1_conv2"], pixel_weight=0.0)
    bytes_ = [keras.applications.vgg16.preprocess_input(255.0 * image) for image in (IMAGE, TARGET)]
    f, g = (keras.ops.convert_to_numpy(loss._network(x)) for x in bytes_)
    close(loss(TARGET, IMAGE), np.mean((f - g) ** 2), rtol=1e-3)
    config = loss.get_config()
    assert (config["backbone"], config["weights"]) == ("vgg16", "imagenet")


def test_without_a_network_the_error_names_the_file_its_folder_and_the_other_way(monkeypatch):
    def offline(**_):
        raise Exception("URL fetch failure on https://storage.googleapis.com")

    monkeypatch.setattr(keras.applications, "VGG16", offline)
    with pytest.raises(LossmithError) as caught:
        faces.Style()
    text = str(caught.value)
    for word in ("vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "models", "URL fetch failure", "Style(weights="):
        assert word in text


def test_channels_may_come_first():
    for face, settings in ((faces.SSIM, {"window": 3}), (faces.TotalVariation, {"norm": "l2"})):
        last = face(data_format="channels_last", **settings)(TARGET, IMAGE)
        first = face(data_format="channels_first", **settings)(
            TARGET.transpose(0, 3, 1, 2), IMAGE.transpose(0, 3, 1, 2)
        )
        close(first, last)


def test_total_variation_has_the_axes_of_the_image_and_ignores_y_true():
    loss = faces.TotalVariation(reduction="none", data_format="channels_last")
    got = keras.ops.convert_to_numpy(loss(np.full_like(TARGET, np.nan), IMAGE))
    assert got.shape == IMAGE.shape
    steps = [np.abs(np.diff(IMAGE, axis=axis)).sum() for axis in (1, 2)]
    close(got.sum(), sum(steps), rtol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.image is tensorflow's")
def test_values_are_those_of_tf_image():
    import tensorflow as tf

    images = np.random.default_rng(3).uniform(0, 1, (2, 2, 24, 20, 3)).astype("float32")
    ssim = faces.SSIM(reduction="none", data_format="channels_last")(*images)
    close(1.0 - keras.ops.mean(ssim, axis=-1), tf.image.ssim(*images, max_val=1.0), rtol=1e-4)
    total = faces.TotalVariation(reduction="sum", data_format="channels_last")
    close(total(images[0], images[1]), tf.reduce_sum(tf.image.total_variation(images[1])), rtol=1e-5)
    alike = 0.6 * images[0] + 0.4 * images[1]
    weights = (0.3, 0.7)
    ours = faces.MSSSIM(weights=weights, window=5, reduction="none", data_format="channels_last")(images[0], alike)
    theirs = tf.image.ssim_multiscale(images[0], alike, 1.0, power_factors=weights, filter_size=5)
    close(1.0 - keras.ops.mean(ours, axis=-1), theirs, rtol=1e-4)


def test_what_is_no_image_is_refused():
    with pytest.raises(ShapeError, match=r"SSIM: y_pred must be \(N, H, W, C\)"):
        faces.SSIM(data_format="channels_last")(TARGET[0], IMAGE[0])
    with pytest.raises(ShapeError, match="images must be at least 11 x 11 pixels for a window of 11"):
        faces.SSIM(data_format="channels_last")(TARGET, IMAGE)
    with pytest.raises(ShapeError, match="at least 161 x 161 pixels for a window of 11 over 5 scales"):
        faces.MSSSIM(data_format="channels_last")(TARGET, IMAGE)
    with pytest.raises(SettingError, match="window must be a whole number, 1 or more"):
        faces.SSIM(window=2.5)
    with pytest.raises(ShapeError, match="y_pred and y_true must be batches of images that fit"):
        faces.Perceptual(backbone=small_network(), layers=["first"])(TARGET[:1], IMAGE)


def test_a_gradient_reaches_the_image():
    loss = faces.Perceptual(backbone=small_network(), layers=["second"], pixel_weight=0.0)
    value, slope = gradient(loss, TARGET, IMAGE)
    assert value > 0
    assert np.isfinite(slope).all()
    assert slope.any()
