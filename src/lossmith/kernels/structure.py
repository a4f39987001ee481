"""SSIM and MS-SSIM by separable filters, with the gradient written by hand.

A block of planes lies in memory as one line of numbers. A window moves along it by one number for the columns and by
one row for the rows, so that every tap of every window is one operation on whole, contiguous memory; what a window
holds past the end of a row or of a plane is computed along, and weighs nothing.

    forward    mean and variance under the window as in `formulas.structure`: sums of squares about the mean, along the
               rows, then along the columns
    backward   with F the window, F' its transpose, P and Q the slopes by mean and variance at each position,

               dx = F' (P - 2 Q (mean - c)) + 2 (x - c) F' Q        for any c; here the mean of the plane

The slope of each plane is known in the forward and scaled in the backward.

Memory     the slope, and a few blocks of planes at all scales; eager torch keeps the pixels under every window, twice
Numerics   those of the formula; c keeps the digits of the slope where a plane varies little about its mean
Judge      `formulas.ssim` and `formulas.ms_ssim`, and the textbook: `tests/kernels`, `tests/formulas/test_eager.py`
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as fn

from lossmith import formulas
from lossmith.formulas.structure import constant, gaussian, product, sum_and_difference
from lossmith.kernels import blocks
from lossmith.kernels.by_hand import Body, Job, Made, by_hand
from lossmith.kernels.windows import FEW, Windows, windows_for
from lossmith.ops import reader_of

SEVERAL = 8  # blocks of planes that are at all scales at once


def _compiled(name: str, *, backend: str = "inductor", **options: Any) -> Body:
    """The body of this name by windows that are compiled; another compiler than torch's own C++ is not asked."""
    body: Body = {"ssim": ssim, "ms_ssim": ms_ssim}[name]
    return partial(body, compiled=True) if backend == "inductor" else body


@by_hand(formulas.ssim, compiled=partial(_compiled, "ssim"), long=True)
def ssim(job: Job, compiled: bool = False) -> Made | None:
    """One scale; the windows with a pixel that is not kept are left out."""
    return _in_turn(job, (1.0,), compiled)


@by_hand(formulas.ms_ssim, compiled=partial(_compiled, "ms_ssim"), long=True)
def ms_ssim(job: Job, compiled: bool = False) -> Made | None:
    return _in_turn(job, job.settings["weights"], compiled)


