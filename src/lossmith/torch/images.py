"""Losses of images; the mathematics is in `lossmith.formulas.structure` and `lossmith.formulas.variation`.

Images are (N, C, H, W) or (C, H, W). Each channel is compared by itself: there is a value for each plane, (N, C), or
for each pixel. A mask may have a number for each image, (N,), each plane, (N, C), or each pixel, (N, C, H, W); one
for each pixel of all channels is (N, 1, H, W) or (N, H, W).
"""

from typing import Literal, final

import torch
from torch import Tensor

from lossmith import formulas
from lossmith.formulas.structure import WANG
from lossmith.reduction import Reduction
from lossmith.torch.loss import Face, Loss, Total


def _over_channels(mask: Tensor | None, image: Tensor) -> Tensor | None:
    """A mask of pixels that all channels share, for each of them."""
    shape = tuple(image.shape)
    if mask is None or image.ndim != 4:
        return mask
    mask = torch.as_tensor(mask, device=image.device)
    if tuple(mask.shape) == (shape[0], *shape[2:]) and mask.shape != image.shape[:3]:
        mask = mask.unsqueeze(1)
    return mask.expand(shape) if tuple(mask.shape) == (shape[0], 1, *shape[2:]) else mask


class _Pair(Loss):
    """The base of a loss of an image and the one that it should be."""

    @property
    def domains(self) -> dict[str, str]:
        least = self._least()
        return dict.fromkeys(self.takes, f"real[N,1,{least},{least + 2}]")

    def _least(self) -> int:
        """The smallest side of an image."""
        return int(getattr(self, "window", 1))

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
        """The total; the keywords as in `Loss.forward`."""
        mask = _over_channels(mask, input) if isinstance(input, Tensor) else mask
        return self._total((input, target), weight, mask, denominator, return_terms)


@final
class SSIMLoss(_Pair, formula=formulas.ssim):
    """One minus the structural similarity, over the positions at which the window lies inside the image.

    `data_range` is the largest minus the smallest value of a pixel: 1 for images in [0, 1], 255 for bytes. A masked
    pixel takes every window that holds it along. torch.nn has none; kornia's is half of it and pads the borders.

    >>> SSIMLoss(window=3)(torch.eye(3)[None, None], torch.ones(1, 1, 3, 3))
    tensor(0.9976)
    """

    data_range: float = 1.0
    window: int = 11
    sigma: float = 1.5
    k1: float = 0.01
    k2: float = 0.03


@final
class MSSSIMLoss(_Pair, formula=formulas.ms_ssim):
    """One minus the structural similarity over five scales; images have at least 161 x 161 pixels.

    With fewer `weights` or a smaller `window` they may be smaller. A mask has a number for each image or plane.
    torch.nn has none.

    >>> image = torch.linspace(0.0, 1.0, 161).expand(1, 1, 161, 161)
    >>> MSSSIMLoss()(image, 0.5 * image)
    tensor(0.1541)
    """

    data_range: float = 1.0
    weights: tuple[float, ...] = WANG
    window: int = 11
    sigma: float = 1.5
    k1: float = 0.01
    k2: float = 0.03

    def _least(self) -> int:
        return (self.window - 1) * 2 ** (len(self.weights) - 1) + 1


@final
class TotalVariationLoss(Face, formula=formulas.total_variation):
    """Differences of neighbouring pixels: `norm` "l1" adds both directions, "l2" takes the length of the gradient.

    It takes one image, without a target. There is a value for each pixel: `mean` does not grow with the image, `sum`
    is the total variation as tensorflow and kornia compute it. torch.nn has none.

    >>> TotalVariationLoss(reduction="sum")(torch.eye(2)[None, None])
    tensor(4.)
    """

    takes = ("input",)
    reduction: Reduction = "mean"
    norm: Literal["l1", "l2"] = "l1"

    @property
    def domains(self) -> dict[str, str]:
        return {"input": "real[N,1,H,W]"}

    def forward(
        self,
        input: Tensor,
        *,
        weight: Tensor | float | None = None,
        mask: Tensor | None = None,
        denominator: Tensor | float | None = None,
        return_terms: bool = False,
    ) -> Total:
        """The total; the keywords as in `Loss.forward`."""
        mask = _over_channels(mask, input) if isinstance(input, Tensor) else mask
        return self._total((input,), weight, mask, denominator, return_terms)
