"""Losses of images; the mathematics is in `lossmith.formulas.structure` and `lossmith.formulas.variation`.

Images are (N, H, W, C), or (N, C, H, W) where `data_format` is "channels_first"; it is keras's own setting by default.
Each channel is compared by itself: with reduction "none" there is a value for each plane, (N, C). Keras has none of
these losses.
"""

from dataclasses import replace
from typing import Any, Literal, final

import keras
from keras import ops as kops

from lossmith import formulas
from lossmith.criterion import Evaluated
from lossmith.errors import ShapeError, message
from lossmith.formulas.structure import WANG
from lossmith.keras.align import Array, as_tensor, rank
from lossmith.keras.loss import Loss
from lossmith.ops import Ops
from lossmith.spec import Outcome

DataFormat = Literal["channels_last", "channels_first"] | None


class ImageLoss(Loss):
    """The base of a loss whose formula takes planes of pixels."""

    data_format: DataFormat = None

    @property
    def domains(self) -> dict[str, str]:
        sides = f"{self._least()},{self._least() + 2}"
        image = f"real[N,1,{sides}]" if self._channels_first() else f"real[N,{sides},1]"
        return {"y_true": image, "y_pred": image}

    def _least(self) -> int:
        """The smallest side of an image."""
        return int(getattr(self, "window", 3))

    def _channels_first(self) -> bool:
        return (self.data_format or keras.config.image_data_format()) == "channels_first"

    def _arrays(self, y_true: Array, y_pred: Array) -> tuple[Array, ...]:
        """The images that the formula takes, each channel a plane: (N, C, H, W)."""
        given = [("y_pred", y_pred), ("y_true", y_true)][: len(self.formula.arguments)]
        return tuple(self._planes(name, as_tensor(image, self.dtype)) for name, image in given)

    def _planes(self, name: str, image: Array) -> Array:
        if rank(image) != 4:
            wanted = "(N, C, H, W)" if self._channels_first() else "(N, H, W, C)"
            raise ShapeError(message(f"{type(self).__name__}: {name} must be {wanted}", {name: tuple(image.shape)}))
        return image if self._channels_first() else kops.moveaxis(image, -1, 1)


@final
class SSIM(ImageLoss, formula=formulas.ssim, own=("data_format",)):
    """One minus the structural similarity, over the positions at which the window lies inside the image.

    `data_range` is the largest minus the smallest value of a pixel: 1 for images in [0, 1], 255 for bytes.

    >>> image = keras.ops.reshape(keras.ops.eye(3), (1, 3, 3, 1))
    >>> round(float(SSIM(window=3)(image, keras.ops.ones((1, 3, 3, 1)))), 4)
    0.9976
    """

    data_range: float = 1.0
    window: int = 11
    sigma: float = 1.5
    k1: float = 0.01
    k2: float = 0.03


@final
class MSSSIM(ImageLoss, formula=formulas.ms_ssim, own=("data_format",)):
    """One minus the structural similarity over five scales; images have at least 161 x 161 pixels.

    With fewer `weights` or a smaller `window` they may be smaller.

    >>> image = keras.ops.reshape(keras.ops.arange(27.0), (1, 3, 9, 1)) / 27.0
    >>> round(float(MSSSIM(window=2, weights=(0.5, 0.5))(image, 0.5 * image)), 4)
    0.2812
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
class TotalVariation(ImageLoss, formula=formulas.total_variation, own=("data_format",)):
    """Differences of neighbouring pixels of y_pred: `norm` "l1" adds both directions, "l2" takes the length.

    y_true is not read: keras hands one to every loss. There is a value for each pixel, so that the mean does not grow
    with the image, and "sum" is the total variation.

    >>> image = keras.ops.reshape(keras.ops.eye(2), (1, 2, 2, 1))
    >>> float(TotalVariation(reduction="sum")(image, image))
    4.0
    """

    norm: Literal["l1", "l2"] = "l1"

    def _evaluated(self, y_true: Array, y_pred: Array, mask: Array | None) -> tuple[Ops[Any], Evaluated[Any]]:
        """The values with the axes of y_pred."""
        ops, made = super()._evaluated(y_true, y_pred, mask)
        if self._channels_first():
            return ops, made
        counted = None if made.counted is None else kops.moveaxis(made.counted, 1, -1)
        values: Any = kops.moveaxis(made.outcome.values, 1, -1)
        return ops, replace(made, outcome=Outcome(values), counted=counted)