def _in_turn(job: Job, weights: Sequence[float], compiled: bool) -> Made | None:
    """Several planes at a time."""
    *batch, height, width = job.arrays[0].shape
    least = (job.settings["window"] - 1) * 2 ** (len(weights) - 1) + 1
    if min(height, width) < least or not weights or min(weights) <= 0.0:
        return None  # the formula says what is wrong
    pred, target = (x.reshape(-1, height, width) for x in job.arrays)
    kept = None if job.kept is None else job.kept.reshape(-1, height, width)
    values, counts = pred.new_empty(len(pred)), pred.new_ones(len(pred))
    slopes = [torch.empty_like(pred) for _ in job.moved]
    taps = gaussian(job.settings["window"], job.settings["sigma"])
    windows = windows_for(pred, taps) if compiled and kept is None else None
    pixels = SEVERAL * blocks.ON_CPU if windows is None else FEW * torch.get_num_threads()
    several = max(1, pixels // max(1, height * width))
    for start in range(0, len(pred), several):
        some = slice(start, start + several)
        here = pred[some], target[some], None if kept is None else kept[some]
        found = _of_planes(job, *here, weights, taps, windows)
        if found is None:
            return None
        values[some], counts[some], slope = found
        for whole, part in zip(slopes, slope, strict=True):
            whole[some] = part

    def pull(upstream: Tensor) -> list[Tensor]:
        return [x.mul_(upstream.reshape(-1, 1, 1)).reshape(*batch, height, width) for x in slopes]

    return Made(values.reshape(batch), None if kept is None else counts.reshape(batch), pull)


def _of_planes(
    job: Job,
    pred: Tensor,
    target: Tensor,
    kept: Tensor | None,
    weights: Sequence[float],
    taps: Sequence[float],
    windows: Windows | None,
) -> tuple[Tensor, Tensor, list[Tensor]] | None:
    """Values, counts, and the slopes in the arrays that have moved."""
    ops, settings = reader_of(pred), job.settings
    if windows is None:
        both, unit = sum_and_difference(ops, pred, target)
        both = both.transpose(0, 1).contiguous()
    else:
        both, unit = windows.sum_and_difference(pred, target)
    constants = [0.5 * constant(ops, settings[k] * settings["data_range"], unit) for k in ("k1", "k2")]
    if min(float(c.min()) for c in constants) == 0.0:
        return None
    levels = [both]
    while len(levels) < len(weights):
        levels.append(_halved(levels[-1], windows))
    scales = [_Scale(x, taps, constants, windows, lit=x is levels[-1], sloped=bool(job.moved)) for x in levels]
    inside = None if kept is None else scales[0].inside(kept)
    distances = torch.stack([scale.distances(inside) for scale in scales])
    counts = torch.ones_like(distances[0]) if inside is None else inside.sum((1, 2)).clamp(max=1.0)
    value = distances[0] if "weights" not in settings else product(ops, list(distances), weights)
    if not job.moved:
        return value, counts, []
    factors = torch.ones_like(distances) if "weights" not in settings else _powers(distances, weights)
    slope = scales[-1].slope.mul_(factors[-1, :, None, None])
    for scale, factor in zip(scales[-2::-1], factors.flip(0)[1:], strict=True):
        slope = _spread(scale.slope, factor, slope, windows)
    slope.mul_(0.5 / unit)
    return value, counts, [slope[0] - slope[1] if place else slope[0] + slope[1] for place in job.moved]


class _Scale:
    """Planes at one scale, (2, N, H, W): half the sum, and half the difference.

    windows compute them all at once, where some are given
    lit     whether the light counts, or the contrast alone
    slope   of the distances, by the planes
    """

    def __init__(
        self,
        planes: Tensor,
        taps: Sequence[float],
        constants: Sequence[Tensor],
        windows: Windows | None,
        *,
        lit: bool,
        sloped: bool,
    ) -> None:
        self.planes, self.taps, self.constants, self.windows, self.lit = planes, taps, constants, windows, lit
        self.sloped, self.slope = sloped, torch.zeros_like(planes if sloped else planes[:0])

    def inside(self, kept: Tensor) -> Tensor:
        """1 for each position, (N, h, w), where all pixels under the window are kept."""
        count, ones = kept.to(self.planes.dtype).reshape(-1), [1.0] * len(self.taps)
        for step in (1, kept.shape[-1]):
            count = _filtered(count, step, ones)
        h, w = (length - len(ones) + 1 for length in kept.shape[1:])
        return (count.view(kept.shape)[:, :h, :w] > len(ones) ** 2 - 0.5).to(count)

    def distances(self, inside: Tensor | None) -> Tensor:
        """The mean distance of each plane over its positions."""
        if self.windows is not None:
            total, self.slope = self.windows(self.planes, self.constants, lit=self.lit, sloped=self.sloped)
            return total
        _, n, height, width = self.planes.shape
        more = len(self.taps) - 1
        h, w = height - more, width - more
        count = self.planes.new_tensor(h * w) if inside is None else inside.sum((1, 2), keepdim=True).clamp_(min=1.0)
        each = self.planes.new_ones(()).expand(n, h, w) if inside is None else inside
        total = self.planes.new_zeros(n)
        for some, rows in _parts(n, h, width):
            part = self.planes[:, some, rows.start : rows.stop + more].contiguous()
            share = part.new_zeros(part.shape[1:])
            share[:, : -more or None, :w] = each[some, rows] / (count if inside is None else count[some])
            total[some] += self._part(part, share, some, rows)
        return total

    def _part(self, part: Tensor, share: Tensor, some: slice, rows: slice) -> Tensor:
        """The distances of some planes and rows, each position with its share; adds to the slope."""
        mean, variance = (x.view(part.shape) for x in _moments(part.view(-1), part.shape[-1], self.taps))
        unlit, flat = (c[some] for c in self.constants)
        below = (variance[0] + variance[1]).add_(flat)
        contrast = (2.0 * variance[1]).div_(below)
        light = torch.zeros_like(contrast)
        by_mean, by_contrast = torch.zeros_like(part), share
        each = contrast
        if self.lit:
            squares = mean.square()
            under = squares[0].add_(squares[1]).add_(unlit)
            light = squares[1].mul_(2.0).div_(under)
            each = torch.addcmul(light + contrast, light, contrast, value=-1.0)
            by_light = (1.0 - contrast).mul_(share).div_(under).mul_(2.0)
            torch.mul(mean[0], light, out=by_mean[0]).mul_(by_light).neg_()
            torch.mul(mean[1], light.sub(2.0).neg_(), out=by_mean[1]).mul_(by_light)
            by_contrast = (1.0 - light).mul_(share)
        total = (each * share).sum((1, 2))
        if self.sloped:
            by_variance = torch.empty_like(part)
            by_contrast = by_contrast / below
            torch.mul(contrast, by_contrast, out=by_variance[0]).neg_()
            torch.add(by_variance[0], by_contrast, alpha=2.0, out=by_variance[1])
            more = rows.stop + len(self.taps) - 1
            self.slope[:, some, rows.start : more] += _slope(part, mean, by_mean, by_variance, self.taps)
        return total


def _slope(x: Tensor, mean: Tensor, by_mean: Tensor, by_variance: Tensor, taps: Sequence[float]) -> Tensor:
    """The slope by the pixels, from those by the moments, which are 0 where a window ends."""
    middle = x.mean((2, 3), keepdim=True)
    spread = [by_mean.addcmul_(by_variance, mean.sub_(middle), value=-2.0), by_variance]
    for step in (x.shape[-1], 1):
        spread = [_transposed(part.view(-1), step, taps) for part in spread]
    first, second = (part.view(x.shape) for part in spread)
    return first.addcmul_(x - middle, second, value=2.0)


def _powers(distances: Tensor, weights: Sequence[float]) -> Tensor:
    """The slopes of 1 - prod (1 - d)^w; 0 where a d is 1 or more."""
    power = distances.new_tensor(weights)[:, None]
    rest = 1.0 - distances
    whole = (power * torch.log1p(-distances)).sum(0).exp()
    return torch.where((rest > 0.0).all(0), power * whole / rest, 0.0)


def _parts(planes: int, rows: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Blocks of whole planes, or of rows of one."""
    for index in blocks.blocks((planes, rows), width, blocks.ON_CPU):
        some, these = index if len(index) == 2 else (*index, slice(0, rows))
        yield slice(some.start, min(some.stop, planes)), slice(these.start, min(these.stop, rows))


def _moments(x: Tensor, width: int, taps: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Mean and variance under the window, over the columns and then over the rows."""
    mean, within = _along(x, 1, taps)
    mean, between = _along(mean, width, taps)
    return mean, between.add_(_filtered(within, width, taps))


def _along(x: Tensor, step: int, taps: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Mean and variance under a window whose pixels are `step` apart."""
    mean, variance = _filtered(x, step, taps), torch.zeros_like(x)
    pixels = _windows(x, step, len(taps))
    middle, here = mean[: len(pixels[0])], variance[: len(pixels[0])]
    gap = torch.empty_like(middle)
    for pixel, tap in zip(pixels, taps, strict=True):
        torch.sub(pixel, middle, out=gap)
        here.addcmul_(gap, gap, value=tap)
    return mean, variance


def _filtered(x: Tensor, step: int, taps: Sequence[float]) -> Tensor:
    """The sum under each window, and 0 where none begins."""
    made, pixels = torch.zeros_like(x), _windows(x, step, len(taps))
    here = made[: len(pixels[0])]
    for pixel, tap in zip(pixels, taps, strict=True):
        here.add_(pixel, alpha=tap)
    return made


def _transposed(x: Tensor, step: int, taps: Sequence[float]) -> Tensor:
    made = torch.zeros_like(x)
    pixels = _windows(made, step, len(taps))
    here = x[: len(pixels[0])]
    for pixel, tap in zip(pixels, taps, strict=True):
        pixel.add_(here, alpha=tap)
    return made


def _windows(x: Tensor, step: int, size: int) -> Sequence[Tensor]:
    """The first pixel of every window, the second of every one, and so on."""
    return x.as_strided((size, len(x) - (size - 1) * step), (step, 1)).unbind()


def _halved(x: Tensor, windows: Windows | None) -> Tensor:
    """Means over 2 x 2 pixels, of fewer at the end of an odd length."""
    height, width = x.shape[-2:]
    if height % 2 or width % 2:
        return fn.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)
    if windows is not None:
        return windows.halved(x)
    rows = x[..., ::2, :] + x[..., 1::2, :]  # long runs of memory first
    return (rows[..., ::2] + rows[..., 1::2]).mul_(0.25)


def _spread(slope: Tensor, factor: Tensor, halves: Tensor, windows: Windows | None) -> Tensor:
    """The slope of planes, each times its factor, with that of the same planes halved; overwrites the first."""
    height, width = slope.shape[-2:]
    if height % 2 or width % 2:
        more = torch.ops.aten.avg_pool2d_backward(halves, slope, [2, 2], [2, 2], [0, 0], True, False, None)
        return slope.mul_(factor[:, None, None]).add_(more)
    if windows is not None:
        return windows.spread(slope, factor, halves)
    rows = torch.mul(halves, 0.25).repeat_interleave(2, -1).unsqueeze(-2)
    rows = rows.expand(*halves.shape[:-1], 2, width).reshape(slope.shape)
    return slope.mul_(factor[:, None, None]).add_(rows)
