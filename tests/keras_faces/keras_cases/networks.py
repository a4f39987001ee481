"""Losses of what a network computes."""

import keras

from keras_cases.data import N, case


def small_network():
    """Two convolutions around a normalisation that training would change."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, name="first", activation="relu", data_format="channels_last")(inputs)
    x = keras.layers.BatchNormalization()(x)
    return keras.Model(inputs, keras.layers.Conv2D(2, 3, name="second", data_format="channels_last")(x))


def images(g):
    return tuple(g.uniform(0, 1, (N, 6, 7, 3)).astype("float32") for _ in range(2))


CASES = [
    case(
        "perceptual",
        "Perceptual",
        images,
        backbone=small_network(),
        layers=["first", "second"],
        layer_weights=[1.0, 0.5],
        mean=[0.5, 0.4, 0.3],
        std=[0.2, 0.25, 0.3],
        pixel_weight=2.0,
    ),
    case("style", "Style", images, backbone=small_network(), layers=["first"]),
]
