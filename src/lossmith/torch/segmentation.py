"""Losses of segmented images; the mathematics is in `lossmith.formulas.overlap`, `.tversky` and `.lovasz`.

input (N, C, d1, ...), of any number of pixel axes, and target, one of

    (N, d1, ...) or (N, 1, d1, ...)   labels of an integer dtype; with C = 1 the foreground is 1, the rest 0
    (N, C, d1, ...)                   0 and 1, or shares, also of classes that overlap (activation="sigmoid")

    over        "image": one value for each image and class, (N, C); "batch": all pixels together are one region, (C,)
    classes     "all", or only those "present" in the target of the region; the others are 0 and not counted
    background  whether class 0 counts; with C = 1 there is none
    weight      one factor for each class: 0 leaves it out of `weighted_mean`
    group       the processes whose images are one batch (`lossmith.torch.group`); not for the sorted ones of Lovász
    mask        (N, d1, ...), a leading part of it, or (N, 1, d1, ...): the pixels that count
"""

from collections.abc import Sequence
from math import prod
from typing import Literal, final

import torch
from torch import Tensor

from lossmith import formulas
from lossmith.errors import ShapeError, message
from lossmith.torch.group import SumGrouped
from lossmith.torch.loss import Loss, Total, require_tensors

InputIs = Literal["logit", "prob"]
Activation = Literal["softmax", "sigmoid"]
Form = Literal["product", "l1", "squared"]
Classes = Literal["all", "present"]
Over = Literal["image", "batch"]
RENAMED = {"input_is": "pred_is"}


class RegionLoss(Loss):
    """The base of a face whose pixels interact: each image, or the whole batch, is one region."""

    over: Over = "image"
    classes: Classes = "all"
    background: bool = True
    ignore_index: int = -100

    def forward(
        self,
        input: Tensor,
        target: Tensor,
        *,
        weight: Tensor | float | None = None,
        mask: Tensor | None = None,
        denominator: Tensor | float | None = None,
        return_terms: bool = False,
    ) -> Total:
        """The total; with reduction "none", the values.

        weight    the shape of the values, (N, C) or (C,), or its leading part: one number for each image
        mask      True or 1 where a pixel counts; the others are removed, whatever they hold
        The other keywords as in `Loss.forward`.
        """
        require_tensors(type(self).__name__, self.takes, (input, target))
        if mask is not None:
            mask = self._pixels_of(torch.as_tensor(mask, device=input.device), input)
        return self._total((input, target), weight, mask, denominator, return_terms)

    @property
    def domains(self) -> dict[str, str]:
        kinds = [text.partition("[")[0] for text in self.formula.domains_for(**self._keywords())]
        return {"input": f"{kinds[0]}[N,C,H,W]", "target": f"{kinds[1]}[N,H,W]"}

    @property
    def coupled(self) -> bool:
        return self.over == "batch"

    def _laid_out(self, names: Sequence[str], given: Sequence[Tensor]) -> Sequence[Tensor]:
        """The pixels in one axis, the classes behind it."""
        pred, target = given
        shape, labels = tuple(pred.shape), (*pred.shape[:1], *pred.shape[2:])
        integer = not (target.is_floating_point() or target.dtype == torch.bool)
        if integer and target.shape == (*labels[:1], 1, *labels[1:]):
            target = target.squeeze(1)
        elif not integer and shape[1:2] == (1,) and target.shape == labels:
            target = target.unsqueeze(1)
        if pred.ndim < 2 or tuple(target.shape) not in ((labels, shape) if integer else (shape,)):
            raise ShapeError(
                message(
                    f"{type(self).__name__}: {names[1]} must be labels {labels} or hold every class, {shape}",
                    dict(zip(names, (tuple(array.shape) for array in given), strict=True)),
                    why=f"axis 1 of the {names[0]} holds the classes, the axes behind it are the pixels",
                )
            )
        return [
            self._one_axis(array.movedim(1, -1), 1) if array.ndim == pred.ndim else self._one_axis(array, 0)
            for array in (pred, target)
        ]

    def _one_axis(self, array: Tensor, behind: int) -> Tensor:
        """The axes of the pixels, all but the first and the last `behind`, as one; over the batch the first too."""
        ends = array.shape[array.ndim - behind :]
        if self.over == "batch":
            # classes stay before the pixels in memory: long runs are copied, and kernels go along them
            return array.movedim(-1, 0).reshape(*ends, -1).mT if behind else array.reshape(-1)
        return array.reshape(array.shape[0], prod(array.shape[1 : array.ndim - behind]), *ends)

    def _pixels_of(self, mask: Tensor, pred: Tensor) -> Tensor:
        """The mask of each pixel, laid out as they are."""
        pixels = (*pred.shape[:1], *pred.shape[2:])
        if mask.shape == (*pixels[:1], 1, *pixels[1:]):
            mask = mask.squeeze(1)
        if tuple(mask.shape) != pixels[: mask.ndim]:
            given = {"input": tuple(pred.shape), "mask": tuple(mask.shape)}
            raise ShapeError(message(f"{type(self).__name__}: mask must be {pixels}, or a leading part of it", given))
        return self._one_axis(mask.reshape(*mask.shape, *[1] * (len(pixels) - mask.ndim)).expand(pixels), 0)


