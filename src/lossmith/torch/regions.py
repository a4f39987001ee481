"""A loss whose pixels have weights of their own; the mathematics of the edges is in `lossmith.formulas.edges`."""

from typing import Any, ClassVar, final

import torch
from torch import Tensor, nn

from lossmith.errors import SettingError, ShapeError, message
from lossmith.formulas import edges
from lossmith.ops import reader_of
from lossmith.reduction import Reduction
from lossmith.settings import AtLeastOne, require_settings, rules_of
from lossmith.torch.loss import Loss, Total, require_tensors

_RULES = rules_of(edges.edge_weights, ("max_weight",))


def edge_weights(target: Tensor, *, max_weight: AtLeastOne = edges.MAX_WEIGHT, mask: Tensor | None = None) -> Tensor:
    """Weights from 1 to `max_weight` that are largest at the edges of the target, scaled for each image.

    target   (N, H, W) or (N, C, H, W): numbers, such as a mask or a depth, whose Sobel magnitude over all channels
             is scaled, or class numbers of an integer dtype, where an edge is a change of class
    mask     the shape of the target: pixels that do not count have no influence, and the weight 1
    Result   the shape of the target; its dtype, or torch's default for class numbers. Made on the target's device

    >>> edge_weights(torch.tensor([[[0, 0, 0, 1]]]), max_weight=5.0)
    tensor([[[1., 1., 5., 5.]]])
    """
    require_tensors("edge_weights", ("target",), (target,))
    require_settings("edge_weights", _RULES, ("max_weight",), {"max_weight": max_weight})
    integer = not (target.is_floating_point() or target.dtype == torch.bool)
    like = target if target.is_floating_point() else torch.empty((), device=target.device)
    if target.ndim < 3 or (mask is not None and mask.shape != target.shape):
        given = {"target": tuple(target.shape), "mask": None if mask is None else tuple(mask.shape)}
        raise ShapeError(message("edge_weights: target must be (N, H, W) or (N, C, H, W), and mask the same", given))
    channels = 0 if integer else target.ndim - 3
    return _made(target, like, max_weight, channels, mask).to(like.dtype)


