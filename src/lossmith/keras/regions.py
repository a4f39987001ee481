"""A loss whose pixels have weights of their own; the mathematics of the edges is in `lossmith.formulas.edges`."""

from typing import Any, ClassVar, final

import keras
from keras import ops as kops

from lossmith.criterion import Evaluated, summarise
from lossmith.errors import SettingError, ShapeError, message
from lossmith.formulas import edges
from lossmith.keras.align import Array, as_labels, as_tensor, mask_of, rank, without_unit_axis
from lossmith.keras.loss import Loss, per_replica, reduction_of
from lossmith.ops import Ops, reader_of
from lossmith.settings import AtLeastOne, require_settings, rules_of

_RULES = rules_of(edges.edge_weights, ("max_weight",))


def edge_weights(y_true: Array, *, max_weight: AtLeastOne = edges.MAX_WEIGHT, mask: Array | None = None) -> Array:
    """Weights from 1 to `max_weight` that are largest at the edges of y_true, scaled for each image.

    y_true   (N, H, W) or (N, H, W, C): numbers, such as a mask or a depth, whose Sobel magnitude over all channels is
             scaled, or class numbers of an integer dtype, where an edge is a change of class
    mask     the shape of y_true: pixels that do not count have no influence, and the weight 1
    Result   the shape of y_true; its dtype, or keras's for class numbers

    >>> keras.ops.convert_to_numpy(edge_weights([[[0, 0, 0, 1]]], max_weight=5.0))
    array([[[1., 1., 5., 5.]]], dtype=float32)
    """
    require_settings("edge_weights", _RULES, ("max_weight",), {"max_weight": max_weight})
    image: Array = kops.convert_to_tensor(y_true)
    if rank(image) not in (3, 4) or (mask is not None and tuple(mask.shape) != tuple(image.shape)):
        given = {"y_true": tuple(image.shape), "mask": None if mask is None else tuple(mask.shape)}
        raise ShapeError(message("edge_weights: y_true must be (N, H, W) or (N, H, W, C), and mask the same", given))
    dtype = keras.backend.standardize_dtype(image.dtype)
    dtype = dtype if "float" in dtype else keras.backend.floatx()
    return kops.cast(_made(image, kops.zeros((), dtype), max_weight, mask, "int" in str(image.dtype)), dtype)


