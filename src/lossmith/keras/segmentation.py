"""Losses of segmented images; the mathematics is in `lossmith.formulas.overlap`, `.tversky` and `.lovasz`.

y_pred (N, d1, ..., C), of any number of pixel axes, and y_true, one of

    (N, d1, ...) or (N, d1, ..., 1)   class numbers; with C = 1 the foreground is 1, the rest 0
    (N, d1, ..., C)                   0 and 1, or shares, also of classes that overlap (activation="sigmoid")

    over        "image": one value for each image and class, (N, C); "batch": all pixels together are one region, (C,)
    axis        of Dice and Tversky, as in keras: the axes of the region, None for all. An axis that is left out is kept
                in the values; with the last axis in the region its entries are pixels like the others, not classes
    classes     "all", or only those "present" in the target of the region; the others are 0 and not counted
    background  whether class 0 counts; with C = 1 there is none
"""

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any, Literal, final

import keras
from keras import ops as kops

from lossmith import formulas
from lossmith.criterion import Evaluated
from lossmith.errors import SettingError, ShapeError, message
from lossmith.face import leading
from lossmith.keras.align import Array, as_labels, as_tensor, rank, without_unit_axis
from lossmith.keras.loss import Loss
from lossmith.ops import Ops
from lossmith.spec import Outcome

Activation = Literal["softmax", "sigmoid"]
Form = Literal["product", "l1", "squared"]
Classes = Literal["all", "present"]
Over = Literal["image", "batch"]


class RegionLoss(Loss):
    """The base of a face whose pixels interact: it lays the axes of a region out as one."""

    classes: Classes = "all"
    background: bool = True
    ignore_class: int | None = None

    @property
    def domains(self) -> dict[str, str]:
        pred, target = (text.partition("[")[0] for text in self.formula.domains_for(**self._keywords()))
        shares = "soft[N,H,W,C]" if self._inside(4) else f"{target}[N,H,W]"
        return {"y_true": shares, "y_pred": f"{pred}[N,H,W,C]"}

    @property
    def coupled(self) -> bool:
        return 0 in self._region(4)

    def _region(self, axes: int) -> list[int]:
        """Which axes of a prediction are the pixels of one region."""
        if not hasattr(self, "axis"):
            return list(range(0 if getattr(self, "over", "image") == "batch" else 1, axes - 1))
        given: Any = getattr(self, "axis", None)
        chosen = range(axes) if given is None else given if isinstance(given, Sequence) else [given]
        if any(not -axes <= axis < axes for axis in chosen):
            shown = {"axis": given, "axes of y_pred": axes}
            raise ShapeError(message(f"{type(self).__name__}: y_pred has no such axis", shown))
        return sorted({axis % axes for axis in chosen})

    def _inside(self, axes: int) -> bool:
        """Whether the last axis holds pixels, not classes."""
        return axes - 1 in self._region(axes)

    def _evaluated(self, y_true: Array, y_pred: Array, mask: Array | None) -> tuple[Ops[Any], Evaluated[Any]]:
        pred: Array = as_tensor(y_pred, self.dtype)
        axes = rank(pred)
        if mask is not None:
            every = kops.ones_like(pred if self._inside(axes) else pred[..., 0], dtype="bool")
            mask = without_unit_axis(kops.cast(mask, "bool"), rank(every))
            for _ in range(rank(every) - rank(mask)):
                mask = kops.expand_dims(mask, -1)
            mask = self._one_axis(kops.logical_and(every, mask), axes, behind=0)
        ops, made = super()._evaluated(y_true, pred, mask)
        if self._inside(axes):  # the values have an axis of classes, for the one class that there is
            counts = made.outcome.counts
            made = replace(
                made, outcome=Outcome(made.outcome.values[..., 0], None if counts is None else counts[..., 0])
            )
        return ops, made

    def _mask_laid_out(self, mask: Array, pred: Array) -> Array:
        return mask

    def _arrays(self, y_true: Array, y_pred: Array) -> tuple[Array, ...]:
        """The pixels of a region in one axis, the classes behind it."""
        pred: Array = as_tensor(y_pred, self.dtype)
        target: Array = y_true if isinstance(y_true, keras.KerasTensor) else kops.convert_to_tensor(y_true)
        axes = rank(pred)
        if self._inside(axes):
            self._require_no_softmax(pred)
            labels = self.ignore_class is not None
            target = without_unit_axis(target, axes) if rank(target) != axes - 1 else kops.expand_dims(target, -1)
        else:
            single, bare = pred.shape[-1] == 1, without_unit_axis(target, axes - 1)
            labels = rank(bare) == axes - 1 and (not single or _integer(target) or self.ignore_class is not None)
            target = bare if labels else kops.expand_dims(bare, -1) if single and rank(bare) == axes - 1 else target
        target = as_labels(target) if labels else as_tensor(target, self.dtype)
        self._require_shapes(pred, target, tuple(pred.shape)[: axes - (labels and not self._inside(axes))])
        if self._inside(axes):
            flat = [self._one_axis(array, axes, behind=0) for array in (pred, target)]
            return kops.expand_dims(flat[0], -1), flat[1] if labels else kops.expand_dims(flat[1], -1)
        return self._one_axis(pred, axes, behind=1), self._one_axis(target, axes, behind=0 if labels else 1)

    def _one_axis(self, array: Array, axes: int, behind: int) -> Array:
        """The axes of the region as one, behind those that are kept; `behind` of them stay behind it."""
        ends = list(range(rank(array) - behind, rank(array)))
        region = [axis for axis in self._region(axes) if axis not in ends]
        kept = [axis for axis in range(rank(array) - behind) if axis not in region]
        now: Any = kops.shape(array)
        sizes = [now[axis] if n is None else n for axis, n in enumerate(array.shape)]
        pixels = [array.shape[axis] for axis in region]
        length = -1 if None in pixels else prod(pixels)
        moved = kops.transpose(array, [*kept, *region, *ends])
        return kops.reshape(moved, (*(sizes[axis] for axis in kept), length, *(sizes[axis] for axis in ends)))

    def _require_no_softmax(self, pred: Array) -> None:
        softmax = getattr(self, "from_logits", False) and getattr(self, "activation", "sigmoid") == "softmax"
        if softmax and pred.shape[-1] != 1:
            raise SettingError(
                message(
                    f"{type(self).__name__}: a softmax over the last axis needs a region without that axis",
                    {"axis": self._region(rank(pred)), "y_pred": tuple(pred.shape)},
                    fix=f"axis={tuple(range(1, rank(pred) - 1))}, or activation='sigmoid'",
                )
            )

    def _require_shapes(self, pred: Array, target: Array, wanted: tuple[int | None, ...]) -> None:
        given = {"y_true": tuple(target.shape), "y_pred": tuple(pred.shape)}
        pairs = zip(wanted, tuple(target.shape), strict=False)
        if len(wanted) != rank(target) or any(None not in pair and pair[0] != pair[1] for pair in pairs):
            raise ShapeError(message(f"{type(self).__name__}: y_true must have the shape {wanted}", given))
        if rank(pred) < 2 and not self._inside(rank(pred)):
            raise ShapeError(message(f"{type(self).__name__}: y_pred must be (N, d1, ..., C)", given))