@final
class RegionWeightedLoss(nn.Module):
    """A loss of single pixels, `base`, with a weight for each: given, or made from the edges of the target.

    `base` is any loss of lossmith with one value for each pixel, or for each pixel and channel; the reduction is its
    own: "mean" divides by the number of values, "weighted_mean" by the sum of the weights. Ignored pixels of the
    target have no edge. torch.nn has none.

    >>> from lossmith.torch import BCEWithLogitsLoss
    >>> logits, target = torch.zeros(1, 1, 1, 4), torch.tensor([[[[0.0, 0.0, 0.0, 1.0]]]])
    >>> RegionWeightedLoss(BCEWithLogitsLoss(reduction="none"), max_weight=3.0)(logits, target)
    tensor([[[[0.6931, 0.6931, 2.0794, 2.0794]]]])
    """

    declaration: ClassVar[None] = None

    def __init__(self, base: Loss, *, max_weight: AtLeastOne = edges.MAX_WEIGHT) -> None:
        super().__init__()
        require_settings("RegionWeightedLoss", _RULES, ("max_weight",), {"max_weight": max_weight})
        shapes = base.formula.shapes if isinstance(base, Loss) else None
        if shapes is None or base.formula.coupled or not (shapes.elementwise or _of_classes(base)):
            raise SettingError(
                message(
                    "RegionWeightedLoss: base must be a loss of lossmith with one value for each pixel",
                    {"base": repr(base)},
                    fix="such as CrossEntropyLoss(), BCEWithLogitsLoss() or L1Loss() of lossmith.torch",
                )
            )
        self.base = base
        self.max_weight = max_weight

    def extra_repr(self) -> str:
        return f"max_weight={self.max_weight}"

    @property
    def domains(self) -> dict[str, str]:
        """As for a face: images of C classes or channels."""
        kinds = {name: text.partition("[")[0] for name, text in self.base.domains.items()}
        pixels = {"input": "[N,C,H,W]", "target": "[N,H,W]" if _of_classes(self.base) else "[N,C,H,W]"}
        return {name: kind + pixels[name] for name, kind in kinds.items()}

    @property
    def reduction(self) -> Reduction:
        """That of the base."""
        return self.base.reduction

    @property
    def coupled(self) -> bool:
        return False

    def forward(
        self,
        input: Tensor,
        target: Tensor,
        *,
        region: Tensor | None = None,
        weight: Tensor | float | None = None,
        mask: Tensor | None = None,
        denominator: Tensor | float | None = None,
        return_terms: bool = False,
    ) -> Total:
        """The total; with the reduction "none", the values.

        region         the weight of each pixel, in place of the edges: (N, H, W), or the shape of the values
        weight, mask   the same, or one number for each sample; the other keywords are those of `base`
        """
        require_tensors("RegionWeightedLoss", ("input", "target"), (input, target))
        pixels = (*input.shape[:1], *input.shape[2:])
        shape = pixels if _of_classes(self.base) else tuple(input.shape)
        if mask is not None:
            mask = _aligned("mask", torch.as_tensor(mask, device=input.device), shape)
        if region is None:
            region = self._edges(input, target, mask, pixels)
        region = _aligned("region", region, shape)
        if weight is not None:
            region = region * _aligned("weight", torch.as_tensor(weight).to(region), shape)
        return self.base(input, target, weight=region, mask=mask, denominator=denominator, return_terms=return_terms)

    def _edges(self, input: Tensor, target: Tensor, mask: Tensor | None, pixels: tuple[int, ...]) -> Tensor:
        """The weights of the target's edges, in the shape of the values."""
        labels = _of_classes(self.base) and tuple(target.shape) == pixels
        if input.ndim < 3 + _of_classes(self.base) or not (labels or target.shape == input.shape):
            given = {"input": tuple(input.shape), "target": tuple(target.shape)}
            raise ShapeError(message("RegionWeightedLoss: edges need images and a target that fits them", given))
        if labels:
            ignored = getattr(self.base, "ignore_index", None)
            counted = None if ignored is None else target != ignored
            kept = counted if mask is None else mask.bool() if counted is None else mask.bool() & counted
            return _made(target, input, self.max_weight, 0, kept)
        if not _of_classes(self.base):
            return _made(target.to(input.dtype), input, self.max_weight, input.ndim - 3, mask)
        mask = None if mask is None else mask.unsqueeze(1).expand(target.shape)
        return _made(target, input, self.max_weight, input.ndim - 3, mask).amax(1)


def _made(target: Tensor, like: Tensor, max_weight: float, channels: int, mask: Tensor | None) -> Tensor:
    kept = None if mask is None else torch.as_tensor(mask, device=target.device).bool()
    ops: Any = reader_of(target)
    return edges.edge_weights(ops, target, like, max_weight=max_weight, channels=channels, kept=kept)


def _of_classes(base: Loss) -> bool:
    """Whether the values have no axis of classes."""
    return base.formula.shapes.arguments[0][0] == ("...", "C") and base.formula.shapes.result == ("...",)


def _aligned(name: str, array: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A number for each sample, pixel or value, as one for each value."""
    own = tuple(array.shape)
    if own == (*shape[:1], 1, *shape[1:]) and len(shape) > 1:
        array = array.squeeze(1)
    elif own == (*shape[:1], *shape[2:]) and own != shape[: len(own)]:
        array = array.unsqueeze(1)
    elif own == shape[: len(own)]:
        array = array.reshape(*own, *[1] * (len(shape) - len(own)))
    elif own != (*shape[:1], 1, *shape[2:]):
        given = {"values": shape, name: own}
        raise ShapeError(message(f"RegionWeightedLoss: {name} must have one number for each pixel or sample", given))
    return array.expand(shape)
