"""Networks whose layers are compared: VGG-16 of `keras.applications`, or a copy of any keras model, by layer names.

A model of the user is written into a loss's configuration with its weights, so that a saved model comes back with the
loss that it had.
"""

import base64
import io
import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops as kops

from lossmith.errors import SettingError, message
from lossmith.keras.align import Array

FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
CAFFE_MEAN = (103.939, 116.779, 123.68)  # of blue, green and red, in bytes: what these weights were trained with


def network_of(backbone: Any, weights: Any, caller: str) -> Any:
    """The network by itself: VGG-16 with its weights, or a copy of a model."""
    if isinstance(backbone, dict):
        return from_config(backbone)
    if isinstance(backbone, keras.Model):
        network = keras.models.clone_model(backbone)
        network.set_weights(backbone.get_weights())
        if weights != "imagenet":
            network.load_weights(weights)
        return network
    if backbone != "vgg16":
        raise SettingError(message(f"{caller}: backbone must be 'vgg16' or a model", {"backbone": repr(backbone)}))
    return _vgg16(weights, caller)


def features_of(network: Any, layers: Sequence[str], caller: str) -> Any:
    """A model that gives what the layers give; nothing of it is trained."""
    have = [layer.name for layer in network.layers]
    if unknown := [name for name in layers if name not in have]:
        given = {"layers": " ".join(have)}
        raise SettingError(message(f"{caller}: the backbone has no layer {unknown[0]!r}", given))
    network.trainable = False
    return keras.Model(network.inputs, [network.get_layer(name).output for name in layers])


def to_config(network: Any) -> dict[str, Any]:
    """A model with its weights, as JSON holds it."""
    return {
        "model": keras.saving.serialize_keras_object(network),
        "values": [_written(values) for values in network.get_weights()],
    }


def from_config(config: dict[str, Any]) -> Any:
    network: Any = keras.saving.deserialize_keras_object(config["model"])
    network.set_weights([_read(text) for text in config["values"]])
    return network


def for_caffe(image: Array, axis: int) -> Array:
    """An image in [0, 1] as the weights of keras's VGG-16 want it: bytes, blue first, without their mean."""
    channels: Any = kops.split(255.0 * image, 3, axis=axis)
    return kops.concatenate([c - mean for c, mean in zip(channels[::-1], CAFFE_MEAN, strict=True)], axis=axis)


def _vgg16(weights: Any, caller: str) -> Any:
    if weights != "imagenet" and not os.path.exists(weights):
        raise SettingError(message(f"{caller}: there is no file of weights", {"weights": os.fspath(weights)}))
    try:
        return keras.applications.VGG16(include_top=False, weights=weights)
    except Exception as error:  # keras raises a bare Exception where it cannot fetch a file
        if weights != "imagenet":
            raise
        home = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
        given = {"folder": os.path.join(home, "models"), "error": f"{type(error).__name__}: {error}"}
        fix = f"put {FILE} into the folder, or name the file: {caller}(weights='.../{FILE}')"
        raise SettingError(message(f"{caller}: {FILE} could not be loaded", given, fix=fix)) from error


def _written(values: np.ndarray) -> str:
    held = io.BytesIO()
    np.save(held, values)
    return base64.b64encode(held.getvalue()).decode("ascii")


def _read(text: str) -> np.ndarray:
    return np.load(io.BytesIO(base64.b64decode(text)))
