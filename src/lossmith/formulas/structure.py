"""Structural similarity of two images x and y, plane by plane: each channel is compared by itself.

    ssim      1 - mean over all windows of  l cs,    l  = (2 mu_x mu_y + C1) / (mu_x^2 + mu_y^2 + C1)
                                                     cs = (2 cov_xy + C2) / (var_x + var_y + C2)
    ms_ssim   1 - (mean l cs at scale M)^w_M prod_{j<M} (mean cs at scale j)^w_j

mu, var and cov are taken under a Gaussian window at every position where it lies inside the image; C1 = (k1 L)^2 and
C2 = (k2 L)^2 with the data range L. A scale is the one before it, averaged over 2 x 2 pixels and halved.

What is computed is how far from 1 the factors are, so that a small loss keeps its digits. With s = (x + y) / 2 and
r = (x - y) / 2, which are halved instead of x and y from scale to scale:

    1 - l  = 2 mu_r^2 / (mu_s^2 + mu_r^2 + C1 / 2)
    1 - cs = 2 var_r / (var_s + var_r + C2 / 2)
    1 - l cs = (1 - l) + l (1 - cs)

A variance is never the difference of two large numbers: the window is a product of a row and a column, so that it is
the mean over the rows of the variance within each, and the variance of the rows' means; both are sums of squares.
"""

from collections.abc import Sequence
from math import exp

from lossmith.errors import SettingError, ShapeError, message
from lossmith.formulas.terms import or_one
from lossmith.ops import A, Ops
from lossmith.settings import Positive, Whole
from lossmith.spec import Claims, Outcome, formula

SHAPES = "... H W, ... H W -> ..."
WANG = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang, Simoncelli and Bovik 2003, section 3.2
LARGE = 1e12  # above it squares would leave float32, and the constants no longer matter


@formula(
    shapes=SHAPES,
    kinds=("real", "real"),
    source="Wang et al. 2004, https://doi.org/10.1109/TIP.2003.819861",
    claims=Claims(range=(0.0, 2.0), zero_at_match=True, smooth=True),
    coupled="H W",
)
def ssim(
    ops: Ops[A],
    pred: A,
    target: A,
    *,
    kept: A | None = None,
    data_range: Positive = 1.0,
    window: Whole = 11,
    sigma: Positive = 1.5,
    k1: Positive = 0.01,
    k2: Positive = 0.03,
) -> Outcome[A]:
    """One minus the structural similarity of two planes of pixels.

    Shapes    pred, target: (..., H, W) equal, both lengths at least the window; result: (...)
    Unit      dimensionless
    Range     [0, 2]; 0 where the planes are equal, above 1 where they are opposed
    Gradient  smooth
    Limits    a pixel that is removed takes every window that holds it along; a plane without a window is not
              defined, and counts nothing. Beyond 1e12 a plane is measured in its largest pixel
    Keywords  data_range: the largest minus the smallest value a pixel may have, 255 for bytes; window: its side;
              sigma: the standard deviation of its weights in pixels; k1, k2: of the constants
    Source    Wang et al. 2004, https://doi.org/10.1109/TIP.2003.819861

    >>> import numpy as np
    >>> pred, target = np.array([[[0.0, 0.5], [1.0, 0.5]]]), np.array([[[0.0, 0.5], [0.5, 0.5]]])
    >>> ssim(pred, target, window=2).round(6)
    array([0.300447])
    """
    _require_size(ops, "ssim", pred, window, scales=1)
    both, unit = sum_and_difference(ops, pred, target)
    constants = [constant(ops, k * data_range, unit) for k in (k1, k2)]
    light, contrast = _distances(ops, both, gaussian(window, sigma), constants)
    each = light + (1.0 - light) * contrast
    inside = None if kept is None else _whole(ops, kept, each, window)
    value, defined = _mean(ops, each, inside)
    return Outcome(value, counts=None if kept is None else defined)