class SummedRegionLoss(SumGrouped, RegionLoss):
    """The base of a face that knows of a region only sums over its pixels: other processes may hold some."""

    def _width(self, x: Tensor) -> Sequence[int]:
        return x.shape[1:2] if x.is_floating_point() else ()


@final
class DiceLoss(SummedRegionLoss, formula=formulas.dice, renamed=RENAMED, own=("over",)):
    """Soft Dice loss of each class, its mean over images and classes. torch.nn has none.

    Nothing is added to the fraction unless `smooth` says so: a class neither there nor predicted costs 0. `form`
    says how shares are compared ("l1" and "squared" are 0 at input = target), `log` takes -log(1 - loss).

    >>> logits = torch.tensor([[[2.0, -2.0], [-2.0, 2.0]]])
    >>> DiceLoss()(logits, torch.tensor([[0, 1]]))
    tensor(0.0180)
    >>> DiceLoss(activation="sigmoid", over="batch")(logits, torch.tensor([[[1.0, 0.0], [1.0, 1.0]]]))
    tensor(0.2263)
    """

    weight: Tensor | None = None
    input_is: InputIs = "logit"
    activation: Activation = "softmax"
    form: Form = "product"
    smooth: float = 0.0
    log: bool = False


@final
class JaccardLoss(SummedRegionLoss, formula=formulas.jaccard, renamed=RENAMED, own=("over",)):
    """Soft Jaccard (IoU) loss of each class; its settings are those of `DiceLoss`. torch.nn has none.

    >>> JaccardLoss()(torch.tensor([[[2.0, -2.0], [-2.0, 2.0]]]), torch.tensor([[0, 1]]))
    tensor(0.0353)
    """

    weight: Tensor | None = None
    input_is: InputIs = "logit"
    activation: Activation = "softmax"
    form: Form = "product"
    smooth: float = 0.0
    log: bool = False


@final
class TverskyLoss(SummedRegionLoss, formula=formulas.tversky, renamed=RENAMED, own=("over",)):
    """Tversky loss: `alpha` weighs what is predicted too much, `beta` what is missing. torch.nn has none.

    >>> TverskyLoss(alpha=0.3, beta=0.7)(torch.tensor([[[2.0, -2.0], [2.0, 2.0]]]), torch.tensor([[0, 1]]))
    tensor(0.2788)
    """

    weight: Tensor | None = None
    alpha: float = 0.5
    beta: float = 0.5
    input_is: InputIs = "logit"
    activation: Activation = "softmax"
    form: Form = "product"
    smooth: float = 0.0


@final
class FocalTverskyLoss(SummedRegionLoss, formula=formulas.focal_tversky, renamed=RENAMED, own=("over",)):
    """Tversky loss to the power `gamma`; the paper writes 1 / gamma. torch.nn has none.

    >>> FocalTverskyLoss()(torch.tensor([[[2.0, -2.0], [2.0, 2.0]]]), torch.tensor([[0, 1]]))
    tensor(0.3744)
    """

    weight: Tensor | None = None
    alpha: float = 0.3
    beta: float = 0.7
    gamma: float = 0.75
    input_is: InputIs = "logit"
    activation: Activation = "softmax"
    form: Form = "product"
    smooth: float = 0.0


@final
class LovaszHingeLoss(RegionLoss, formula=formulas.lovasz_hinge, own=("over",)):
    """Lovász hinge loss on logits: binary with C = 1, else each class against the rest. torch.nn has none.

    >>> LovaszHingeLoss()(torch.tensor([[[3.0, -0.5, 0.5]]]), torch.tensor([[1, 1, 0]]))
    tensor(1.)
    """

    weight: Tensor | None = None


@final
class LovaszSoftmaxLoss(RegionLoss, formula=formulas.lovasz_softmax, renamed=RENAMED, own=("over",)):
    """Lovász-softmax loss over the classes present, as its authors do; they take the batch as one region, which is
    `over="batch"`. torch.nn has none.

    >>> LovaszSoftmaxLoss()(torch.tensor([[[2.0, -2.0], [-2.0, 2.0]]]), torch.tensor([[0, 1]]))
    tensor(0.0180)
    """

    weight: Tensor | None = None
    input_is: InputIs = "logit"
    activation: Activation = "softmax"
    classes: Classes = "present"
