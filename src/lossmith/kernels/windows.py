"""The distances of SSIM and their slope in loops that are compiled, with the numerics of `structure`.

A row of pixels is read once: its moments under the window stay in the cache until the last window that they are part
of, and so do what windows say to their pixels. Rows of K windows are held, of K the length of a window.

Judge      `structure`, and the formulas: `tests/kernels/test_by_hand.py`
"""

from collections.abc import Sequence
from ctypes import CDLL, c_double, c_float, c_int, c_int64

import torch
from torch import Tensor

from lossmith.formulas.structure import LARGE
from lossmith.kernels.cpp import load, pointer

FEW = 2**18  # pixels of the planes that each thread takes at once: what lies between stays in a cache
SOURCE = """
const int K = {size};
static const real T[K] = {taps};

// Mean and variance under the window along a row.
static void along(const real* __restrict x, size w, real* __restrict mean, real* __restrict within) {
    #pragma omp simd
    for (size j = 0; j < w; j++) {
        real s = 0, v = 0;
        #pragma GCC unroll 32
        for (int k = 0; k < K; k++) s += T[k] * x[j + k];
        #pragma GCC unroll 32
        for (int k = 0; k < K; k++) { real gap = x[j + k] - s; v += T[k] * (gap * gap); }
        mean[j] = s; within[j] = v;
    }
}

// The same down the columns, of K rows of means and variances.
static void down(const real* const* m, const real* const* v, size w, real* __restrict mean, real* __restrict variance) {
    #pragma omp simd
    for (size j = 0; j < w; j++) {
        real s = 0, u = 0;
        #pragma GCC unroll 32
        for (int k = 0; k < K; k++) s += T[k] * m[k][j];
        #pragma GCC unroll 32
        for (int k = 0; k < K; k++) { real gap = m[k][j] - s; u += T[k] * (gap * gap + v[k][j]); }
        mean[j] = s; variance[j] = u;
    }
}

static void filtered(const real* __restrict x, size w, real* __restrict to) {
    #pragma omp simd
    for (size j = 0; j < w; j++) {
        real s = 0;
        #pragma GCC unroll 32
        for (int k = 0; k < K; k++) s += T[k] * x[j + k];
        to[j] = s;
    }
}

// The slope of a row of pixels, from K rows of what its windows say.
static void gathered(const real* const* a, const real* const* q, const real* __restrict x, real c, size w,
                     real* __restrict to) {
    #pragma omp simd
    for (size j = 0; j < w; j++) {
        real s = 0, u = 0;
        #pragma GCC unroll 32
        for (int k = 0; k < K; k++) { s += T[k] * a[k][j]; u += T[k] * q[k][j]; }
        to[j] = s + 2 * (x[j] - c) * u;
    }
}

static real plane(const real* x0, const real* x1, size H, size W, real unlit, real flat, real share, real lit,
                  bool sloped, real* to0, real* to1, real* room) {
    const real* x[2] = {x0, x1}; real* to[2] = {to0, to1};
    const size w = W - K + 1, h = H - K + 1, wide = W + K - 1;
    real *mean[2][K], *within[2][K], *first[2][K], *second[2][K], *m[2], *v[2], *p[2], *q[2], *zero;
    auto take = [&](size n) { real* found = room; room += n; return found; };
    for (int a = 0; a < 2; a++) {
        for (int k = 0; k < K; k++) {
            mean[a][k] = take(w); within[a][k] = take(w);
            first[a][k] = take(W); second[a][k] = take(W);
        }
        m[a] = take(w); v[a] = take(w); p[a] = take(wide); q[a] = take(wide);
        for (size j = 0; j < wide; j++) p[a][j] = q[a][j] = 0;
    }
    zero = take(W);
    for (size j = 0; j < W; j++) zero[j] = 0;
    real c[2];
    for (int a = 0; a < 2; a++) {
        double sum = 0;
        for (size i = 0; i < H; i++) {
            real part = 0;
            #pragma omp simd reduction(+:part)
            for (size j = 0; j < W; j++) part += x[a][i * W + j];
            sum += part;
        }
        c[a] = real(sum / double(H * W));
    }
    double total = 0;
    for (size i = 0; i < H + K - 1; i++) {
        if (i < H) for (int a = 0; a < 2; a++) along(x[a] + i * W, w, mean[a][i % K], within[a][i % K]);
        const size r = i - (K - 1);
        if (r < 0) continue;
        if (r < h) {
            for (int a = 0; a < 2; a++) {
                const real *rows[K], *vs[K];
                for (int k = 0; k < K; k++) { rows[k] = mean[a][(r + k) % K]; vs[k] = within[a][(r + k) % K]; }
                down(rows, vs, w, m[a], v[a]);
            }
            real sum = 0;
            const real *m0 = m[0], *m1 = m[1], *v0 = v[0], *v1 = v[1];
            real *p0 = p[0] + K - 1, *p1 = p[1] + K - 1, *q0 = q[0] + K - 1, *q1 = q[1] + K - 1;
            #pragma omp simd reduction(+:sum)
            for (size j = 0; j < w; j++) {
                const real below = v0[j] + v1[j] + flat, contrast = 2 * v1[j] / below;
                const real s0 = m0[j] * m0[j], s1 = m1[j] * m1[j], under = s0 + s1 + unlit;
                const real light = 2 * s1 / under * lit, by_light = 2 * share * lit * (1 - contrast) / under;
                const real by_contrast = share * (1 - light) / below, falling = -contrast * by_contrast;
                const real rising = falling + 2 * by_contrast;
                sum += light + contrast - light * contrast;
                p0[j] = -m0[j] * light * by_light - 2 * falling * (m0[j] - c[0]);
                p1[j] = m1[j] * (2 - light) * by_light - 2 * rising * (m1[j] - c[1]);
                q0[j] = falling; q1[j] = rising;
            }
            total += sum;
            if (sloped) for (int a = 0; a < 2; a++) {
                filtered(p[a], W, first[a][r % K]);
                filtered(q[a], W, second[a][r % K]);
            }
        }
        if (sloped) for (int a = 0; a < 2; a++) {
            const real *f[K], *s[K];
            for (int k = 0; k < K; k++) {
                const size row = r - K + 1 + k;
                const bool there = row >= 0 && row < h;
                f[k] = there ? first[a][row % K] : zero; s[k] = there ? second[a][row % K] : zero;
            }
            gathered(f, s, x[a] + r * W, c[a], W, to[a] + r * W);
        }
    }
    return real(total) * share;
}

extern "C" void distances(const real* planes, size n, size H, size W, const real* unlit, const real* flat, int lit,
                          int sloped, real* total, real* slope, int threads) {
    const real share = real(1) / real((H - K + 1) * (W - K + 1));
    const size each = H * W, most = 2 * K * (2 * (W - K + 1) + 2 * W) + 2 * (2 * (W - K + 1) + 2 * (W + K - 1)) + W;
    #pragma omp parallel for num_threads(threads) if (threads > 1)
    for (size i = 0; i < n; i++) {
        std::vector<real> room(most);
        total[i] = plane(planes + i * each, planes + (n + i) * each, H, W, unlit[i], flat[i], share, real(lit), sloped,
                         slope + i * each, slope + (n + i) * each, room.data());
    }
}

// Half the sum and half the difference in units, and the unit of each plane: 1, but for enormous pixels.
extern "C" void apart(const real* pred, const real* target, size n, size each, real large, real* planes, real* unit,
                      int threads) {
    #pragma omp parallel for num_threads(threads) if (threads > 1)
    for (size i = 0; i < n; i++) {
        const real *x = pred + i * each, *y = target + i * each;
        real *sum = planes + i * each, *gap = planes + (n + i) * each, most = 0;
        #pragma omp simd reduction(max:most)
        for (size j = 0; j < each; j++) {
            const real a = std::abs(x[j]), b = std::abs(y[j]), more = a > b ? a : b;
            most = more > most ? more : most;
            sum[j] = real(0.5) * x[j] + real(0.5) * y[j];
            gap[j] = real(0.5) * x[j] - real(0.5) * y[j];
        }
        unit[i] = most > large ? most : real(1);
        if (unit[i] != 1) for (size j = 0; j < each; j++) { sum[j] /= unit[i]; gap[j] /= unit[i]; }
    }
}

// Means over 2 x 2 pixels, of even lengths.
extern "C" void halved(const real* planes, size n, size H, size W, real* to, int threads) {
    #pragma omp parallel for num_threads(threads) if (threads > 1)
    for (size i = 0; i < n * (H / 2); i++) {
        const real *a = planes + 2 * i * W, *b = a + W;
        real* out = to + i * (W / 2);
        #pragma omp simd
        for (size j = 0; j < W / 2; j++) out[j] = real(0.25) * ((a[2 * j] + b[2 * j]) + (a[2 * j + 1] + b[2 * j + 1]));
    }
}

// slope * factor of its plane, and what the planes of half the size say.
extern "C" void spread(real* slope, const real* factor, const real* coarse, size n, size H, size W, int threads) {
    #pragma omp parallel for num_threads(threads) if (threads > 1)
    for (size i = 0; i < 2 * n * H; i++) {
        const real *from = coarse + i / 2 * (W / 2), by = factor[i / H % n];
        real* to = slope + i * W;
        #pragma omp simd
        for (size j = 0; j < W / 2; j++) {
            const real more = real(0.25) * from[j];
            to[2 * j] = to[2 * j] * by + more;
            to[2 * j + 1] = to[2 * j + 1] * by + more;
        }
    }
}
"""