@formula(
    shapes=SHAPES,
    kinds=("real", "real"),
    source="Wang, Simoncelli and Bovik 2003, https://doi.org/10.1109/ACSSC.2003.1292216",
    claims=Claims(range=(0.0, 1.0), zero_at_match=True),
)
def ms_ssim(
    ops: Ops[A],
    pred: A,
    target: A,
    *,
    data_range: Positive = 1.0,
    weights: Sequence[float] = WANG,
    window: Whole = 11,
    sigma: Positive = 1.5,
    k1: Positive = 0.01,
    k2: Positive = 0.03,
) -> A:
    """One minus the structural similarity of two planes of pixels over several scales.

    Shapes    pred, target: (..., H, W) equal, both lengths at least (window - 1) 2^(M - 1) + 1 for M weights: 161;
              result: (...)
    Unit      dimensionless
    Range     [0, 1]; 0 where the planes are equal
    Gradient  without bound where the contrast of a scale falls to 0, there and below 0 by convention
    Limits    where the mean contrast of one scale is 0 or negative, its power counts as 0, and the value is 1. At an
              odd length the last row or column is repeated before halving, as in the authors' program
    Keywords  weights: the power of each scale, from fine to coarse; data_range, window, sigma, k1, k2: as for ssim
    Source    Wang, Simoncelli and Bovik 2003, https://doi.org/10.1109/ACSSC.2003.1292216

    >>> import numpy as np
    >>> pred = np.array([[[0.0, 0.5, 1.0], [0.5, 1.0, 1.0], [0.0, 0.5, 0.0]]])
    >>> target = np.array([[[0.0, 0.5, 0.5], [0.5, 1.0, 0.5], [0.0, 0.0, 0.0]]])
    >>> ms_ssim(pred, target, window=2, weights=(0.5, 0.5)).round(6)
    array([0.287539])
    """
    if not weights or not all(weight > 0 for weight in weights):
        raise SettingError(
            message("ms_ssim: weights must be numbers above 0, one for each scale", {"weights": weights})
        )
    _require_size(ops, "ms_ssim", pred, window, scales=len(weights))
    both, unit = sum_and_difference(ops, pred, target)
    constants = [constant(ops, k * data_range, unit) for k in (k1, k2)]
    distances: list[A] = []
    for scale in range(len(weights)):
        both = _halved(ops, both) if scale else both
        light, contrast = _distances(ops, both, gaussian(window, sigma), constants)
        last = scale + 1 == len(weights)
        distances.append(_mean(ops, light + (1.0 - light) * contrast if last else contrast, None)[0])
    return product(ops, distances, weights)


def product(ops: Ops[A], distances: Sequence[A], weights: Sequence[float]) -> A:
    """1 - prod (1 - d)^w; 1 where a d is 1 or more."""
    alike = distances[0] < 1.0
    for distance in distances[1:]:
        alike = alike & (distance < 1.0)
    exponent = ops.full_like(distances[0], 0.0)
    for distance, weight in zip(distances, weights, strict=True):
        exponent = exponent + weight * ops.log1p(-ops.where(alike, distance, 0.0))
    unlike = ops.truth(ops.where(alike, ops.full_like(exponent, 0.0), 1.0))
    return ops.where(unlike, _one_unless_nan(ops, distances), -ops.expm1(exponent))


def _one_unless_nan(ops: Ops[A], distances: Sequence[A]) -> A:
    """1 with gradient 0, and NaN where a distance is NaN."""
    total = distances[0]
    for distance in distances[1:]:
        total = total + distance
    return ops.stop_gradient(ops.where(total < 0.0, ops.full_like(total, 0.0), 0.0 * total) + 1.0)


def gaussian(window: int, sigma: float) -> list[float]:
    """Weights that add up to 1."""
    raw = [exp(-(((i - (window - 1) / 2) / sigma) ** 2) / 2) for i in range(window)]
    return [weight / sum(raw) for weight in raw]


def constant(ops: Ops[A], root: float, unit: A) -> A:
    """C1 or C2 in the square of the unit. Where enormous pixels are the unit it would underflow, and 1 / C overflow."""
    return ops.maximum(ops.square(root / unit), ops.where(unit > 1.0, ops.full_like(unit, 1e-30), 0.0))


