"""What keras does to arrays before a loss sees them, kept to the cases in which no two samples are mixed."""

from typing import Any

import keras
from keras import ops as kops

from lossmith.errors import ShapeError, message

try:  # keras has no public name for it, and its home is a detail; before 3.6 the attribute was all there was
    from keras.src.backend import get_keras_mask
except ImportError:

    def get_keras_mask(x: Any) -> Any:
        return getattr(x, "_keras_mask", None)


Array = Any  # a tensor of the back end, a KerasTensor, or anything that keras makes a tensor of


def mask_of(x: Array) -> Array | None:
    """The mask that the layers of a model left on its output: 1 or True where an entry counts."""
    return get_keras_mask(x)


def as_tensor(x: Array, dtype: str) -> Array:
    return kops.cast(x, dtype) if isinstance(x, keras.KerasTensor) else kops.convert_to_tensor(x, dtype=dtype)


def as_labels(x: Array) -> Array:
    """Class numbers as integers; keras's own pipelines hand them over as floats."""
    labels: Array = x if isinstance(x, keras.KerasTensor) else kops.convert_to_tensor(x)
    wide = keras.backend.standardize_dtype(labels.dtype) in ("int32", "int64")
    return labels if wide else kops.cast(labels, "int32")


def rank(x: Array) -> int:
    return len(x.shape)


def without_unit_axis(x: Array, axes: int) -> Array:
    """x without its last axis, where that has length 1 and is one too many."""
    shape: Any = getattr(x, "shape", ())
    return kops.squeeze(x, axis=-1) if len(shape) == axes + 1 and shape[-1] == 1 else x


def one_rank(pred: Array, target: Array) -> tuple[Array, Array]:
    """Keras's habit: (N, 1) stands beside (N,); of higher ranks the one axis of length 1 too many is dropped."""
    if rank(pred) == 1 and rank(target) == 2 and target.shape[-1] == 1:
        return kops.expand_dims(pred, -1), target
    if rank(target) == 1 and rank(pred) == 2 and pred.shape[-1] == 1:
        return pred, kops.expand_dims(target, -1)
    return without_unit_axis(pred, rank(target)), without_unit_axis(target, rank(pred))


def split_views(caller: str, pred: Array, count: int) -> tuple[Array, ...]:
    """The embeddings that belong together, (N, count, D)."""
    if rank(pred) < 2 or pred.shape[-2] not in (count, None):
        number = {2: "two", 3: "three"}.get(count, str(count))
        headline = f"{caller}: y_pred must hold {number} embeddings for each sample, (N, {count}, D)"
        fix = f"keras.ops.stack([{', '.join(f'z{i + 1}' for i in range(count))}], axis=-2)"
        raise ShapeError(message(headline, {"y_pred": tuple(pred.shape)}, fix=fix))
    return tuple(pred[..., i, :] for i in range(count))


def require_distribution(caller: str, pred: Array, target: Array) -> None:
    if rank(target) == rank(pred):
        return
    given = {"y_pred": tuple(pred.shape), "y_true": tuple(target.shape)}
    labels = rank(target) == rank(pred) - 1
    fix = "keras.ops.one_hot(y_true, y_pred.shape[-1]) if y_true holds class numbers" if labels else None
    raise ShapeError(message(f"{caller}: y_true must hold a distribution for each prediction", given, fix=fix))
