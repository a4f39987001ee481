"""What a loss learns beside the network: its variables, and the layer through which a model trains and saves them.

`compile(loss=...)` takes a loss for a function: keras looks for no variables in it, and trains none. A layer is asked:

    outputs = LossLayer(CLIP())(keras.ops.stack([image, text], axis=1))
    model = keras.Model([images, texts], outputs)
    model.compile("adam")                       without `loss`: the layer adds it

The layer hands on what it is given, so that the model still predicts the embeddings.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import keras
from keras import ops as kops

from lossmith.keras.align import Array
from lossmith.keras.loss import Face, Loss


class Learned(Loss):
    """The base of a loss with settings that are learned: they become variables, in float32.

    Its configuration holds their values as they are now.
    """

    learned: ClassVar[tuple[str, ...]] = ()

    @property
    def variables(self) -> list[keras.Variable]:
        """What is to be trained: `LossLayer` hands it to the model; a training loop of one's own takes it from here."""
        return [getattr(self, name) for name in self.learned]

    def _set_up(self) -> None:
        for name in self.learned:
            start: Any = kops.convert_to_numpy(getattr(self, name))
            setattr(self, name, keras.Variable(start, dtype="float32", name=name))

    def _keywords(self) -> dict[str, Any]:
        keywords = super()._keywords()
        return {key: kops.convert_to_tensor(x) if isinstance(x, keras.Variable) else x for key, x in keywords.items()}


@keras.saving.register_keras_serializable(package="lossmith")
class LossLayer(keras.layers.Layer):
    """Adds a loss to the model in which it stands, and hands on the prediction: `LossLayer(CLIP())(y_pred)`.

    A loss that reads y_true or sample weights gets them as inputs of the model: `LossLayer(loss)(y_pred, y_true,
    sample_weight)`. The variables of the loss are the layer's: they are trained, saved and loaded with the model.
    Any loss of keras will do, but only one with `variables` needs it.

    >>> from lossmith.keras import SigLIP
    >>> layer = LossLayer(SigLIP())
    >>> embeddings = layer(keras.ops.ones((2, 2, 3)))
    >>> len(layer.trainable_variables), round(float(kops.convert_to_numpy(layer.losses[0])), 4)
    (2, 1.3863)
    """

    def __init__(self, loss: Face, **settings: Any) -> None:
        super().__init__(**settings)
        self.criterion = loss
        self.learned = list(getattr(loss, "variables", ()))
        self.supports_masking = True
        self.built = True

    def call(self, y_pred: Array, y_true: Array | None = None, sample_weight: Array | None = None) -> Array:
        self.add_loss(self.criterion(y_true, y_pred, sample_weight))
        return y_pred

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "loss": keras.saving.serialize_keras_object(self.criterion)}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        return cls(**{**config, "loss": keras.saving.deserialize_keras_object(config["loss"])})
