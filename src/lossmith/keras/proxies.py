"""Losses with a learned vector for each class; the mathematics is in `lossmith.formulas.margins` and `proxies`.

    head = Proxies(classes=1000)
    model = keras.Sequential([backbone, keras.layers.Dense(512), head])
    model.compile("adam", ArcFace(head))
    model.fit(images, labels)
    scores = head.cosines(model.predict(images))

A model trains and saves the variables of its layers, not those of its loss: `Proxies` is a layer that hands the
embedding on as it is, and holds the vectors. The loss reads them from it. So `fit`, sample weights and masks work as
for any loss, where a layer with labels as an input and `add_loss` would have none of them.

A saved loss names its layer; `load_model` makes the layers first, and the loss then takes the layer of that name that
was made last. So a loaded model trains on.
"""

from typing import Any, Literal, final
from weakref import WeakValueDictionary

import keras
from keras import ops as kops

from lossmith import formulas
from lossmith.errors import SettingError, message
from lossmith.formulas.margins import plain_logits
from lossmith.keras.align import Array
from lossmith.keras.loss import Loss
from lossmith.ops import common_reader

_OWN = ("proxies",)
_HELD = {"proxies": "vectors"}
_MADE: WeakValueDictionary[str, "Proxies"] = WeakValueDictionary()  # by name, the one made last


@keras.saving.register_keras_serializable(package="lossmith")
class Proxies(keras.layers.Layer):
    """One learned vector for each class, beside the embeddings (N, D) that it hands on unchanged.

    It is the last layer of a model, and the first argument of its loss. Only the directions of the vectors count.

    >>> head, z = Proxies(classes=3), keras.ops.ones((2, 4))
    >>> tuple(head(z).shape), tuple(head.weight.shape), tuple(head.cosines(z).shape)
    ((2, 4), (3, 4), (2, 3))
    """

    def __init__(self, classes: int, *, initializer: Any = "glorot_uniform", **more: Any) -> None:
        super().__init__(**more)
        if not isinstance(classes, int) or classes < 1:
            raise SettingError(message("Proxies: classes must be an integer, 1 or more", {"classes": repr(classes)}))
        self.classes, self.initializer = classes, keras.initializers.get(initializer)
        self.supports_masking = True
        _MADE[self.name] = self

    def build(self, input_shape: Any) -> None:
        self.weight = self.add_weight(
            name="weight", shape=(self.classes, input_shape[-1]), initializer=self.initializer, trainable=True
        )

    def call(self, inputs: Array) -> Array:
        return inputs

    def cosines(self, inputs: Array) -> Array:
        """The cosine of each embedding with the vector of each class, (N, classes): argmax is the class."""
        given = kops.convert_to_tensor(inputs, dtype=self.compute_dtype)
        vectors = self.weight.value
        return plain_logits(common_reader(given, vectors), given, vectors, 1.0)

    def get_config(self) -> dict[str, Any]:
        own = {"classes": self.classes, "initializer": keras.initializers.serialize(self.initializer)}
        return {**super().get_config(), **own}


class ProxyLoss(Loss):
    """The base of a loss that reads one vector for each class: from a `Proxies` layer, or from an array (classes, D).

    y_pred (N, D) holds embeddings, y_true labels.
    """

    proxies: Any

    def _set_up(self) -> None:
        if isinstance(self.proxies, str):
            self.proxies = _named(type(self).__name__, self.proxies)
        if isinstance(self.proxies, Proxies):
            self.proxies = _Unsaved(self.proxies)

    @property
    def vectors(self) -> Array:
        """The vectors, (classes, D)."""
        if not isinstance(self.proxies, _Unsaved):
            return self.proxies
        layer = self.proxies.layer
        if layer.built:
            return layer.weight.value
        caller, why = type(self).__name__, "a layer gets its weights when it is first called"
        fix = "put it at the end of the model whose embeddings are compared"
        raise SettingError(message(f"{caller}: its layer {layer.name!r} has no vectors yet", why=why, fix=fix))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {**config, "proxies": self.proxies.layer.name} if isinstance(self.proxies, _Unsaved) else config


class _Unsaved:
    """Holds the layer where keras does not look for what it saves: it is saved as a part of the model."""

    def __init__(self, layer: Proxies) -> None:
        self.layer = layer


def _named(caller: str, name: str) -> Proxies:
    if name in _MADE:
        return _MADE[name]
    why = "a saved loss reads its vectors from the layer of this name"
    raise SettingError(message(f"{caller}: there is no Proxies layer {name!r}", {"layers": sorted(_MADE)}, why=why))


@final
class ArcFace(ProxyLoss, formula=formulas.arc_face, labels=True, own=_OWN, held=_HELD):
    """ArcFace: the embedding is nearer to the vector of its class than to all others, by an angle in radians.

    >>> loss = ArcFace([[1.0, 0.0], [0.0, 1.0]], scale=4.0)
    >>> round(float(loss([0, 0], [[0.6, 0.8], [2.0, 0.0]])), 4)
    1.3636
    """

    margin: float = 0.5
    scale: float = 64.0


@final
class CosFace(ProxyLoss, formula=formulas.cos_face, labels=True, own=_OWN, held=_HELD):
    """CosFace (AM-softmax): as `ArcFace`, by a difference of cosines.

    >>> loss = CosFace([[1.0, 0.0], [0.0, 1.0]], scale=4.0)
    >>> round(float(loss([0, 0], [[0.6, 0.8], [2.0, 0.0]])), 4)
    1.1884
    """

    margin: float = 0.35
    scale: float = 64.0


@final
class SphereFace(ProxyLoss, formula=formulas.sphere_face, labels=True, own=_OWN, held=_HELD):
    """SphereFace (A-softmax): the angle to the vector of the class counts `margin` times; y_pred is not normalised.

    >>> loss = SphereFace([[1.0, 0.0], [0.0, 1.0]])
    >>> round(float(loss([0, 0], [[0.6, 0.8], [2.0, 0.0]])), 4)
    1.108
    """

    margin: int = 4


@final
class ProxyNCA(ProxyLoss, formula=formulas.proxy_nca, labels=True, own=_OWN, held=_HELD):
    """Proxy-NCA: an embedding is nearer to the proxy of its class than to the others; `contrast="all"` is ProxyNCA++.

    >>> loss = ProxyNCA([[1.0, 0.0], [0.0, 1.0]])
    >>> round(float(loss([0, 0], [[0.6, 0.8], [2.0, 0.0]])), 4)
    -0.8
    """

    scale: float = 1.0
    contrast: Literal["others", "all"] = "others"


@final
class ProxyAnchor(ProxyLoss, formula=formulas.proxy_anchor, labels=True, own=_OWN, held=_HELD):
    """Proxy-anchor: each proxy draws the samples of its class and pushes the others; one number a batch.

    >>> loss = ProxyAnchor([[1.0, 0.0], [0.0, 1.0]], alpha=4.0)
    >>> round(float(loss([0, 0], [[0.6, 0.8], [2.0, 0.0]])), 4)
    1.9836
    """

    alpha: float = 32.0
    margin: float = 0.1
