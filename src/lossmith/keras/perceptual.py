"""Losses of what a frozen network computes of two images; the mathematics is in `lossmith.formulas.features`.

Images are (N, H, W, C), or (N, C, H, W) where that is keras's data format, with values in [0, 1]. The network is a copy
of the one that is given; it runs in inference mode, and no model that is trained with the loss holds its weights.
"""

from collections.abc import Sequence
from math import prod
from typing import Any, final

import keras
from keras import ops as kops

from lossmith import formulas
from lossmith.criterion import Evaluated
from lossmith.errors import SettingError, ShapeError, message
from lossmith.keras.align import Array, as_tensor, rank
from lossmith.keras.backbone import features_of, for_caffe, network_of, to_config
from lossmith.keras.loss import Loss
from lossmith.ops import Ops, common_reader
from lossmith.reduction import guard
from lossmith.spec import Outcome

LAYERS = ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3")
FACTORS = ("pixel_weight", "feature_weight")
OWN = ("backbone", "weights", "layers", "layer_weights", "mean", "std")


class NetworkLoss(Loss):
    """The base of a loss of features.

    backbone        "vgg16" of keras.applications, or a functional or sequential keras model
    weights         "imagenet", or a file: in place of the public weights, or of the weights of the model
    layers          which layers are compared, by name; layer_weights: a factor for each, 1 where none are given
    mean, std       of each channel, taken off and out before a model sees an image; "vgg16" has its own and needs none
    """

    backbone: Any = "vgg16"
    weights: str = "imagenet"
    layers: Sequence[str] = LAYERS
    layer_weights: Sequence[float] | None = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None

    def __init__(self, *positional: object, **settings: Any) -> None:
        super().__init__(*positional, **settings)
        caller = type(self).__name__
        if not self.layers or (self.layer_weights is not None and len(self.layer_weights) != len(self.layers)):
            counts = {"layers": self.layers, "layer_weights": self.layer_weights}
            raise SettingError(message(f"{caller}: layers must name some, and layer_weights one number each", counts))
        self._named = isinstance(self.backbone, str)
        self._network = network_of(self.backbone, self.weights, caller)
        self._features = features_of(self._network, self.layers, caller)
        self.backbone = self.backbone if self._named else self._network

    def get_config(self) -> dict[str, Any]:
        """Every setting; a model with its weights, and VGG-16 by its name and the name of its file."""
        backbone, weights = (self.backbone, self.weights) if self._named else (to_config(self._network), "imagenet")
        return {**super().get_config(), "backbone": backbone, "weights": weights}

    @property
    def domains(self) -> dict[str, str]:
        image = "prob[N,16,16,3]" if self._channel_axis() == -1 else "prob[N,3,16,16]"
        return {"y_true": image, "y_pred": image}

    def _evaluated(self, y_true: Array, y_pred: Array, mask: Array | None) -> tuple[Ops[Any], Evaluated[Any]]:
        caller = type(self).__name__
        pred, target = as_tensor(y_pred, self.dtype), as_tensor(y_true, self.dtype)
        self._require_images(caller, pred, target)
        ops = common_reader(pred, target)
        kept = None if mask is None else kops.cast(mask, "bool")
        images = guard(ops, (pred, target), ("real", "real"), kept, caller=caller)
        wide = [ops.widen(image) for image in images]
        return ops, Evaluated(Outcome(self._values(ops, *wide)), kept, images, ("real", "real"))

    def _values(self, ops: Ops[Any], pred: Array, target: Array) -> Array:
        raise NotImplementedError

    def _same_size(self) -> bool:
        return True

    def _channel_axis(self) -> int:
        return 1 if keras.config.image_data_format() == "channels_first" else -1

    def _require_images(self, caller: str, pred: Array, target: Array) -> None:
        same = tuple(pred.shape) == tuple(target.shape) or not self._same_size()
        unknown = None in (*pred.shape, *target.shape)
        if rank(pred) != 4 or rank(target) != 4 or not (same or unknown) or pred.shape[0] != target.shape[0]:
            given = {"y_pred": tuple(pred.shape), "y_true": tuple(target.shape)}
            raise ShapeError(message(f"{caller}: y_pred and y_true must be batches of images that fit", given))

    def _compared(self, pred: Array, target: Array) -> list[tuple[float, Array, Array]]:
        """The factor and the features of both images, of each layer."""
        factors = self.layer_weights or [1.0] * len(self.layers)
        both = [self._features(self._normalised(image), training=False) for image in (pred, target)]
        both = [each if isinstance(each, (list, tuple)) else [each] for each in both]
        return list(zip(factors, *both, strict=True))

    def _normalised(self, image: Array) -> Array:
        if self._named:
            return for_caffe(image, self._channel_axis())
        shape = (-1, 1, 1) if self._channel_axis() == 1 else (-1,)
        for values, take in ((self.mean, kops.subtract), (self.std, kops.divide)):
            if values is not None:
                constant: Any = kops.convert_to_tensor(values, dtype=image.dtype)
                image = take(image, kops.reshape(constant, shape))
        return image