class Windows:
    """Mean distances of planes, and their slope.

    Shapes    planes: (2, n, H, W), half the sum and half the difference; constants: (n, 1, 1) each
    """

    def __init__(self, library: CDLL, dtype: torch.dtype) -> None:
        self._library, self._threads = library, c_int(torch.get_num_threads())
        self._large = (c_float if dtype == torch.float32 else c_double)(LARGE)

    def __call__(
        self, planes: Tensor, constants: Sequence[Tensor], *, lit: bool, sloped: bool
    ) -> tuple[Tensor, Tensor]:
        """The mean distance of each plane, (n,), and its slope in the planes, or nothing if that is not asked for."""
        total, slope = planes.new_empty(planes.shape[1]), torch.empty_like(planes if sloped else planes[:0])
        unlit, flat = (x.contiguous() for x in constants)
        given = pointer(planes), *map(c_int64, planes.shape[1:]), pointer(unlit), pointer(flat), c_int(lit)
        self._library.distances(*given, c_int(sloped), pointer(total), pointer(slope), self._threads)
        return total, slope

    def sum_and_difference(self, pred: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """As the formula's, of planes (n, H, W), but the two come first, (2, n, H, W); and the units, (n, 1, 1)."""
        pred, target = pred.contiguous(), target.contiguous()
        planes, unit = pred.new_empty(2, *pred.shape), pred.new_empty(len(pred), 1, 1)
        lengths = c_int64(len(pred)), c_int64(pred[0].numel())
        given = pointer(pred), pointer(target), *lengths, self._large
        self._library.apart(*given, pointer(planes), pointer(unit), self._threads)
        return planes, unit

    def halved(self, planes: Tensor) -> Tensor:
        """Means over 2 x 2 pixels."""
        two, n, height, width = planes.shape
        made = planes.new_empty(two, n, height // 2, width // 2)
        lengths = c_int64(two * n), c_int64(height), c_int64(width)
        self._library.halved(pointer(planes), *lengths, pointer(made), self._threads)
        return made

    def spread(self, slope: Tensor, factor: Tensor, coarse: Tensor) -> Tensor:
        """The slope of planes times the factor of each, and that of their halves, in place."""
        given = pointer(slope), pointer(factor.contiguous()), pointer(coarse), *map(c_int64, slope.shape[1:])
        self._library.spread(*given, self._threads)
        return slope


def windows_for(like: Tensor, taps: Sequence[float]) -> Windows | None:
    """None where there is no compiler."""
    listed = "{" + ", ".join(repr(float(tap)) for tap in taps) + "}"
    library = load(SOURCE.replace("{size}", str(len(taps))).replace("{taps}", listed), like.dtype)
    return None if library is None else Windows(library, like.dtype)