def _distances(ops: Ops[A], both: A, taps: Sequence[float], constants: Sequence[A]) -> tuple[A, A]:
    """1 - l and 1 - cs at every position of the window."""
    mean, variance = _moments(ops, both, ops.asarray(taps, like=both), len(taps))
    parts: list[A] = []
    for each, constant in ((ops.square(mean), constants[0]), (variance, constants[1])):
        summed, apart = each[..., 0, :, :], each[..., 1, :, :]
        parts.append(2.0 * apart / or_one(ops, summed + apart + 0.5 * constant))
    return parts[0], parts[1]


def _moments(ops: Ops[A], x: A, taps: A, size: int) -> tuple[A, A]:
    """Mean and variance under the window, over the last axis and then over the one before it."""
    mean, within = _along(ops, x, taps, size)
    mean, between = _along(ops, ops.matrix_transpose(mean), taps, size)
    within = ops.sum(ops.windows(ops.matrix_transpose(within), size) * taps, axis=-1)
    return ops.matrix_transpose(mean), ops.matrix_transpose(within + between)


def _along(ops: Ops[A], x: A, taps: A, size: int) -> tuple[A, A]:
    """Mean and variance under a window on the last axis."""
    pixels = ops.windows(x, size)
    mean = ops.sum(pixels * taps, axis=-1, keepdims=True)
    variance = ops.sum(ops.square(pixels - mean) * taps, axis=-1)
    return ops.sum(mean, axis=-1), variance


def _whole(ops: Ops[A], kept: A, like: A, size: int) -> A:
    """Where every pixel under the window is kept."""
    ones = ops.astype(kept, like)
    for _ in range(2):
        ones = ops.matrix_transpose(ops.sum(ops.windows(ones, size), axis=-1))
    return ones > size * size - 0.5


def _mean(ops: Ops[A], each: A, inside: A | None) -> tuple[A, A]:
    """The mean over the positions that are inside, and 1 where there is one, else 0."""
    ones = ops.full_like(each, 1.0)
    if inside is not None:
        each, ones = ops.where(inside, each, 0.0), ops.where(inside, ones, 0.0)
    total, count = (ops.sum(ops.sum(part, axis=-1), axis=-1) for part in (each, ones))
    return total / or_one(ops, count), ops.minimum(count, 1.0)


def _halved(ops: Ops[A], x: A) -> A:
    """Means over 2 x 2 pixels; an odd length has its last row or column twice."""
    for _ in range(2):
        even = ops.concat([x, x[..., -1:]], axis=-1)
        x = ops.matrix_transpose(0.5 * (even[..., 0:-1:2] + even[..., 1::2]))
    return x


def sum_and_difference(ops: Ops[A], pred: A, target: A) -> tuple[A, A]:
    """Half the sum and half the difference, along a new axis before the planes, and the unit they are in.

    The unit is 1, but for enormous pixels, whose squares would overflow. It has no gradient: with the constants in it
    too, the similarity does not depend on it.
    """
    half, other = 0.5 * pred, 0.5 * target
    both = ops.concat([ops.expand_dims(half + other, axis=-3), ops.expand_dims(half - other, axis=-3)], axis=-3)
    largest = ops.maximum(ops.abs(pred), ops.abs(target))
    for axis in (-1, -2):
        largest = ops.max(largest, axis=axis, keepdims=True)
    unit = ops.stop_gradient(ops.where(largest > LARGE, largest, 1.0))
    return both / ops.expand_dims(unit, axis=-3), unit


def _require_size(ops: Ops[A], caller: str, pred: A, window: int, scales: int) -> None:
    least = (window - 1) * 2 ** (scales - 1) + 1
    shape = ops.shape(pred)
    if shape is None or all(length is None or length >= least for length in shape[-2:]):
        return
    over = f" over {scales} scales" if scales > 1 else ""
    headline = f"{caller}: images must be at least {least} x {least} pixels for a window of {window}{over}"
    raise ShapeError(message(headline, {"given": " x ".join(map(str, shape[-2:]))}))