def _integer(x: Array) -> bool:
    return "int" in keras.backend.standardize_dtype(x.dtype)


@final
class Dice(RegionLoss, formula=formulas.dice):
    """`keras.losses.Dice`, without the 1e-7 that keras adds to the divisor: nothing true and nothing predicted costs 0.

    With `axis=(1, 2)` of (N, H, W, C) each image and class is a region, and y_true may hold class numbers; logits,
    `form`, `smooth`, `log` and the choice of classes are further settings, told in `DiceLoss` of `lossmith.torch`.

    >>> round(float(Dice()([[[[1.0], [0.0]]]], [[[[0.75], [0.5]]]])), 4)
    0.3333
    >>> round(float(Dice(axis=1, from_logits=True)([[0, 1]], [[[2.0, -2.0], [-2.0, 2.0]]])), 4)
    0.018
    """

    axis: int | tuple[int, ...] | None = None
    from_logits: bool = False
    activation: Activation = "softmax"
    form: Form = "product"
    smooth: float = 0.0
    log: bool = False


@final
class Jaccard(RegionLoss, formula=formulas.jaccard, own=("over",)):
    """Soft Jaccard (IoU) loss of each class. Keras has none.

    >>> round(float(Jaccard()([[[[1.0], [0.0]]]], [[[[0.75], [0.5]]]])), 4)
    0.5
    """

    over: Over = "image"
    from_logits: bool = leading(default=False)
    activation: Activation = "softmax"
    form: Form = "product"
    smooth: float = 0.0
    log: bool = False


@final
class Tversky(RegionLoss, formula=formulas.tversky, renamed={"alpha": "beta", "beta": "alpha"}):
    """`keras.losses.Tversky`, whose `alpha` weighs what is missing and `beta` what is predicted too much.

    Keras's text, the paper and `FocalTversky` have it the other way round; keras's values decide. There is no 1e-7 in
    the divisor. `axis` and the further settings are those of `Dice`.

    >>> round(float(Tversky(alpha=0.7, beta=0.3)([[1.0, 1.0, 0.0]], [[1.0, 0.0, 0.0]])), 4)
    0.4118
    """

    alpha: float = leading(default=0.5)
    beta: float = leading(default=0.5)
    axis: int | tuple[int, ...] | None = None
    from_logits: bool = False
    activation: Activation = "softmax"
    form: Form = "product"
    smooth: float = 0.0


@final
class FocalTversky(RegionLoss, formula=formulas.focal_tversky, own=("over",)):
    """Tversky loss to the power `gamma`: `alpha` weighs what is predicted too much, `beta` what is missing.

    Keras has none. The paper writes the power 1 / gamma.

    >>> round(float(FocalTversky(gamma=1.0)([[[1], [1], [0]]], [[[1.0], [0.0], [0.0]]])), 4)
    0.4118
    """

    alpha: float = leading(default=0.3)
    beta: float = leading(default=0.7)
    gamma: float = leading(default=0.75)
    over: Over = "image"
    from_logits: bool = False
    activation: Activation = "softmax"
    form: Form = "product"
    smooth: float = 0.0


@final
class LovaszHinge(RegionLoss, formula=formulas.lovasz_hinge, own=("over",)):
    """Lovász hinge loss on logits: binary with C = 1, else each class against the rest. Keras has none.

    >>> float(LovaszHinge()([[[1], [1], [0]]], [[[3.0], [-0.5], [0.5]]]))
    1.0
    """

    over: Over = "image"


@final
class LovaszSoftmax(RegionLoss, formula=formulas.lovasz_softmax, own=("over",)):
    """Lovász-softmax loss over the classes present, as its authors do. Keras has none.

    >>> round(float(LovaszSoftmax()([[0, 1]], [[[0.75, 0.25], [0.5, 0.5]]])), 4)
    0.4375
    """

    over: Over = "image"
    from_logits: bool = leading(default=False)
    activation: Activation = "softmax"
    classes: Classes = "present"