@final
@keras.saving.register_keras_serializable(package="lossmith")
class RegionWeighted(keras.losses.Loss):
    """A loss of single pixels, `base`, with weights from the edges of y_true.

    `base` is any loss of lossmith with one value for each pixel; the reduction is its own. Where it would average the
    channels of a pixel, each is weighted by its own edges first, and "none" gives the values of each. Weights given are
    keras's `sample_weight`, (N, H, W), which multiply the edges: alone with `max_weight=1.0`. Keras has none.

    >>> from lossmith.keras import BinaryCrossentropy
    >>> loss = RegionWeighted(BinaryCrossentropy(from_logits=True), max_weight=3.0)
    >>> round(float(loss([[[[0.0], [0.0], [0.0], [1.0]]]], [[[[0.0], [0.0], [0.0], [0.0]]]])), 4)
    1.3863
    """

    declaration: ClassVar[None] = None

    def __init__(
        self, base: Loss, *, max_weight: AtLeastOne = edges.MAX_WEIGHT, name: str = "region_weighted", dtype: Any = None
    ) -> None:
        require_settings("RegionWeighted", _RULES, ("max_weight",), {"max_weight": max_weight})
        shapes = base.formula.shapes if isinstance(base, Loss) else None
        if shapes is None or base.formula.coupled or not (shapes.elementwise or _of_classes(base)):
            raise SettingError(
                message(
                    "RegionWeighted: base must be a loss of lossmith with one value for each pixel",
                    {"base": repr(base)},
                    fix="such as SparseCategoricalCrossentropy() or MeanSquaredError() of lossmith.keras",
                )
            )
        reduction: Any = base.reduction
        super().__init__(name=name, reduction=reduction, dtype=dtype or base.dtype)
        self.base = base
        self.max_weight = max_weight

    def __call__(self, y_true: Array, y_pred: Array, sample_weight: Array | None = None) -> Array:
        """The total; `sample_weight` is one number for each sample, pixel or value."""
        with keras.name_scope(self.name):
            ops, made, weight = self._weighted(y_true, y_pred, mask_of(y_pred))
            if sample_weight is not None:
                given = without_unit_axis(as_tensor(sample_weight, self.base.dtype), rank(weight))
                weight = weight * _with_axes(given, rank(weight))
            reduction = reduction_of(self.reduction)
            total, _ = summarise(ops, made, reduction=reduction, weight=weight, caller="RegionWeighted")
            total = kops.cast(total, self.dtype)
            return total if reduction in ("none", "sum") else per_replica(total)

    def call(self, y_true: Array, y_pred: Array) -> Array:
        """The values of the base, each with its weight."""
        _, made, weight = self._weighted(y_true, y_pred, None)
        return made.outcome.values * weight

    def _weighted(self, y_true: Array, y_pred: Array, mask: Array | None) -> tuple[Ops[Any], Evaluated[Any], Array]:
        """The base's values, unreduced, and the weight of each."""
        pred: Array = as_tensor(y_pred, self.base.dtype)
        target: Array = as_labels(y_true) if self.base.labels else as_tensor(y_true, self.base.dtype)
        target = without_unit_axis(target, rank(pred) - self.base.labels)
        mask = None if mask is None else without_unit_axis(kops.cast(mask, "bool"), rank(pred) - 1)
        weight = self._edges(target, pred, mask)
        if self.base.formula.shapes.elementwise:  # the base averages the last axis: one of its own for each channel
            target, pred = kops.expand_dims(target, -1), kops.expand_dims(pred, -1)
        ops, made = self.base._evaluated(target, pred, mask)
        return ops, made, weight

    @property
    def domains(self) -> dict[str, str]:
        """As for a face: images of C classes or channels."""
        kinds = {name: text.partition("[")[0] for name, text in self.base.domains.items()}
        target = "[N,H,W]" if self.base.labels else "[N,H,W,C]"
        return {"y_true": kinds["y_true"] + target, "y_pred": kinds["y_pred"] + "[N,H,W,C]"}

    @property
    def coupled(self) -> bool:
        return False

    def get_config(self) -> dict[str, Any]:
        base = keras.saving.serialize_keras_object(self.base)
        return {"base": base, "max_weight": self.max_weight, "name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "RegionWeighted":
        base = config["base"]
        base = base if isinstance(base, Loss) else keras.saving.deserialize_keras_object(base)
        return cls(base, **{name: value for name, value in config.items() if name != "base"})

    def _edges(self, target: Array, pred: Array, mask: Array | None) -> Array:
        """The weights of the target's edges, in the shape of the values (of each channel)."""
        wanted = tuple(pred.shape)[: rank(pred) - self.base.labels]
        if rank(pred) != 4 or tuple(target.shape) != wanted:
            given = {"y_true": tuple(target.shape), "y_pred": tuple(pred.shape)}
            raise ShapeError(message("RegionWeighted: y_pred must be (N, H, W, C), and y_true fit it", given))
        kept = None if mask is None else _with_axes(mask, rank(target)) & kops.ones_like(target, dtype="bool")
        ignored = getattr(self.base, "ignore_class", None)
        if self.base.labels and ignored is not None:
            counted = kops.not_equal(target, ignored)
            kept = counted if kept is None else kops.logical_and(kept, counted)
        weights = _made(target, pred, self.max_weight, kept, labels=self.base.labels)
        soft = _of_classes(self.base) and not self.base.labels
        return kops.max(weights, axis=-1) if soft else weights


def _made(image: Array, like: Array, max_weight: float, kept: Array | None, labels: bool) -> Array:
    """The weights, with the channels moved in front of the pixels and back."""
    kept = None if kept is None else kops.cast(kept, "bool")
    channels = rank(image) == 4
    if channels:
        image, kept = kops.moveaxis(image, -1, 1), None if kept is None else kops.moveaxis(kept, -1, 1)
    image = image if labels else kops.cast(image, like.dtype)
    weights = edges.edge_weights(
        reader_of(image), image, like, max_weight=max_weight, channels=int(channels and not labels), kept=kept
    )
    return kops.moveaxis(weights, 1, -1) if channels else weights


def _of_classes(base: Loss) -> bool:
    """Whether the values have no axis of classes."""
    return base.formula.shapes.arguments[0][0] == ("...", "C") and base.formula.shapes.result == ("...",)


def _with_axes(array: Array, axes: int) -> Array:
    for _ in range(axes - rank(array)):
        array = kops.expand_dims(array, -1)
    return array
