"""Structural similarity."""

from functools import lru_cache

from textbook.numbers import mp

WANG = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


@lru_cache
def gaussian(window, sigma, prec):
    sigma = mp.mpf(sigma)
    raw = [mp.exp(-(((i - mp.mpf(window - 1) / 2) / sigma) ** 2) / 2) for i in range(window)]
    return [w / sum(raw) for w in raw]


def factors(x, y, data_range, window, sigma, k1, k2):
    """(l, cs) at every position."""
    return [
        compared(*(tuple(tuple(row[left : left + window]) for row in image[top : top + window]) for image in (x, y)),
                 data_range, sigma, k1, k2, mp.prec)
        for top in range(len(x) - window + 1)
        for left in range(len(x[0]) - window + 1)
    ]  # fmt: skip


@lru_cache(maxsize=4096)  # a gradient moves one pixel, and most windows do not hold it
def compared(x, y, data_range, sigma, k1, k2, prec):
    """(l, cs) of two windows, at the precision in use."""
    taps = gaussian(len(x), sigma, prec)
    c1, c2 = (mp.mpf(k1) * data_range) ** 2, (mp.mpf(k2) * data_range) ** 2
    cells = [
        (p * q, a, b)
        for p, of_x, of_y in zip(taps, x, y, strict=True)
        for q, a, b in zip(taps, of_x, of_y, strict=True)
    ]
    mx, my = sum(w * a for w, a, _ in cells), sum(w * b for w, _, b in cells)
    vx, vy = sum(w * (a - mx) ** 2 for w, a, _ in cells), sum(w * (b - my) ** 2 for w, _, b in cells)
    cov = sum(w * (a - mx) * (b - my) for w, a, b in cells)
    return (2 * mx * my + c1) / (mx**2 + my**2 + c1), (2 * cov + c2) / (vx + vy + c2)


def ssim(pred, target, data_range=1, window=11, sigma=1.5, k1=0.01, k2=0.03):
    each = factors(pred, target, data_range, window, sigma, k1, k2)
    return 1 - sum(light * contrast for light, contrast in each) / len(each)


def halved(x):
    tall = x if len(x) % 2 == 0 else [*x, x[-1]]
    even = [row if len(row) % 2 == 0 else [*row, row[-1]] for row in tall]
    return [
        [(even[i][j] + even[i][j + 1] + even[i + 1][j] + even[i + 1][j + 1]) / 4 for j in range(0, len(even[0]), 2)]
        for i in range(0, len(even), 2)
    ]


def ms_ssim(pred, target, data_range=1, weights=WANG, window=11, sigma=1.5, k1=0.01, k2=0.03):
    product = mp.one
    for j, weight in enumerate(weights):
        if j:
            pred, target = halved(pred), halved(target)
        each = factors(pred, target, data_range, window, sigma, k1, k2)
        last = j + 1 == len(weights)
        mean = sum(light * contrast if last else contrast for light, contrast in each) / len(each)
        product *= max(mp.zero, mean) ** mp.mpf(weight)
    return 1 - product
