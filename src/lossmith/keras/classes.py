"""The base of a face over classes whose y_true may hold class numbers or distributions, told apart by their shape."""

import keras
from keras import ops as kops

from lossmith.keras.align import Array, as_labels, as_tensor, rank, without_unit_axis
from lossmith.keras.loss import Loss


class ClassesLoss(Loss):
    """y_true holds class numbers, (N, ...) or (N, ..., 1), or distributions with the shape of y_pred.

    `ignore_class` is a class number whose entries are removed; `axis` is where y_pred has its classes.
    """

    ignore_class: int | None = None
    axis: int = -1

    def _arrays(self, y_true: Array, y_pred: Array) -> tuple[Array, ...]:
        pred: Array = as_tensor(y_pred, self.dtype)
        target: Array = y_true if isinstance(y_true, keras.KerasTensor) else kops.convert_to_tensor(y_true)
        soft = rank(target) == rank(pred) and target.shape[self.axis] == pred.shape[self.axis]
        pred = kops.moveaxis(pred, self.axis, -1)
        if soft:
            return pred, kops.moveaxis(as_tensor(target, self.dtype), self.axis, -1)
        return pred, without_unit_axis(as_labels(target), rank(pred) - 1)