@final
class Perceptual(NetworkLoss, formula=formulas.feature_reconstruction, own=(*OWN, *FACTORS)):
    """Mean squared error of the pixels, and of the features at chosen layers of VGG-16 or another network.

    Without a network connection `weights=` names the file of VGG-16. Inputs are in [0, 1]. Keras has none.

    >>> inputs = keras.Input((8, 8, 3))
    >>> network = keras.Model(inputs, keras.layers.Conv2D(2, 3, name="conv")(inputs))
    >>> image = keras.ops.ones((1, 8, 8, 3))
    >>> float(Perceptual(backbone=network, layers=["conv"])(image, image))
    0.0
    """

    pixel_weight: float = 1.0
    feature_weight: float = 1.0

    def _values(self, ops: Ops[Any], pred: Array, target: Array) -> Array:
        apart = formulas.feature_reconstruction.values
        flat: Any = kops.reshape
        values = self.pixel_weight * apart(ops, flat(pred, _row(pred)), flat(target, _row(target)))
        for factor, f, g in self._compared(pred, target):
            values = values + self.feature_weight * factor * apart(ops, flat(f, _row(f)), flat(g, _row(g)))
        return values


@final
class Style(NetworkLoss, formula=formulas.style_reconstruction, own=OWN):
    """Squared distance of the Gram matrices at chosen layers of VGG-16 or another network.

    y_true and y_pred may differ in height and width. The weights of VGG-16 are those of `Perceptual`. Keras has none.

    >>> inputs = keras.Input((8, 8, 3))
    >>> network = keras.Model(inputs, keras.layers.Conv2D(2, 3, name="conv")(inputs))
    >>> image = keras.ops.ones((1, 8, 8, 3))
    >>> float(Style(backbone=network, layers=["conv"])(image, image))
    0.0
    """

    def _same_size(self) -> bool:
        return False

    def _values(self, ops: Ops[Any], pred: Array, target: Array) -> Array:
        values: Any = 0.0
        for factor, f, g in self._compared(pred, target):
            values = values + factor * formulas.style_reconstruction.values(ops, self._rows(f), self._rows(g))
        return values

    def _rows(self, features: Array) -> Array:
        """(N, P, C): the channels last, all positions in one row."""
        last: Any = features if self._channel_axis() == -1 else kops.moveaxis(features, 1, -1)
        return kops.reshape(last, (*_row(last[..., 0]), last.shape[-1]))


def _row(x: Array) -> tuple[Any, ...]:
    """The shape of one row for each image. Of an empty batch nothing can be inferred, so known lengths are told."""
    shape: Any = kops.shape(x)
    lengths = x.shape[1:]
    return (shape[0], -1 if None in lengths else prod(lengths))
