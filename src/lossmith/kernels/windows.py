"""The distances of SSIM and their slope in two compiled kernels, with the numerics of `structure`.

    forward    planes -> distances, P - 2 Q (mean - c) and Q     every tap from the cache, once
    backward   the last two, with a margin of zeros -> the slope

Judge      `structure`, and the formulas: `tests/kernels/test_by_hand.py`
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as fn

from lossmith.kernels.compiler import compiled

FEW = 2**18  # pixels of the planes that are taken at once: what lies between stays in a cache


class Windows:
    """Mean distances of planes and their slope, compiled at the first call with these options of `torch.compile`.

    Shapes    planes: (2, n, H, W), half the sum and half the difference, n > 1; constants: (n, 1, 1) each
    """

    def __init__(self, **options: Any) -> None:
        self._distances, self._slope = compiled(distances, **options), compiled(slope, **options)

    def __call__(
        self, planes: Tensor, taps: Sequence[float], constants: Sequence[Tensor], *, lit: bool, sloped: bool
    ) -> tuple[Tensor, Tensor]:
        """The mean distance of each plane, (n,), and its slope in the planes, or nothing if that is not asked for."""
        margin, taps, middle = len(taps) - 1, tuple(taps), planes.mean((2, 3), keepdim=True)
        height, width = (length - margin for length in planes.shape[2:])
        share, light = planes.new_tensor([1.0 / (height * width), float(lit)]).unbind()
        given = planes, middle, *constants
        _of_any_size(*given)
        each, *parts = self._distances(*given, share, light, taps)
        total = each.sum(1).mul_(share)
        if not sloped:
            return total, planes[:0]
        sides = [fn.pad(part.view(*planes.shape[:2], height, width), [margin] * 4) for part in parts]
        _of_any_size(*sides)
        return total, self._slope(planes, middle, *sides, taps).view(planes.shape)


def distances(
    planes: Tensor, middle: Tensor, unlit: Tensor, flat: Tensor, share: Tensor, lit: Tensor, taps: Sequence[float]
) -> tuple[Tensor, Tensor, Tensor]:
    """The distances at each position, and the slopes of their mean by F x and F x^2 with the pixels taken from c.

    share   of a position in the mean
    lit     1, or 0 where the light does not count
    """
    margin = len(taps) - 1
    height, width = planes.shape[-2] - margin, planes.shape[-1] - margin
    mean, within = _moments(planes, taps, -1, width)
    mean, between = _moments(mean, taps, -2, height)
    variance = between + _filtered(within, taps, -2, height)
    below = variance[0] + variance[1] + flat
    contrast = 2.0 * variance[1] / below
    squares = mean.square()
    under = squares[0] + squares[1] + unlit
    light = 2.0 * squares[1] / under * lit
    by_light = 2.0 * share * lit * (1.0 - contrast) / under
    by_mean = torch.stack((-mean[0] * light * by_light, mean[1] * (2.0 - light) * by_light))
    by_contrast = share * (1.0 - light) / below
    falling = -contrast * by_contrast
    by_variance = torch.stack((falling, falling + 2.0 * by_contrast))
    each = (light + contrast - light * contrast).flatten(1)
    return each, _in_lines(by_mean - 2.0 * by_variance * (mean - middle)), _in_lines(by_variance)


def slope(planes: Tensor, middle: Tensor, first: Tensor, second: Tensor, taps: Sequence[float]) -> Tensor:
    """The slope in the planes, from those by the moments with a margin of zeros. A window is its own mirror image."""
    height, width = planes.shape[-2:]
    by_mean, by_square = (_filtered(_filtered(x, taps, -1, width), taps, -2, height) for x in (first, second))
    return _in_lines(by_mean + 2.0 * (planes - middle) * by_square)


def _moments(x: Tensor, taps: Sequence[float], axis: int, length: int) -> tuple[Tensor, Tensor]:
    """Mean and variance under the window along one axis."""
    mean = _filtered(x, taps, axis, length)
    gaps = [x.narrow(axis, start, length) - mean for start in range(len(taps))]
    return mean, sum((gap * gap * tap for gap, tap in zip(gaps, taps, strict=True)), start=torch.zeros_like(mean))


def _filtered(x: Tensor, taps: Sequence[float], axis: int, length: int) -> Tensor:
    parts = (x.narrow(axis, start, length) * tap for start, tap in enumerate(taps))
    return sum(parts, start=x.new_zeros(()))


def _in_lines(planes: Tensor) -> Tensor:
    """(2 n, H W): the compiler fails to compare the strides of planes whose sides are symbols."""
    return planes.flatten(0, 1).flatten(1)


def _of_any_size(*arrays: Tensor) -> None:
    """Lengths are no part of a kernel, but for the two of each plane, while the taps are numbers in it."""
    for x in arrays:
        free = range(1 if x.ndim == 4 else 0, x.ndim)
        torch._dynamo.maybe_mark_dynamic(x, [axis for axis in free if x.shape[axis] > 1])
